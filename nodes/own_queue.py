"""ComfyUI's own queue, from inside: prompts of ours put in, what waits in it, and what became of what ran."""

from __future__ import annotations

import asyncio
import inspect
import time
import uuid
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import BadRequest

PATIENCE_S = 60.0  # ComfyUI's event loop checks a prompt in milliseconds; something else may hold it

Nodes = Mapping[str, Mapping[str, Any]]


class Past(NamedTuple):
    """A prompt that ran: its nodes, and what ComfyUI said went wrong; empty where nothing did, ``None`` where someone
    stopped it."""

    nodes: Nodes
    error: str | None


class Entry(NamedTuple):
    """A prompt in ComfyUI's queue: its place, for whom it runs, and which outputs were asked for."""

    number: float
    nodes: Nodes
    extra: Mapping[str, Any]
    outputs: tuple[str, ...]
    secrets: Mapping[str, Any]


def enqueue(nodes: Nodes, extra_data: Mapping[str, Any] | None = None) -> str:
    """Queue a graph (API format) as ``POST /prompt`` would, for the browser of the prompt that runs; its id. To be called
    from any thread but the server's own. Raises ``BadRequest`` with ComfyUI's words where it refuses the graph."""
    from server import PromptServer

    return _enqueue(nodes, {**(extra_data or {}), "client_id": PromptServer.instance.client_id})


def enqueue_again(entry: Entry, nodes: Nodes) -> str:
    """Queue what ran as ``entry`` once more with other ``nodes``: for the same listener, before all that waits, and for the
    same outputs; its id. Threads and faults as with ``enqueue``."""
    return _enqueue(nodes, entry.extra, entry.number, entry.outputs, entry.secrets)


def _enqueue(nodes: Nodes, extra: Mapping[str, Any], *place: Any) -> str:
    from server import PromptServer

    server = PromptServer.instance
    return asyncio.run_coroutine_threadsafe(_put(server, dict(nodes), dict(extra), *place), server.loop).result(PATIENCE_S)


async def _put(
    server: Any,
    nodes: dict[str, Any],
    extra: dict[str, Any],
    number: float | None = None,
    wanted: Sequence[str] | None = None,
    secrets: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    from execution import validate_prompt  # type: ignore[import-not-found]

    prompt_id = str(uuid.uuid4())
    asked = server.trigger_on_prompt({"prompt": nodes, "prompt_id": prompt_id, "extra_data": extra})
    valid, fault, outputs, faults_by_node = await validate_prompt(prompt_id, asked["prompt"], wanted)
    if not valid:
        raise BadRequest("comfyui_refused", problem=_in_words(fault, faults_by_node))
    if number is None:
        number = server.number
        server.number += 1
    extra["create_time"] = int(time.time() * 1000)
    entry = (number, prompt_id, asked["prompt"], extra, outputs)
    older = _is_older(server.prompt_queue)
    server.prompt_queue.put((*entry[:3], {**extra, **secrets}, outputs) if older else (*entry, dict(secrets)))
    return prompt_id


def _is_older(queue: Any) -> bool:
    """Newer hosts keep secrets of a prompt in a sixth place, and clear it when the prompt is over."""
    return "process_item" not in inspect.signature(queue.task_done).parameters


def _in_words(fault: Mapping[str, Any], by_node: Mapping[str, Any]) -> str:
    said = [str(fault.get("message", ""))]
    for node in by_node.values():
        said += [f"{each.get('message', '')}: {each.get('details', '')}" for each in node.get("errors", [])]
    return "; ".join(part for part in said if part.strip(": "))


def running_id() -> str:
    """The id of the prompt in which the caller runs; empty outside a run."""
    from comfy_execution.utils import get_executing_context

    context = get_executing_context()
    return str(context.prompt_id) if context else ""


def running(prompt_id: str) -> Entry | None:
    """The prompt of this id, where it runs now."""
    from server import PromptServer

    entries, _ = PromptServer.instance.prompt_queue.get_current_queue_volatile()
    for number, found, nodes, extra, outputs, *secrets in entries:
        if found == prompt_id:
            return Entry(number, nodes, dict(extra), tuple(outputs), dict(*secrets))
    return None


def failure_of(prompt_id: str) -> Mapping[str, Any] | None:
    """The error that ended a prompt, as ComfyUI told it; ``None`` where it ended well, was stopped, or is forgotten."""
    from server import PromptServer

    kept = PromptServer.instance.prompt_queue.get_history(prompt_id=prompt_id, map_function=lambda entry: entry["status"])
    told = dict((kept.get(prompt_id) or {}).get("messages", ()))
    found: Mapping[str, Any] | None = told.get("execution_error")
    return found


def waiting() -> Iterator[Nodes]:
    """The graphs that run or wait now."""
    yield from (*running_now(), *queued_now())


def running_now() -> tuple[Nodes, ...]:
    """The graphs that run now: one, or none."""
    from server import PromptServer

    return tuple(entry[2] for entry in PromptServer.instance.prompt_queue.get_current_queue_volatile()[0])


def queued_now() -> tuple[Nodes, ...]:
    """The graphs that wait now."""
    from server import PromptServer

    return tuple(entry[2] for entry in PromptServer.instance.prompt_queue.get_current_queue_volatile()[1])


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


def tell(entry: Entry, event: str, data: Mapping[str, Any]) -> None:
    """A message to whoever queued ``entry``; nothing where nobody listens."""
    from server import PromptServer

    if client_id := entry.extra.get("client_id"):
        PromptServer.instance.send_sync(event, dict(data), client_id)


def start(work: Coroutine[Any, Any, None]) -> Future[None]:
    """Let something happen on the server's own event loop, beside the prompt that runs."""
    from server import PromptServer

    return asyncio.run_coroutine_threadsafe(work, PromptServer.instance.loop)
