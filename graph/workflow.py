"""A native graph as a workflow for ComfyUI's canvas: LiteGraph JSON, version 0.4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..data import table
from .builder import Graph, Link

_WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
# Pixels of the canvas, after LiteGraph's own slot height of 20 and title height of 30.
_WIDTH, _GAP, _SLOT, _TITLE, _TEXT, _PREVIEW = 320, 60, 24, 40, 140, 220


def to_workflow(graph: Graph, host: str | None = None) -> dict[str, Any]:
    """The graph laid out left to right in columns. ``host`` is a version of ``native_nodes.json``, else
    each node is described by the newest one that has it. Raises ``KeyError`` for a class none of them has."""
    columns = _columns(graph)
    numbers = {node_id: number for number, node_id in enumerate(columns, start=1)}
    links = _links(graph, numbers, host)
    places = _places(graph, columns, host)
    nodes = [_node(graph, node_id, numbers[node_id], links, places[node_id], host) for node_id in numbers]
    return {
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def description(class_type: str, host: str | None = None) -> Mapping[str, Any]:
    """Inputs and outputs of a native node, as this host (or the newest that has it) lists them."""
    hosts = table("native_nodes")
    names = [host] if host else sorted(hosts, key=lambda name: [int(part) for part in name.split(".")], reverse=True)
    found: Mapping[str, Any] = next(hosts[name][class_type] for name in names if class_type in hosts[name])
    return found


def is_widget(field: Mapping[str, Any]) -> bool:
    """Whether the canvas shows this input as a widget instead of a socket."""
    return field["type"] in _WIDGETS


def _sockets(class_type: str, host: str | None) -> list[Mapping[str, Any]]:
    return [field for field in description(class_type, host)["inputs"] if not is_widget(field)]


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2


def _columns(graph: Graph) -> dict[str, int]:
    """Column of each node, sources first, ordered by column."""
    found: dict[str, int] = {}

    def column(node_id: str) -> int:
        if node_id not in found:
            values = graph.nodes[node_id]["inputs"].values()
            before = [column(value[0]) for value in values if _is_link(value) and value[0] in graph.nodes]
            found[node_id] = max(before, default=-1) + 1
        return found[node_id]

    for node_id in graph.nodes:
        column(node_id)
    return dict(sorted(found.items(), key=lambda entry: entry[1]))


def _links(graph: Graph, numbers: Mapping[str, int], host: str | None) -> list[list[Any]]:
    links: list[list[Any]] = []
    for node_id, number in numbers.items():
        node = graph.nodes[node_id]
        for slot, field in enumerate(_sockets(node["class_type"], host)):
            source: Link | None = node["inputs"].get(field["name"])
            if source and source[0] in numbers:
                links.append([len(links) + 1, numbers[source[0]], source[1], number, slot, field["type"]])
    return links


def _places(graph: Graph, columns: Mapping[str, int], host: str | None) -> dict[str, tuple[list[int], list[int]]]:
    """Position and size of each node."""
    bottoms: dict[int, int] = {}
    places = {}
    for node_id, column in columns.items():
        height = _height(graph.nodes[node_id]["class_type"], host)
        top = bottoms.get(column, 0)
        places[node_id] = ([column * (_WIDTH + _GAP), top], [_WIDTH, height])
        bottoms[column] = top + height + _GAP
    return places


def _height(class_type: str, host: str | None) -> int:
    shape = description(class_type, host)
    sockets = max(len(_sockets(class_type, host)), len(shape["outputs"]))
    widgets = [field for field in shape["inputs"] if is_widget(field)]
    extra = sum(1 for field in widgets if field.get("control") or field.get("upload"))
    tall = sum(_TEXT for field in widgets if field.get("multiline")) + sum(_PREVIEW for field in widgets if field.get("upload"))
    return _TITLE + _SLOT * (sockets + len(widgets) + extra) + tall


def _node(
    graph: Graph, node_id: str, number: int, links: list[list[Any]], place: tuple[list[int], list[int]], host: str | None
) -> dict[str, Any]:
    node = graph.nodes[node_id]
    class_type = node["class_type"]
    incoming = {link[4]: link[0] for link in links if link[3] == number}
    return {
        "id": number,
        "type": class_type,
        "pos": place[0],
        "size": place[1],
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [
            {"name": field["name"], "type": field["type"], "link": incoming.get(slot)}
            for slot, field in enumerate(_sockets(class_type, host))
        ],
        "outputs": list(_outputs(class_type, number, links, host)),
        "title": _title(node_id, node["inputs"]),
        "properties": {"Node name for S&R": class_type, "plan_node": node_id},
        "widgets_values": list(_widget_values(class_type, node["inputs"], host)),
    }


def _outputs(class_type: str, number: int, links: list[list[Any]], host: str | None) -> Iterator[dict[str, Any]]:
    for slot, output in enumerate(description(class_type, host)["outputs"]):
        outgoing = [link[0] for link in links if link[1:3] == [number, slot]]
        yield {"name": output["name"], "type": output["type"], "links": outgoing or None, "slot_index": slot}


def _widget_values(class_type: str, inputs: Mapping[str, Any], host: str | None) -> Iterator[Any]:
    for field in description(class_type, host)["inputs"]:
        if is_widget(field):
            yield inputs.get(field["name"], field.get("default"))
            if field.get("control"):
                yield "fixed"
            if field.get("upload"):
                yield "image"


def _title(node_id: str, inputs: Mapping[str, Any]) -> str:
    if lora := str(inputs.get("lora_name", "")):
        return "LoRA " + lora.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    words = node_id.rsplit(".", 1)[-1].replace("_", " ")
    return words[:1].upper() + words[1:]
