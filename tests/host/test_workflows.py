"""Every workflow the pack ships runs as it is, and says the same as the whole."""

from __future__ import annotations

import json
from typing import Any

from .conftest import ROOT, Host


def shipped(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((ROOT / "workflows" / "api" / name).read_text(encoding="utf-8"))
    return graph


def test_separate_nodes_make_the_picture_of_the_whole(host: Host) -> None:
    apart = shipped("separate_nodes.json")
    whole = shipped("auto_pipeline.json")
    apart["1"]["inputs"]["value"] = whole["1"]["inputs"]["prompt"] = "a red fox in the snow, watercolor"
    small = {"width": 64, "height": 64}
    apart["7"]["inputs"] |= small
    whole["1"]["inputs"] |= {**small, "checkpoint": "toy_sd15.safetensors"}
    apart["3"] = {"class_type": "PrimitiveString", "inputs": {"value": "toy_sd15.safetensors"}}
    apart["4"]["inputs"]["ckpt_name"] = "toy_sd15.safetensors"
    assert host.picture(host.client.run(apart)).pixels == host.picture(host.client.run(whole)).pixels


def test_memory_by_hand_makes_the_picture_of_native_nodes(host: Host) -> None:
    ours = shipped("memory.json")
    ours["1"]["inputs"] |= {"ckpt_name": "toy_sd15.safetensors"}
    ours["5"]["inputs"] |= {"width": 64, "height": 64}
    ours["6"]["inputs"]["steps"] = 4
    native = {**ours, "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "toy_sd15.safetensors"}}}
    native["6"] = {**ours["6"], "inputs": {**ours["6"]["inputs"], "model": ["1", 0]}}
    native["9"] = {**ours["9"], "inputs": {**ours["9"]["inputs"], "images": ["7", 0]}}
    for bypassed in ("2", "8"):
        del native[bypassed]
    run = host.client.run(ours)
    assert host.picture(run).pixels == host.picture(host.client.run(native)).pixels
    assert "RAM" in run.outputs["8"]["text"][0]


def test_chosen_names_plug_into_native_loaders(host: Host) -> None:
    graph = shipped("separate_nodes.json")
    graph["3"]["inputs"]["prompt"] = ["1", 0]
    graph["7"]["inputs"] |= {"width": 64, "height": 64, "priority": "speed"}
    made = host.picture(host.client.run(graph))
    assert made.plan.models.checkpoint
    assert made.image.size == (64, 64)


def test_a_lora_that_changes_nothing_stops_the_run_with_a_sentence(host: Host) -> None:
    import pytest
    from pack.errors import BadRequest

    graph = shipped("separate_nodes.json")
    graph["4"]["inputs"]["ckpt_name"] = "toy_sdxl.safetensors"
    graph["3"] = {"class_type": "PrimitiveString", "inputs": {"value": "toy_sd15.safetensors"}}
    graph["7"]["inputs"] |= {"width": 64, "height": 64}
    with pytest.raises(BadRequest, match="applied 0 of"):
        host.client.run(graph)
