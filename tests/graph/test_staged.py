"""What a plan's memory puts into its graph."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pack.data.families import families
from pack.graph import build
from pack.plan import Models, Offload, Precision
from pack.tests.graph.cases import SEED, lora, plan_of

OURS = ("IIG_MemoryStrategy", "IIG_FreeMemory", "IIG_LoadCheckpoint", "IIG_LoadDiffusionModel")


def classes(plan) -> list[str]:
    return sorted(node["class_type"] for node in build(plan, SEED).nodes.values())


def samplers(nodes) -> list[dict]:
    return [node["inputs"] for node in nodes.values() if {"model", "positive", "negative"} <= node["inputs"].keys()]


@pytest.mark.parametrize("family", families())
def test_a_plan_that_fits_as_it_is_has_none_of_our_nodes(family):
    assert not set(OURS) & set(classes(plan_of(family)))


@pytest.mark.parametrize("family", families())
def test_every_model_that_samples_is_under_the_strategy(family):
    nodes = build(replace(plan_of(family), memory=Offload.BALANCED), SEED).nodes
    held = [nodes[inputs["model"][0]] for inputs in samplers(nodes)]
    assert held and all(node["class_type"] == "IIG_MemoryStrategy" for node in held)
    assert {node["inputs"]["strategy"] for node in held} == {"balanced"}


def test_everything_on_the_gpu_needs_a_node_only_where_it_is_asked_for():
    plan = plan_of("sdxl")
    assert "IIG_MemoryStrategy" not in classes(plan)
    asked = replace(plan, request=replace(plan.request, memory=Offload.NONE))
    assert [n["inputs"]["strategy"] for n in build(asked, SEED).nodes.values() if n["class_type"] == OURS[0]] == ["none"]


def test_one_stage_at_a_time_is_an_order_of_the_graph():
    graph = build(replace(plan_of("qwen_image"), memory=Offload.AGGRESSIVE), SEED)
    nodes = graph.nodes
    (sampler,) = samplers(nodes)
    border = nodes[sampler["positive"][0]]
    assert sampler["positive"][0] == sampler["negative"][0] and border["class_type"] == "IIG_FreeMemory"
    assert border["inputs"]["value"] == ["positive", 0] and border["inputs"]["also"] == ["negative", 0]
    assert nodes["diffusion_model"]["inputs"]["after"] == [sampler["positive"][0], 0]
    assert nodes[graph.outputs["image"][0]]["inputs"]["value"] == ["decode", 0]


def test_a_loader_never_waits_for_what_waits_for_it():
    """A LoRA on both halves ties text encoder and diffusion model together."""
    split = Models(None, "sd3.5.safetensors", ("clip_l.safetensors", "clip_g.safetensors"), "vae.safetensors")
    plan = replace(plan_of("sd35_large"), models=split, loras=(lora("a.safetensors"),), memory=Offload.AGGRESSIVE)
    assert families()["sd35_large"].lora_text_encoder
    graph = build(plan, SEED)
    assert "after" not in graph.nodes["diffusion_model"]["inputs"]
    assert acyclic(graph.nodes)


@pytest.mark.parametrize("family", families())
def test_graphs_of_every_family_stay_without_circles(family):
    for second in (None, "refiner.safetensors"):
        plan = plan_of(family)
        models = plan.models if plan.recipe != "checkpoint" else replace(plan.models, second=second)
        assert acyclic(build(replace(plan, models=models, memory=Offload.AGGRESSIVE), SEED).nodes)


def acyclic(nodes) -> bool:
    done: set[str] = set()
    while len(done) < len(nodes):
        ready = {
            name
            for name, node in nodes.items()
            if name not in done
            and all(v[0] in done or v[0] not in nodes for v in node["inputs"].values() if isinstance(v, list))
        }
        if not ready:
            return False
        done |= ready
    return True


@pytest.mark.parametrize("dtype", Precision)
def test_native_loaders_where_they_can(dtype):
    whole, split = plan_of("sdxl"), plan_of("qwen_image")
    loaded = classes(replace(whole, models=replace(whole.models, weight_dtype=dtype)))
    assert ("CheckpointLoaderSimple" in loaded) is (dtype is Precision.DEFAULT)
    loaded = classes(replace(split, models=replace(split.models, weight_dtype=dtype)))
    assert ("UNETLoader" in loaded) is (dtype is Precision.DEFAULT)


def test_text_encoders_on_the_cpu():
    whole, split = plan_of("sdxl"), plan_of("qwen_image")
    nodes = build(replace(whole, models=replace(whole.models, encoder_on_cpu=True)), SEED).nodes
    assert nodes["checkpoint"]["inputs"]["encoder_device"] == "cpu"
    nodes = build(replace(split, models=replace(split.models, encoder_on_cpu=True)), SEED).nodes
    assert nodes["text_encoder"]["inputs"]["device"] == "cpu"
