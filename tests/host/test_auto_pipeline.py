"""The main promise: a prompt becomes a picture, the same one that native nodes would make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pack.data.families import families
from pack.intelligence.analyze import analyze
from pack.plan import Models, Plan, Priority, Request, Settings
from pack.values import to_json

from .conftest import AUTO, Host, Picture, auto_graph
from .native import native_graph


def test_the_picture_follows_the_prompt(host: Host) -> None:
    red = host.picture(host.auto(prompt="a red fox", checkpoint="toy_sd15.safetensors", steps=8))
    blue = host.picture(host.auto(prompt="a blue fox", checkpoint="toy_sd15.safetensors", steps=8))
    assert red.mean()[0] > red.mean()[2] + 60
    assert blue.mean()[2] > blue.mean()[0] + 60
    assert red.plan.family == "sd15"
    assert "Steps: 8" in red.texts["parameters"]
    assert red.texts["explanation"].startswith(("Selected", "No LoRA selected"))


def split(family: str, model: str, encoders: tuple[str, ...], vae: str, steps: int = 4, **settings: Any) -> Plan:
    """A plan for a model in parts, edited by hand: the toys' text encoders are not the ones a planner would take."""
    row = families()[family]
    sampler, scheduler = row.samplers[Priority.BALANCED]
    values: dict[str, Any] = {"cfg": 4.0, "width": 64, "height": 64, **settings}
    models = Models(None, model, encoders, vae, clip_type="sd3")
    chosen = Settings(steps=steps, sampler=sampler, scheduler=scheduler, **values)
    return Plan(Request("a red rose"), analyze("a red rose"), family, row.recipe, models, chosen, "a red rose", "blue")


@pytest.mark.parametrize(
    ("checkpoint", "prompt"),
    [
        ("toy_sd15.safetensors", "a red cat, watercolor painting"),
        ("toy_sdxl.safetensors", "a blue house at night"),
        ("toy_sdxl_v.safetensors", "a green forest"),
    ],
)
def test_bit_identical_to_the_hand_made_native_graph(host: Host, checkpoint: str, prompt: str) -> None:
    made = host.picture(host.auto(prompt=prompt, checkpoint=checkpoint, seed=7))
    assert_identical(host, made, seed=7)


def test_bit_identical_with_a_model_in_parts(host: Host) -> None:
    plan = split("sd35_medium", "toy_sd3.safetensors", ("toy_clip_l.safetensors",), "toy_vae_sd3.safetensors")
    made = host.picture(host.auto(accepted_plan=to_json(plan), seed=7))
    assert replace(made.plan, sources=()) == plan
    loaded = {"toy_sd3.safetensors", "toy_clip_l.safetensors", "toy_vae_sd3.safetensors"}
    assert {source.name for source in made.plan.sources} == loaded, "what it loads is told with it"
    assert_identical(host, made, seed=7)


def test_bit_identical_with_distilled_guidance_and_zeroed_negative(host: Host) -> None:
    if host.version < (0, 33):
        pytest.skip("this host hard-codes Flux sizes that no toy has")
    encoders = ("toy_clip_l.safetensors", "toy_clip_l_b.safetensors")
    plan = split("flux_dev", "toy_flux.safetensors", encoders, "toy_vae_flux.safetensors", cfg=1.0, guidance=3.5)
    assert_identical(host, host.picture(host.auto(accepted_plan=to_json(plan), seed=7)), seed=7)


def test_bit_identical_with_v_prediction_set_by_the_family(host: Host) -> None:
    plan = host.picture(host.auto(prompt="a red rose", checkpoint="toy_sdxl.safetensors")).plan
    plan = replace(plan, family="noobai_v")
    assert_identical(host, host.picture(host.auto(accepted_plan=to_json(plan), seed=7)), seed=7)


def test_bit_identical_from_an_init_image(host: Host) -> None:
    source = host.auto(prompt="a red cat", checkpoint="toy_sd15.safetensors")
    name = host.upload(host.client.image(source.images()[0]), "start.png")
    graph = auto_graph(prompt="a blue cat", checkpoint="toy_sd15.safetensors", seed=7, denoise=0.6)
    graph["8"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    graph[AUTO]["inputs"]["image"] = ["8", 0]
    made = host.picture(host.client.run(graph))
    assert made.plan.settings.denoise == 0.6
    assert_identical(host, made, seed=7, image=name)


def test_an_init_image_keeps_its_shape(host: Host) -> None:
    source = host.auto(prompt="a red cat", checkpoint="toy_sd15.safetensors", width=128, height=64)
    name = host.upload(host.client.image(source.images()[0]), "wide.png")
    graph = auto_graph(prompt="a blue cat", checkpoint="toy_sd15.safetensors", width=0, height=0, max_megapixels=0.04)
    graph["8"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    graph[AUTO]["inputs"]["image"] = ["8", 0]
    width, height = host.picture(host.client.run(graph)).image.size
    assert abs(width / height - 2) < 0.15


def assert_identical(host: Host, made: Picture, seed: int, image: str | None = None) -> None:
    native = Picture(host.client.image(host.client.run(native_graph(made.plan, seed, image)).images()[0]))
    assert made.pixels == native.pixels
    assert len(set(made.pixels)) > 8, "a flat picture would prove nothing"


def test_what_explain_plan_shows_is_accepted_as_a_plan(host: Host) -> None:
    made = host.picture(host.auto(prompt="a red cat, watercolor painting", checkpoint="toy_sd15.safetensors", seed=3))
    again = host.picture(host.auto(prompt="something else", accepted_plan=made.texts["intelligent_generation"], seed=3))
    assert again.pixels == made.pixels


def test_loras_are_counted_and_told(host: Host) -> None:
    made = host.picture(host.auto(prompt="a red cat, watercolor painting", checkpoint="toy_sd15.safetensors", seed=11))
    counted = [(choice.matched_keys, choice.total_keys) for choice in made.plan.loras]
    assert counted == [(1, 1)]
    assert "Applied 1 of 1 modules." in made.texts["explanation"]


def executed_children(run: Any) -> list[str]:
    return [node.rsplit(".", 1)[-1] for node in run.executed if ".iig." in node]


ONLY_SAMPLING = {"sampler", "decode"}


def test_a_new_seed_runs_only_sampler_and_decode(host: Host) -> None:
    prompt = {"prompt": "a crimson boat, watercolor painting", "checkpoint": "toy_sd15.safetensors"}
    assert not set(executed_children(host.auto(**prompt, seed=1))) <= ONLY_SAMPLING
    assert set(executed_children(host.auto(**prompt, seed=2))) == ONLY_SAMPLING


def test_an_unchanged_run_in_between_loses_nothing(host: Host) -> None:
    prompt = {"prompt": "an olive boat, watercolor painting", "checkpoint": "toy_sd15.safetensors"}
    host.auto(**prompt, seed=1)
    assert executed_children(host.auto(**prompt, seed=1)) == []
    assert set(executed_children(host.auto(**prompt, seed=2))) == ONLY_SAMPLING


def test_an_upstream_node_that_ran_again_loses_nothing(host: Host) -> None:
    def run(padding: str, seed: int) -> Any:
        graph = auto_graph(checkpoint="toy_sd15.safetensors", seed=seed)
        graph["9"] = {"class_type": "StringTrim", "inputs": {"string": f"a navy boat{padding}", "mode": "Both"}}
        graph[AUTO]["inputs"]["prompt"] = ["9", 0]
        return host.client.run(graph)

    run("", 1)
    again = run("  ", 2)
    assert "9" in again.executed, "the upstream node must really run again"
    assert set(executed_children(again)) == ONLY_SAMPLING


def test_freeing_memory_again_and_again_ends_no_worker(host: Host) -> None:
    """What is kept is let go of while ComfyUI unloads in another thread."""
    for seed in range(3):
        host.auto(prompt="a cat", checkpoint="toy_sd15", steps=1, seed=seed)
        host.client.post("/free", {"unload_models": True, "free_memory": True})
    run = host.auto(prompt="a cat", checkpoint="toy_sd15", steps=1, seed=9)
    assert run.images() and any("ckpt" in node or "checkpoint" in node for node in run.executed)
