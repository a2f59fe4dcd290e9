"""Memory strategies on real hosts: the same picture, and every setting of ComfyUI's as it was, whatever happens."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pack.client import Client
from pack.errors import UserError
from pack.serve import serving

from .conftest import DEVICE_ARGUMENTS, ROOT, Picture, environ_of, hosts

STRATEGIES = ["none", "balanced", "aggressive", "auto"]
ENCODER, DENOISER = "SD1ClipModel", "BaseModel"


@pytest.fixture(scope="module", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def probed(request: pytest.FixtureRequest, toy_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A host that also has the probe."""
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    home = tmp_path_factory.mktemp("home")
    (home / "custom_nodes").mkdir()
    shutil.copy(Path(__file__).parent / "probe.py", home / "custom_nodes" / "probe.py")
    arguments, environ = [*DEVICE_ARGUMENTS, "--disable-api-nodes"], environ_of(request.param)
    with serving(request.param, pack=ROOT, models=toy_models, home=home, arguments=arguments, environ=environ) as server:
        yield Client(server.url)


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def graph(strategy: str | None, seed: int = 1, steps: int = 2, place: str = "", action: str = "") -> dict[str, Any]:
    """Text to image, with the strategy and the probe on the model."""
    model = ["strategy", 0] if strategy else ["load", 0]
    made = {
        "load": node("CheckpointLoaderSimple", ckpt_name="toy_sd15.safetensors"),
        "probe": node("ProbeModel", model=model, place=place, action=action),
        "positive": node("ProbeEncode", clip=["load", 1], text="a red fox", action=action if place == "encode" else ""),
        "negative": node("CLIPTextEncode", clip=["load", 1], text="blue"),
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sampler": node(
            "KSampler",
            model=["probe", 0],
            positive=["positive", 0],
            negative=["negative", 0],
            latent_image=["latent", 0],
            seed=seed,
            steps=steps,
            cfg=4.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
        "decode": node("ProbeDecode", samples=["sampler", 0], vae=["load", 2], action=action if place == "decode" else ""),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="strategy"),
    }
    if strategy:
        made["strategy"] = node("IIG_MemoryStrategy", model=["load", 0], strategy=strategy)
    return made


def pixels(client: Client, made: dict[str, Any]) -> bytes:
    return Picture(client.image(client.run(made).images()[0])).pixels


def probe(client: Client) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """How things stand now, and how they stood when each place was last seen."""
    told = client.get("/iig_probe")
    return told["now"], {each["place"]: each for each in told["seen"]}


def settings(seen: dict[str, Any]) -> tuple[Any, ...]:
    return seen["vram_state"], seen["reserve"], seen["hooks"]


def test_the_picture_is_the_same_with_every_strategy(probed: Client) -> None:
    plain = pixels(probed, graph(None, seed=3, steps=4))
    assert len(set(plain)) > 8, "a flat picture would prove nothing"
    for strategy in STRATEGIES:
        assert pixels(probed, graph(strategy, seed=3, steps=4)) == plain, strategy
        assert pixels(probed, graph(strategy, seed=4, steps=4)) != plain


def test_none_asks_for_the_whole_model_and_lets_everything_stay(probed: Client) -> None:
    usual, _ = probe(probed)
    pixels(probed, graph("none", seed=11))
    now, seen = probe(probed)
    assert seen["load"]["vram_state"] == seen["sample"]["vram_state"] == "HIGH_VRAM" != usual["vram_state"]
    assert seen["load"]["reserve"] == usual["reserve"]
    assert settings(now) == settings(usual)


def fresh(client: Client) -> None:
    """All models leave, so that what a test sees was loaded by it."""
    client.run({"free": node("IIG_FreeMemory", what="models")})
    assert probe(client)[0]["models"] == []


def test_balanced_sends_away_what_does_not_sample(probed: Client) -> None:
    fresh(probed)
    usual, _ = probe(probed)
    unheld = graph(None, seed=21)
    unheld["positive"]["inputs"]["text"] = "a green fox"
    pixels(probed, unheld)
    _, seen = probe(probed)
    assert ENCODER in seen["sample"]["models"], "by itself this host would have kept it"
    held = graph("balanced", seed=22)
    held["positive"]["inputs"]["text"] = "a yellow fox"
    pixels(probed, held)
    now, seen = probe(probed)
    assert ENCODER not in seen["load"]["models"] and seen["load"]["models"] == [DENOISER]
    assert settings(seen["load"])[:2] == settings(usual)[:2]
    assert DENOISER in now["models"] and settings(now) == settings(usual)


def test_aggressive_keeps_more_free_and_leaves_when_it_is_over(probed: Client) -> None:
    fresh(probed)
    usual, _ = probe(probed)
    held = graph("aggressive", seed=31)
    held["positive"]["inputs"]["text"] = "an orange fox"
    pixels(probed, held)
    now, seen = probe(probed)
    assert seen["sample"]["reserve"] > usual["reserve"] + 500e6
    assert ENCODER not in seen["sample"]["models"]
    assert DENOISER not in seen["decode"]["models"], "sampling is over"
    assert settings(now) == settings(usual)


def test_balanced_keeps_the_controlnet_of_its_conditioning(probed: Client, toy_models: Path) -> None:
    name = next(path.name for path in sorted((toy_models / "controlnet").glob("*control*")))
    for seed in (41, 42):  # the second time it is there already, and must stay
        made = graph("balanced", seed=seed)
        made["hint"] = node("EmptyImage", width=64, height=64, batch_size=1, color=0xFF0000)
        made["control"] = node("ControlNetLoader", control_net_name=name)
        links = {"positive": ["positive", 0], "negative": ["negative", 0], "control_net": ["control", 0], "image": ["hint", 0]}
        made["applied"] = node("ControlNetApplyAdvanced", **links, strength=1.0, start_percent=0.0, end_percent=1.0)
        made["sampler"]["inputs"] |= {"positive": ["applied", 0], "negative": ["applied", 1]}
        pixels(probed, made)
        _, seen = probe(probed)
    assert any("Control" in model for model in seen["load"]["models"]), seen["load"]["models"]


STAGES = [("load", "interrupt"), ("encode", "interrupt"), ("sample", "interrupt"), ("decode", "interrupt")]
ERRORS = [("load", "error"), ("sample", "error")]


@pytest.mark.parametrize(
    ("strategy", "place", "action"),
    [
        *((strategy, *stage) for strategy in ("none", "aggressive") for stage in (*STAGES, *ERRORS)),
        *((strategy, *ERRORS[1]) for strategy in ("balanced", "auto")),
    ],
)
def test_nothing_is_left_behind(probed: Client, strategy: str, place: str, action: str) -> None:
    usual, _ = probe(probed)
    with pytest.raises(UserError):
        probed.run(graph(strategy, seed=51, place=place, action=action))
    now, seen = probe(probed)
    assert settings(now) == settings(usual)
    if place in ("load", "sample") and strategy in ("none", "aggressive"):
        assert settings(seen[place]) != settings(usual), "it was in force there"


def test_a_stop_spoils_no_later_picture(probed: Client) -> None:
    plain = pixels(probed, graph(None, seed=55))
    for strategy in ("none", "aggressive"):
        with pytest.raises(UserError):
            probed.run(graph(strategy, seed=54, place="sample", action="interrupt"))
        assert pixels(probed, graph(strategy, seed=55)) == plain


def test_the_last_strategy_on_a_model_counts(probed: Client) -> None:
    usual, _ = probe(probed)
    made = graph("none", seed=61)
    made["second"] = node("IIG_MemoryStrategy", model=["strategy", 0], strategy="balanced")
    made["probe"]["inputs"]["model"] = ["second", 0]
    pixels(probed, made)
    now, seen = probe(probed)
    assert seen["load"]["vram_state"] == usual["vram_state"]
    assert now["wrappers"].count("partial(") == 1


def test_an_unknown_strategy_is_refused(probed: Client) -> None:
    with pytest.raises(UserError, match="balanced"):
        probed.run(graph("turbo"))


def test_free_memory_passes_on_and_tells(probed: Client) -> None:
    plain = pixels(probed, graph(None, seed=71))
    made = graph(None, seed=71)
    made["border"] = node("IIG_FreeMemory", value=["positive", 0], also=["negative", 0], what="models")
    made["sampler"]["inputs"] |= {"positive": ["border", 0], "negative": ["border", 1]}
    assert pixels(probed, made) == plain
    seen = probe(probed)[1]
    assert ENCODER not in seen["load"]["models"]


def test_free_memory_alone_runs_each_time(probed: Client) -> None:
    load = node("IIG_Pooled", loader="VAELoader", inputs='{"vae_name": "toy_vae_sd15.safetensors"}')
    probed.run({"load": load, "see": node("PreviewAny", source=["load", 0])})
    assert probed.get("/intelligent_generation/memory")["pool"]["entries"]
    for what in ("models", "models", "pool"):
        run = probed.run({"free": node("IIG_FreeMemory", what=what)})
        assert "free" in run.executed
    assert probed.get("/intelligent_generation/memory")["pool"]["entries"] == []
