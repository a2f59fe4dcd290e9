"""The Python API's example, run as it stands in the README."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pack.api import GenerationConstraints, IntelligentGenerationPipeline, OperationMode, PipelineConfig, Priority
from pack.errors import BadRequest, UserError

from .conftest import Host, Picture


def pipeline(host: Host, **config: object) -> IntelligentGenerationPipeline:
    small = GenerationConstraints(priority=Priority.QUALITY, width=64, height=64, max_steps=4)
    settings = {"mode": OperationMode.AUTO, "constraints": small, "enable_learning": True, "base_model": "toy_sd15.safetensors"}
    return IntelligentGenerationPipeline(config=PipelineConfig(server=host.server.url, **{**settings, **config}))


def test_the_first_systems_example(host: Host, tmp_path: Path) -> None:
    result = pipeline(host).generate(prompt="anime girl, magical powers, Victorian mansion, detailed, masterpiece")
    assert result.explanation.get_full_explanation().startswith("Selected ")
    assert "Complexity: complex" in result.explanation.summary
    assert result.measured and result.measured.seconds > 0
    saved = result.save(tmp_path / "character.png", save_metadata=True, save_explanation=True)
    assert Picture(saved[0].read_bytes()).generation.id == result.id
    assert (tmp_path / "character.md").read_text(encoding="utf-8") == result.explanation.get_full_explanation()
    with pytest.raises(UserError, match="not overwritten"):
        result.save(tmp_path / "character.png")
    result.save(tmp_path / "bare.png", save_metadata=False)
    assert not Picture((tmp_path / "bare.png").read_bytes()).texts


def test_a_recommended_plan_is_edited_and_run_as_it_is(host: Host) -> None:
    assisted = pipeline(host)
    plan = assisted.recommend("a blue house, watercolor painting")
    edited = replace(plan, settings=replace(plan.settings, steps=3, cfg=4.5), loras=())
    made = assisted.generate(plan=edited, seed=5)
    assert replace(made.plan, sources=()) == replace(edited, sources=())
    assert [source.name for source in made.plan.sources] == [edited.models.checkpoint], "the LoRA is gone from what it loads"
    assert made.generation.seed == 5


def test_assisted_recommends_then_makes_what_was_accepted(host: Host) -> None:
    assisted = pipeline(host, mode=OperationMode.ASSISTED)
    plan = assisted.recommend("a red rose")
    assert assisted.generate(plan=plan).plan.settings == plan.settings


def test_what_the_person_knows_of_a_file_decides(host: Host) -> None:
    from pack.api import tell_family
    from pack.plan import Kind

    with pytest.raises(BadRequest, match="no model file"):
        tell_family(host.server.url, Kind.CHECKPOINT, "none.safetensors", "pony")
    with pytest.raises(BadRequest, match="There is no model family"):
        tell_family(host.server.url, Kind.CHECKPOINT, "toy_sdxl.safetensors", "dreams")
    tell_family(host.server.url, Kind.CHECKPOINT, "toy_sdxl.safetensors", "pony")
    try:
        assert pipeline(host, base_model="toy_sdxl.safetensors").recommend("a cat").family == "pony"
    finally:
        tell_family(host.server.url, Kind.CHECKPOINT, "toy_sdxl.safetensors", None)
    assert pipeline(host, base_model="toy_sdxl.safetensors").recommend("a cat").family == "sdxl"


def test_wrong_types_are_refused_with_the_rest() -> None:
    with pytest.raises(BadRequest) as refused:
        PipelineConfig(base_model=3, mode="auto", constraints=GenerationConstraints(blocked_tags="nsfw"))  # type: ignore[arg-type]
    assert all(word in str(refused.value) for word in ("base_model", "mode", "blocked_tags"))


def test_a_wrong_configuration_is_refused_with_all_its_faults() -> None:
    with pytest.raises(BadRequest) as refused:
        PipelineConfig(
            server="ftp://x", language="fr", constraints=GenerationConstraints(max_seconds=-1, width=1, max_loras=99)
        )
    text = str(refused.value)
    assert all(word in text for word in ("server", "language", "max_seconds", "max_loras", "width"))
