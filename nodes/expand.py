"""From a plan to children of a node: the native graph, with a check behind every LoRA."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..errors import BadRequest
from ..graph import build
from ..graph.builder import Graph
from ..plan import Plan
from . import host
from .keep import KEEPER, MARK

Nodes = dict[str, dict[str, Any]]


def children(node_id: str, plan: Plan, seed: int, image: list[Any] | None) -> Graph:
    """The plan's graph as children of ``node_id``. Raises ``BadRequest`` when this ComfyUI lacks a node."""
    KEEPER.expect(node_id, repr(plan.models))
    graph = build(plan, seed, prefix=f"{node_id}{MARK}", image=image)
    refuse_unknown_nodes(graph.nodes, plan.family)
    return Graph(with_checks(graph.nodes), graph.outputs)


def graph_id(graph: Graph) -> str:
    """The same graph makes the same picture, hence the same id: 16 hex digits."""
    nodes = {name.split(MARK)[-1]: node["inputs"] for name, node in graph.nodes.items()}
    return hashlib.sha256(json.dumps(nodes, sort_keys=True).encode()).hexdigest()[:16]


def refuse_unknown_nodes(nodes: Nodes, family: str) -> None:
    known = host.node_classes()
    missing = sorted({node["class_type"] for node in nodes.values()} - known)
    if missing:
        raise BadRequest("host_too_old", family=family, nodes=", ".join(missing))


def with_checks(nodes: Nodes) -> Nodes:
    """Put a check between every LoRA loader and what uses its model: it counts the patches that took."""
    loaders = {name: node for name, node in nodes.items() if node["class_type"].startswith("LoraLoader")}
    checked: Nodes = {}
    for name, node in nodes.items():
        inputs = {key: _behind_check(value, loaders) for key, value in node["inputs"].items()}
        checked[name] = {**node, "inputs": inputs}
    for name, node in loaders.items():
        checked[f"{name}_check"] = _check(name, checked[name]["inputs"], has_clip="clip" in node["inputs"])
    return checked


def _behind_check(value: Any, loaders: Nodes) -> Any:
    if isinstance(value, list) and value[0] in loaders:
        return [f"{value[0]}_check", value[1]]
    return value


def _check(loader: str, inputs: dict[str, Any], has_clip: bool) -> dict[str, Any]:
    links = {"model": [loader, 0], "model_before": inputs["model"], "lora_name": inputs["lora_name"]}
    if has_clip:
        links |= {"clip": [loader, 1], "clip_before": inputs["clip"]}
    return {"class_type": "IIG_CheckLora", "inputs": links}
