"""Out of memory: the children of an Auto Pipeline fail outside it, so the prompt is watched from beside. One that ended so
is queued once more with the next cheaper plan."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BadRequest
from ..intelligence.explain import render
from ..intelligence.out_of_memory import is_out_of_memory, stage_of
from ..intelligence.relief import WARNING, relieve, was_relieved
from ..plan import Plan, Reason
from ..routes import RETRIED
from ..values import to_json
from . import batch_queue, own_queue, runs
from .host import data_folder, log

if TYPE_CHECKING:
    from ..choices import Stage
    from ..intelligence.revise import Place
    from .answering import Asked

EACH_S = 0.25  # between two looks at a prompt that runs
MOST_OUTCOMES = 64


class Note(NamedTuple):
    """What an Auto Pipeline expanded to."""

    plan: Plan
    seed: int


class Outcome(NamedTuple):
    """What followed when memory ran out; ``retry_id`` is empty where nothing is tried again."""

    retry_id: str
    sentence: str


@dataclass
class Watched:
    """A prompt that runs. A node that expanded several times (lists of inputs) has no single plan: ``None``."""

    entry: own_queue.Entry
    notes: dict[str, Note | None] = field(default_factory=dict)


_lock = threading.Lock()
_watched: dict[str, Watched] = {}
_outcomes: OrderedDict[str, Outcome] = OrderedDict()


def watch(node_id: str, plan: Plan, seed: int) -> None:
    """Look after the prompt that runs, in which this node now makes this plan."""
    prompt_id = own_queue.running_id()
    entry = own_queue.running(prompt_id)
    if entry is None:
        return
    with _lock:
        is_new = prompt_id not in _watched
        notes = _watched.setdefault(prompt_id, Watched(entry)).notes
        notes[node_id] = None if node_id in notes else Note(plan, seed)
    if is_new:
        own_queue.start(_until_over(prompt_id)).add_done_callback(_complain)


async def _until_over(prompt_id: str) -> None:
    while own_queue.running(prompt_id) is not None:
        await asyncio.sleep(EACH_S)
    await asyncio.to_thread(_over, prompt_id)


def _complain(done: Future[None]) -> None:
    if not done.cancelled() and (fault := done.exception()):
        log.error("%s", fault, exc_info=fault)


def _over(prompt_id: str) -> None:
    watched = _watched[prompt_id]
    try:
        failed = _failed(prompt_id, watched)
        if failed is not None:
            _keep(prompt_id, _try_again(prompt_id, failed, watched.entry))
    finally:
        with _lock:
            del _watched[prompt_id]


def _failed(prompt_id: str, watched: Watched) -> tuple[str, Note, Stage | None] | None:
    """The Auto Pipeline in which memory ran out, what it was making, and the stage where that tells itself."""
    error = own_queue.failure_of(prompt_id) or {}
    note = watched.notes.get(str(error.get("node_id")))
    ran_out = is_out_of_memory(str(error.get("exception_type", "")), str(error.get("exception_message", "")))
    return (str(error["node_id"]), note, stage_of(error.get("traceback") or ())) if note and ran_out else None


def _try_again(prompt_id: str, failed: tuple[str, Note, Stage | None], entry: own_queue.Entry) -> Outcome | None:
    node_id, note, stage = failed
    runs.overflowed(note.plan)
    if not _is_wished():
        return None
    outcome = _queued(node_id, note, stage, entry)
    log.warning("%s", outcome.sentence)
    told = {"prompt_id": prompt_id, "retry_id": outcome.retry_id, "node": node_id, "sentence": outcome.sentence}
    own_queue.tell(entry, RETRIED, told)
    return outcome


def _is_wished() -> bool:
    from ..memory.options import read_options

    return read_options(data_folder()).retry


def _queued(node_id: str, note: Note, stage: Stage | None, entry: own_queue.Entry) -> Outcome:
    language = note.plan.request.language
    if was_relieved(note.plan):
        return Outcome("", render(Reason("memory", "overflow.again"), language))
    plan = relieve(note.plan, _place(), stage)
    if plan is None:
        return Outcome("", render(Reason("memory", "overflow.nothing_left"), language))
    nodes = _with_plan(entry.nodes, node_id, plan, note.seed)
    try:
        retry_id = own_queue.enqueue_again(entry, nodes)
    except BadRequest as fault:
        return Outcome("", str(fault.in_language(language)))
    batch_queue.show_again(nodes)
    said = next(warning for warning in plan.warnings if warning.key == WARNING)
    return Outcome(retry_id, render(said, language))


def _place() -> Place:
    from ..intelligence.revise import Place
    from .batches import seen

    return Place(*seen())


def _with_plan(nodes: own_queue.Nodes, node_id: str, plan: Plan, seed: int) -> dict[str, Any]:
    """The graph with this plan and this seed in one of its Auto Pipelines, whatever was linked there."""
    node = nodes[node_id]
    inputs = {name: value for name, value in node["inputs"].items() if name != "plan"}
    return {**nodes, node_id: {**node, "inputs": {**inputs, "accepted_plan": to_json(plan), "seed": seed}}}


def _keep(prompt_id: str, outcome: Outcome | None) -> None:
    if outcome is None:
        return
    with _lock:
        _outcomes[prompt_id] = outcome
        while len(_outcomes) > MOST_OUTCOMES:
            _outcomes.popitem(last=False)


def retry(asked: Asked) -> dict[str, Any]:
    """``?id=<prompt id>`` → the prompt that was queued in the place of one that ran out of memory ("" = none) and what was
    said of it; ``pending`` while that is not decided."""
    prompt_id = asked.text("id")
    with _lock:
        outcome = _outcomes.get(prompt_id, Outcome("", ""))
        pending = prompt_id in _watched
    return {"retry_id": outcome.retry_id, "sentence": outcome.sentence, "pending": pending}
