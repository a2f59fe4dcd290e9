"""A plan's graph as a person would lay it out: named nodes in columns, framed by what they are for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import sentence
from .builder import Graph, Link

OUTSIDE = "outside"
"""The id by which the graph names the node that a picture to start from comes from: it is no node of its own."""

GROUPS = ("models", "loras", "prompt", "sampling", "output")  # from left to right
_GROUP_OF = {
    "CLIPTextEncode": "prompt",
    "CLIPSetLastLayer": "prompt",
    "ConditioningZeroOut": "prompt",
    "FluxGuidance": "prompt",
    "VAEDecode": "output",
    "VAEDecodeTiled": "output",
    "IIG_LoadCheckpoint": "models",
    "IIG_LoadDiffusionModel": "models",
}
_AGAIN = ("second_", "refiner_")  # of ids that name the same thing for the second model


@dataclass(frozen=True)
class Placed:
    """One node and its place: ``column`` and ``row`` count from 0, no two nodes share both. ``inputs`` as in a graph."""

    id: str
    class_type: str
    title: str
    inputs: Mapping[str, Any]
    group: str
    column: int
    row: int


def unfolded(graph: Graph, language: str = "en") -> tuple[Placed, ...]:
    """Every node with its title and its place. Each group has columns of its own, in the order of ``GROUPS``; in a group
    nodes stand right of what they take from, LoRAs below one another."""
    columns = _columns(graph)
    rows: dict[int, int] = {}
    placed = []
    for node_id, node in graph.nodes.items():
        column = columns[node_id]
        row = rows[column] = rows.get(column, -1) + 1
        title = _title(node_id, node["inputs"], language)
        placed.append(Placed(node_id, node["class_type"], title, node["inputs"], _group(node_id, node), column, row))
    return tuple(placed)


def told(graph: Graph, language: str = "en") -> dict[str, Any]:
    """The same as JSON values, with groups by title and the links worth going on from by name."""
    placed = unfolded(graph, language)
    members = {group: [node.id for node in placed if node.group == group] for group in GROUPS}
    return {
        "nodes": [{**vars(node), "inputs": dict(node.inputs)} for node in placed],
        "groups": [{"title": _word(f"group.{group}", language), "nodes": ids} for group, ids in members.items() if ids],
        "outputs": {name: list(link) for name, link in graph.outputs.items()},
        "image": list(graph.outputs["image"]),
    }


def _columns(graph: Graph) -> dict[str, int]:
    found: dict[str, int] = {}
    first = 0
    for group in GROUPS:
        members = {node_id: node for node_id, node in graph.nodes.items() if _group(node_id, node) == group}
        depths = {node_id: 0 if group == "loras" else _depth(node_id, members) for node_id in members}
        found |= {node_id: first + depth for node_id, depth in depths.items()}
        first += max(depths.values(), default=-1) + 1
    return found


def _depth(node_id: str, members: Mapping[str, Mapping[str, Any]]) -> int:
    """How many members of the group stand before this one."""
    before = [_depth(source, members) for source, _ in _links(members[node_id]) if source in members]
    return max(before, default=-1) + 1


def _links(node: Mapping[str, Any]) -> Iterator[Link]:
    yield from (value for value in node["inputs"].values() if isinstance(value, list) and len(value) == 2)


def _group(node_id: str, node: Mapping[str, Any]) -> str:
    class_type = node["class_type"]
    if class_type.startswith("LoraLoader"):
        return "loras"
    if class_type in _GROUP_OF:
        return _GROUP_OF[class_type]
    if node_id == "after_decode":
        return "output"
    return "models" if "Loader" in class_type else "sampling"


def _title(node_id: str, inputs: Mapping[str, Any], language: str) -> str:
    if "lora_name" in inputs:
        return "LoRA: " + str(inputs["lora_name"]).replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    again = next((prefix for prefix in _AGAIN if node_id.startswith(prefix)), "")
    word = _word(f"node.{node_id.removeprefix(again)}", language)
    return _word("again", language, title=word) if again else word


def _word(key: str, language: str, **values: object) -> str:
    return sentence("unfolded", key, language, values)
