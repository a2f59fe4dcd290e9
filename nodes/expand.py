"""From a plan to children of a node: the native graph, with a check behind every LoRA."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..errors import BadRequest
from ..graph import build
from ..graph.builder import Graph
from ..plan import Plan
from . import host, loaders, native_loaders, pooling
from .keep import KEEPER, MARK

Nodes = dict[str, dict[str, Any]]


def children(node_id: str, plan: Plan, seed: int, image: list[Any] | None) -> Graph:
    """The plan's graph as children of ``node_id``. Raises ``BadRequest`` when this ComfyUI lacks a node."""
    KEEPER.expect(node_id, repr(plan.models))
    graph = build(plan, seed, prefix=f"{node_id}{MARK}", image=image)
    refuse_unknown_nodes(graph.nodes, plan.family)
    pooling.expect([key for node in graph.nodes.values() if (key := _pool_key(node))])
    nodes = with_pool(with_checks(graph.nodes))
    return Graph(nodes, {name: behind_check(link, nodes) for name, link in graph.outputs.items()})


def graph_id(graph: Graph) -> str:
    """The same graph makes the same picture, hence the same id: 16 hex digits. What loads through the pool counts as the
    loader it stands for."""
    nodes = {name.split(MARK)[-1]: native_loaders.unwrapped(node) for name, node in graph.nodes.items()}
    return hashlib.sha256(json.dumps(nodes, sort_keys=True).encode()).hexdigest()[:16]


def refuse_unknown_nodes(nodes: Mapping[str, Mapping[str, Any]], family: str) -> None:
    known = host.node_classes()
    missing = sorted({node["class_type"] for node in nodes.values()} - known)
    if missing:
        raise BadRequest("host_too_old", family=family, nodes=", ".join(missing))


def with_pool(nodes: Nodes) -> Nodes:
    """The same with every loader of ComfyUI's own behind the pool: ids and outputs stay."""
    return {
        name: native_loaders.wrapped(node["class_type"], node["inputs"]) if _is_native(node) else node
        for name, node in nodes.items()
    }


def _is_native(node: Mapping[str, Any]) -> bool:
    return native_loaders.is_native(node["class_type"])


def _pool_key(node: Mapping[str, Any]) -> Any | None:
    known = native_loaders if _is_native(node) else loaders
    return known.key(node["class_type"], node["inputs"])


def with_checks(nodes: Mapping[str, Mapping[str, Any]]) -> Nodes:
    """Put a check between every LoRA loader and what uses its model: it counts the patches that took."""
    checks = {f"{name}_check": _check(name, node["inputs"]) for name, node in nodes.items() if _loads_lora(node)}
    checked: Nodes = {name: {**node, "inputs": _rewired(node["inputs"], checks)} for name, node in nodes.items()}
    for name, check in checks.items():
        before = {key: value for key, value in check["inputs"].items() if key.endswith("_before")}
        checked[name] = {**check, "inputs": {**check["inputs"], **_rewired(before, checks)}}
    return checked


def _loads_lora(node: Mapping[str, Any]) -> bool:
    return str(node["class_type"]).startswith("LoraLoader")


def _rewired(inputs: Mapping[str, Any], checks: Nodes) -> dict[str, Any]:
    return {key: behind_check(value, checks) for key, value in inputs.items()}


def behind_check(link: Any, checked: Nodes) -> Any:
    """The same output, taken after the check of its LoRA loader where there is one."""
    if isinstance(link, list) and f"{link[0]}_check" in checked:
        return [f"{link[0]}_check", link[1]]
    return link


def _check(loader: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    links = {"model": [loader, 0], "model_before": inputs["model"], "lora_name": inputs["lora_name"]}
    if "clip" in inputs:
        links |= {"clip": [loader, 1], "clip_before": inputs["clip"]}
    return {"class_type": "IIG_CheckLora", "inputs": links}
