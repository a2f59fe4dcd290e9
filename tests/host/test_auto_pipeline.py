"""The main promise: a prompt becomes a picture, the same one that native nodes would make."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Host, Picture
from .native import native_graph


def test_the_picture_follows_the_prompt(host: Host) -> None:
    red = host.picture(host.auto(prompt="a red fox", checkpoint="toy_sd15.safetensors", steps=8))
    blue = host.picture(host.auto(prompt="a blue fox", checkpoint="toy_sd15.safetensors", steps=8))
    assert red.mean()[0] > red.mean()[2] + 60
    assert blue.mean()[2] > blue.mean()[0] + 60
    assert red.plan.family == "sd15"
    assert "Steps: 8" in red.texts["parameters"]
    assert red.texts["explanation"].startswith(("Selected", "No LoRA selected"))


@pytest.mark.parametrize(
    ("checkpoint", "prompt"),
    [
        ("toy_sd15.safetensors", "a red cat, watercolor painting"),
        ("toy_sdxl.safetensors", "a blue house at night"),
        ("toy_sdxl_v.safetensors", "a green forest"),
        ("toy_sd3.safetensors", "a red rose"),
        ("toy_flux.safetensors", "a red rose"),
    ],
)
def test_bit_identical_to_the_hand_made_native_graph(host: Host, checkpoint: str, prompt: str) -> None:
    if checkpoint == "toy_flux.safetensors" and host.version < (0, 33):
        pytest.skip("this host hard-codes Flux sizes that no toy has")
    made = host.picture(host.auto(prompt=prompt, checkpoint=checkpoint, seed=7))
    native = Picture(host.client.image(host.client.run(native_graph(made.plan, seed=7)).images()[0]))
    assert made.pixels == native.pixels
    assert len(set(made.pixels)) > 8, "a flat picture would prove nothing"


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
    from .conftest import AUTO, auto_graph

    def run(padding: str, seed: int) -> Any:
        graph = auto_graph(checkpoint="toy_sd15.safetensors", seed=seed)
        graph["9"] = {"class_type": "StringTrim", "inputs": {"string": f"a navy boat{padding}", "mode": "Both"}}
        graph[AUTO]["inputs"]["prompt"] = ["9", 0]
        return host.client.run(graph)

    run("", 1)
    again = run("  ", 2)
    assert "9" in again.executed, "the upstream node must really run again"
    assert set(executed_children(again)) == ONLY_SAMPLING
