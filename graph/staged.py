"""How a plan's models share the memory, as nodes of its graph: a shared workflow carries it. A plan that leaves this to
ComfyUI has none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plan import Offload, Plan
from .builder import Builder, Graph, Link

_STRATEGY, _BORDER, _LOADER = "IIG_MemoryStrategy", "IIG_FreeMemory", "IIG_LoadDiffusionModel"
_SAMPLES = ("model", "positive", "negative")


def staged(outputs: dict[str, Link], plan: Plan, nodes: Builder) -> Graph:
    """The graph with a strategy on every model that samples and, where only one stage at a time may take memory, a border
    between the stages. What ComfyUI does by itself needs no node: that is so with a plan that fits as it is."""
    asked = plan.request.memory is Offload.NONE
    if plan.memory is Offload.NONE and not asked:
        return Graph(nodes.nodes, outputs)
    _hold(nodes, plan.memory)
    if plan.memory is Offload.AGGRESSIVE:
        _border(nodes)
        return Graph(nodes.nodes, {**outputs, "image": _left(nodes, outputs["image"])})
    return Graph(nodes.nodes, outputs)


def _hold(nodes: Builder, offload: Offload) -> None:
    for second, sampler in enumerate(_samplers(nodes)):
        inputs, name = nodes.nodes[sampler]["inputs"], "second_memory" if second else "memory"
        inputs["model"] = nodes.add(name, _STRATEGY, model=inputs["model"], strategy=offload.value).out()


def _border(nodes: Builder) -> None:
    """Text is encoded, then its encoders leave, then the diffusion model comes: from the disk, too, where it has a file of
    its own and no LoRA ties it to the encoders."""
    for second, sampler in enumerate(_samplers(nodes)):
        inputs, name = nodes.nodes[sampler]["inputs"], "second_border" if second else "border"
        border = nodes.add(name, _BORDER, value=inputs["positive"], also=inputs["negative"], what="models")
        inputs |= {"positive": border.out(0), "negative": border.out(1)}
        _load_after(nodes, inputs["model"], border.out(0))


def _left(nodes: Builder, image: Link) -> Link:
    return nodes.add("after_decode", _BORDER, value=image, what="models").out()


def _load_after(nodes: Builder, model: Link, border: Link) -> None:
    for loader in _upstream(nodes.nodes, model):
        node = nodes.nodes[loader]
        if node["class_type"] in ("UNETLoader", _LOADER) and loader not in _upstream(nodes.nodes, border):
            inputs = {key: node["inputs"][key] for key in ("unet_name", "weight_dtype")}
            nodes.nodes[loader] = {"class_type": _LOADER, "inputs": {**inputs, "after": list(border)}}


def _samplers(nodes: Builder) -> list[str]:
    return [node_id for node_id, node in nodes.nodes.items() if all(name in node["inputs"] for name in _SAMPLES)]


def _upstream(nodes: Mapping[str, Mapping[str, Any]], link: Link) -> set[str]:
    found: set[str] = set()
    waiting = [link[0]]
    while waiting:
        node_id = waiting.pop()
        if node_id in found or node_id not in nodes:
            continue
        found.add(node_id)
        waiting += [value[0] for value in nodes[node_id]["inputs"].values() if isinstance(value, list) and len(value) == 2]
    return found
