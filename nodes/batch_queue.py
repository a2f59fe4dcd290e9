"""Batches on this ComfyUI: every picture a prompt of its own in the queue, so that one that fails harms no other, and
what is missing can be queued again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import BadRequest, UserError
from ..feedback import MOST_ID, Batch, Item, ItemState
from ..plan import Generation
from . import host, own_queue
from .own_queue import Nodes
from .recall import history, marked

AUTO, SAVE, SHEET, SHEET_FILE = "iig_batch", "iig_batch_save", "iig_batch_sheet", "iig_batch_sheet_save"
MOST_ERROR = 500  # characters
_queueing = threading.Lock()  # a node and a request may go on with the same batch at once


def record(text: str, generation: Generation, pictures: Sequence[str]) -> None:
    """Note that an item's picture is saved. What goes wrong never harms the picture."""
    if (item := marked(text)) is None:
        if text.strip():
            host.log.warning("%r names no item of a batch", text[:MOST_ID])
        return
    try:
        history().batches.done(*item, generation.id, tuple(pictures), history().machine)
    except UserError as fault:
        host.log.warning("%s", fault)


def go_on(batch: Batch, filename_prefix: str, followers: Nodes | None = None, pnginfo: Any = None) -> list[str]:
    """Queue what is neither done nor queued, and behind it the sheet (``followers``, or one of its own; ``pnginfo`` is what
    its file carries); the ids of the prompts. An item that ComfyUI refuses is recorded as failed."""
    with _queueing:
        queued = [prompt for item in _missing(batch) if (prompt := _queue(batch, item, filename_prefix))]
        if queued:
            last = followers or sheet_graph(batch, filename_prefix)
            queued.append(own_queue.enqueue(last, {"extra_pnginfo": pnginfo or {}}))
    return queued


def _missing(batch: Batch) -> list[Item]:
    waiting = set(_places_in(own_queue.waiting(), batch.id))
    return [item for item in batch.items if item.state is not ItemState.DONE and item.place not in waiting]


def _queue(batch: Batch, item: Item, filename_prefix: str) -> str | None:
    try:
        return own_queue.enqueue(prompt_of(batch, item, filename_prefix), {"extra_pnginfo": {}})
    except BadRequest as fault:
        history().batches.failed(batch.id, item.place, str(fault)[:MOST_ERROR], history().machine)
        return None


def prompt_of(batch: Batch, item: Item, filename_prefix: str) -> dict[str, Any]:
    """The item's prompt, under names that no node of a canvas has: the browser would show its picture there."""
    from ..batch.make import graph_of
    from ..local import MODEL_NODE, SAVE_NODE

    graph = graph_of(batch.id, item, filename_prefix)
    auto, save = graph[MODEL_NODE], graph[SAVE_NODE]
    links = {name: [AUTO, value[1]] for name, value in save["inputs"].items() if isinstance(value, list)}
    return {AUTO: auto, SAVE: {**save, "inputs": {**save["inputs"], **links}}}


def sheet_graph(batch: Batch, filename_prefix: str) -> dict[str, Any]:
    """A Contact Sheet of the batch, saved beside its pictures."""
    language = batch.items[0].variation.plan.request.language if batch.items else "auto"
    inputs = {"batch": batch.id, "order": "stated", "columns": 0, "language": language}
    saving = {"images": [SHEET, 0], "filename_prefix": f"{filename_prefix}_sheet"}
    return {
        SHEET: {"class_type": "IIG_ContactSheet", "inputs": inputs},
        SHEET_FILE: {"class_type": "SaveImage", "inputs": saving},
    }


def followers(nodes: Nodes, node_id: str, outputs: Sequence[Any]) -> dict[str, Any]:
    """What hangs on the outputs of ``node_id``, as a graph that can run without it: its ``outputs`` filled in."""
    behind: set[str] = set()
    while more := {name for name, node in nodes.items() if name not in behind and _sources(node) & (behind | {node_id})}:
        behind |= more
    wanted = set(behind)
    while more := {name for each in wanted for name in _sources(nodes[each])} - wanted - {node_id}:
        wanted |= more
    return {name: _filled(nodes[name], node_id, outputs) for name in wanted}


def _sources(node: Mapping[str, Any]) -> set[str]:
    return {str(value[0]) for value in node["inputs"].values() if _is_link(value)}


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)


def _filled(node: Mapping[str, Any], node_id: str, outputs: Sequence[Any]) -> dict[str, Any]:
    inputs = {
        name: outputs[value[1]] if _is_link(value) and str(value[0]) == node_id else value
        for name, value in node["inputs"].items()
    }
    return {**node, "inputs": inputs}


def show_again(nodes: Nodes) -> None:
    """Queue a batch's sheet once more where one of its items (``nodes``) was queued again and the sheet is already over, or
    running: it would lack that picture."""
    batches = {item[0] for item in _marks_in(nodes)}
    running = own_queue.running_now()
    for batch_id in batches:
        if not any(_shows(graph, batch_id) for graph in own_queue.queued_now()):
            gone = [graph for graph in (*(past.nodes for past in own_queue.past()), *running) if _shows(graph, batch_id)]
            if gone:
                own_queue.enqueue(gone[-1], {"extra_pnginfo": {}})


def _shows(nodes: Nodes, batch_id: str) -> bool:
    return any(
        node.get("class_type") == "IIG_ContactSheet" and node["inputs"].get("batch") == batch_id for node in nodes.values()
    )


# --------------------------------------------------------------------------- what became of it


def settled(batch: Batch) -> Batch:
    """The batch with the failures that ComfyUI remembers recorded: who failed, and is neither done nor queued again."""
    known = history().batches
    failures = _failures(batch.id)
    for item in _missing(batch):
        if error := failures.get(item.place):
            known.failed(batch.id, item.place, error[:MOST_ERROR], history().machine)
    return known.find(batch.id) or batch


def _failures(batch_id: str) -> dict[int, str]:
    """What ComfyUI said when an item's last run failed, by place."""
    return {place: past.error or "" for past in own_queue.past() for place in _places_in([past.nodes], batch_id)}


def _places_in(graphs: Iterator[Nodes] | Sequence[Nodes], batch_id: str) -> Iterator[int]:
    yield from (place for nodes in graphs for batch, place in _marks_in(nodes) if batch == batch_id)


def _marks_in(nodes: Nodes) -> Iterator[tuple[str, int]]:
    """Batch and place of the items that a graph saves."""
    for node in nodes.values():
        item = marked(str(node["inputs"].get("batch", ""))) if node.get("class_type") == "IIG_SaveImage" else None
        if item:
            yield item


def is_queued(batch_id: str) -> bool:
    """Whether any item of it runs or waits now."""
    return next(_places_in(own_queue.waiting(), batch_id), None) is not None
