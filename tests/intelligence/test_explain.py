"""``IIG_GOLDEN=1`` rewrites the golden explanations; review the difference."""

import json
import os
import re
import string
from dataclasses import replace
from pathlib import Path

import pytest
from pack.intelligence.analyze import analyze
from pack.intelligence.explain import explain, render
from pack.pipeline import make_plan
from pack.plan import GIB, Constraints, Fixed, LoraUse, Measured, Mode, Priority, Reason, Request, Taste, Verbosity
from pack.tests.shelf import LORAS, WORKED_EXAMPLE, checkpoint, complete_set, gpu, library

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
TEXTS = {language: json.loads((ROOT / "locales" / language / "explain.json").read_text("utf-8")) for language in ("en", "es")}


def planned(text=WORKED_EXAMPLE, files=None, machine=None, **asked):
    shelf = library(*(files or (checkpoint(), *LORAS)))
    return make_plan(Request(text, **asked), analyze(text), shelf, Taste(), machine or gpu())


def worked_example():
    return planned(priority=Priority.QUALITY)


def flux():
    return planned("Retrato de una anciana junto a la ventana, luz suave", complete_set("flux_dev"), gpu(16), negative="texto")


def manual():
    asked = {"fixed": Fixed(steps=30, cfg=7.0, width=1001, height=640), "loras": (LoraUse("flux_anime", 1.0, 1.0),)}
    lightning = checkpoint("dream_lightning.safetensors", distillation="lightning")
    return planned("a cat", (lightning, *LORAS), mode=Mode.MANUAL, **asked)


CASES = {"worked_example": worked_example, "flux": flux, "manual": manual}


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", CASES)
def test_standard_level_is_as_reviewed(name, language):
    text = explain(CASES[name](), Verbosity.STANDARD, language)
    path = GOLDEN / f"explain_{name}.{language}.md"
    if os.environ.get("IIG_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_the_first_line_has_its_shape():
    first = explain(worked_example()).splitlines()[0]
    assert (
        first
        == "Selected anime_style_v2 (α=0.8) and detail_enhancer (α=0.5) | Params: 40 steps, CFG 7.5, 1024×1024 | Complexity: complex"
    )
    assert explain(planned(loras=())).startswith("No LoRA selected | Params: ")
    three = planned(loras=tuple(LoraUse(file.name, 0.5, 0.5) for file in LORAS[:3]))
    assert explain(three).startswith("Selected anime_style_v2 (α=0.5), detail_enhancer (α=0.5) and watercolor_wash (α=0.5) | ")


@pytest.mark.parametrize(
    ("language", "titles"),
    [
        ("en", ["LoRA Selection", "Parameter Choices", "Performance"]),
        ("es", ["Selección de LoRA", "Elección de parámetros", "Rendimiento"]),
    ],
)
def test_standard_has_its_three_sections(language, titles):
    assert re.findall(r"^## (.+)$", explain(worked_example(), language=language), re.M) == titles


def test_each_level_says_more_than_the_one_before():
    plan = worked_example()
    lengths = [len(explain(plan, level).splitlines()) for level in Verbosity]
    assert lengths == sorted(set(lengths)) and lengths[0] == 1


def test_detailed_tells_alternatives_with_scores_trade_offs_reading_and_tips():
    text = explain(worked_example(), Verbosity.DETAILED)
    for title in ("What Was Read", "Model", "Alternatives Considered", "Trade-offs", "Tips", "Prompt and Negative Prompt"):
        assert f"## {title}\n" in text
    assert "**flux_anime**" in text and "popularity" in text


def test_warnings_are_told_at_every_level():
    for level in Verbosity:
        assert "Lightning" in explain(manual(), level).split("## Warnings")[1]


def test_measured_values_stand_beside_the_expected_ones():
    text = explain(worked_example(), measured=Measured(45.2, 7 * GIB))
    assert "Measured: 45.2 s (expected 33 s)" in text and "Measured: 7.0 GiB" in text
    assert "Medido: 45.2 s" in explain(worked_example(), language="es", measured=Measured(45.2))


def test_a_key_of_a_newer_version_is_shown_as_it_is():
    plan = replace(worked_example(), warnings=(Reason("x", "warn.from_the_future", {"a": 1}),))
    assert "warn.from_the_future a=1" in explain(plan)


def test_names_cannot_break_out_of_their_line():
    plan = worked_example()
    stack = (
        replace(plan.loras[0], reasons=(Reason("lora:x", "lora.chosen.style", {"name": "a\n## b\n", "covers": "x" * 5000}),)),
    )
    text = explain(replace(plan, loras=stack))
    assert "\n## b" not in text and max(map(len, text.splitlines())) < 2000


# --------------------------------------------------------------------------- sentences


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_sentences_with_the_same_values():
    assert TEXTS["en"].keys() == TEXTS["es"].keys()
    assert not [key for key in TEXTS["en"] if fields(TEXTS["en"][key]) != fields(TEXTS["es"][key])]
    assert all(list(texts) == sorted(texts) for texts in TEXTS.values())


def test_errors_have_the_same_sentences_in_both_languages():
    errors = {
        language: json.loads((ROOT / "locales" / language / "errors.json").read_text("utf-8")) for language in ("en", "es")
    }
    assert errors["en"].keys() == errors["es"].keys()
    assert not [key for key in errors["en"] if fields(errors["en"][key]) != fields(errors["es"][key])]


def test_every_key_the_sources_use_has_a_sentence():
    families = "model|parts|vae|steps|cfg|guidance|sampler|scheduler|shift|clip_skip|batch|denoise|size|tiled_decode|weight_dtype|vram|time|warn|prompt|negative|loras|tradeoff|tip|title|label|summary|technical|measured"
    pattern = re.compile(rf'"((?:{families})\.[a-z_0-9]+)"')
    others = {"guide.py"}  # its sentences are its own, in guide.json
    sources = [
        ROOT / "pipeline.py",
        *(path for path in sorted((ROOT / "intelligence").glob("*.py")) if path.name not in others),
    ]
    used = {key for source in sources for key in pattern.findall(source.read_text("utf-8"))} - {"model.safetensors"}
    assert len(used) > 80 and not used - TEXTS["en"].keys()


REQUESTS = [
    {},
    {"priority": Priority.SPEED},
    {"priority": Priority.LOW_VRAM, "machine": gpu(2)},
    {"fixed": Fixed(batch=4, clip_skip=2, shift=2.0, guidance=2.0, cfg=1.0), "negative": "dogs", "has_image": True},
    {"constraints": Constraints(max_vram_bytes=GIB, max_seconds=1, max_pixels=9, max_steps=2, max_loras=0)},
    {
        "mode": Mode.MANUAL,
        "loras": (LoraUse("flux_anime", 4.0, 1.0),),
        "machine": gpu(12, samplers=("ddim",), schedulers=("beta",)),
    },
    {"text": "un retrato con <lora:nada:1>, (luz:1.3), score_9", "negative": "luz"},
]


@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize(
    "family", ["sdxl", "illustrious", "flux_dev", "flux2_klein", "z_image_turbo", "wan22", "lumina2", "qwen_image"]
)
def test_every_reason_is_a_sentence_in_both_languages(asked, family):
    plan = planned(files=(*complete_set(family), *LORAS), **asked)
    told = [*plan.reasons, *plan.warnings, *plan.analysis.reasons]
    told += [reason for choice in (*plan.loras, *plan.near_misses) for reason in choice.reasons]
    for language in ("en", "es"):
        for reason in told:
            sentence = render(reason, language)
            assert reason.key not in sentence and "{" not in sentence.replace("{{", ""), reason
        assert explain(plan, Verbosity.TECHNICAL, language)
