"""ComfyUI's own queue, from inside: prompts of ours put in, what waits in it, and what became of what ran."""

from __future__ import annotations

import asyncio
import inspect
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import BadRequest

PATIENCE_S = 60.0  # ComfyUI's event loop checks a prompt in milliseconds; something else may hold it

Nodes = Mapping[str, Mapping[str, Any]]


class Past(NamedTuple):
    """A prompt that ran: its nodes, and what ComfyUI said went wrong; empty where nothing did, ``None`` where someone
    stopped it."""

    nodes: Nodes
    error: str | None


def enqueue(nodes: Nodes, extra_data: Mapping[str, Any] | None = None) -> str:
    """Queue a graph (API format) as ``POST /prompt`` would, for the browser of the prompt that runs; its id. To be called
    from any thread but the server's own. Raises ``BadRequest`` with ComfyUI's words where it refuses the graph."""
    from server import PromptServer

    server = PromptServer.instance
    return asyncio.run_coroutine_threadsafe(_put(server, dict(nodes), dict(extra_data or {})), server.loop).result(PATIENCE_S)


async def _put(server: Any, nodes: dict[str, Any], extra: dict[str, Any]) -> str:
    from execution import validate_prompt  # type: ignore[import-not-found]

    prompt_id = str(uuid.uuid4())
    asked = server.trigger_on_prompt({"prompt": nodes, "prompt_id": prompt_id, "extra_data": extra})
    valid, fault, outputs, faults_by_node = await validate_prompt(prompt_id, asked["prompt"], None)
    if not valid:
        raise BadRequest("comfyui_refused", problem=_in_words(fault, faults_by_node))
    number = server.number
    server.number += 1
    extra |= {"client_id": server.client_id, "create_time": int(time.time() * 1000)}
    entry = (number, prompt_id, asked["prompt"], extra, outputs)
    server.prompt_queue.put(entry if _is_older(server.prompt_queue) else (*entry, {}))
    return prompt_id


def _is_older(queue: Any) -> bool:
    """Newer hosts keep secrets of a prompt in a sixth place, and clear it when the prompt is over."""
    return "process_item" not in inspect.signature(queue.task_done).parameters


def _in_words(fault: Mapping[str, Any], by_node: Mapping[str, Any]) -> str:
    said = [str(fault.get("message", ""))]
    for node in by_node.values():
        said += [f"{each.get('message', '')}: {each.get('details', '')}" for each in node.get("errors", [])]
    return "; ".join(part for part in said if part.strip(": "))


def waiting() -> Iterator[Nodes]:
    """The graphs that run or wait now."""
    from server import PromptServer

    running, queued = PromptServer.instance.prompt_queue.get_current_queue_volatile()
    yield from (entry[2] for entry in [*running, *queued])


def past() -> Iterator[Past]:
    """The graphs that ran since ComfyUI started, oldest first, as far as it remembers them."""
    from server import PromptServer

    kept = PromptServer.instance.prompt_queue.get_history(map_function=lambda entry: (entry["prompt"][2], entry["status"]))
    yield from (Past(nodes, _error(status or {})) for nodes, status in kept.values())


def _error(status: Mapping[str, Any]) -> str | None:
    if status.get("status_str") != "error":
        return ""
    told = dict(status.get("messages", ()))
    if "execution_error" not in told:
        return None
    return str(told["execution_error"].get("exception_message", "")).strip() or "–"
