"""REST routes of batches: made, queued, looked at, gone on with, and the winner picked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..feedback import Batch, ItemState, Strategy
from ..plan import Plan, Request
from ..values import clean, from_json, to_json
from . import batch_queue, host
from .answering import Asked, Raw, unreadable
from .batches import batch_called, started
from .recall import history

MOST_RECENT = 100
PREFIX = "IIG_batch"


@dataclass(frozen=True)
class Order:
    """A batch to make: of a plan, or of the plan for a request. With ``queue`` its pictures are queued here, too."""

    plan: Plan | None = None
    request: Request | None = None
    strategy: Strategy = Strategy.SEED
    count: int = 4
    seed: int = 0
    max_seconds: float | None = None
    axes: tuple[str, ...] = ()
    queue: bool = False
    filename_prefix: str = PREFIX


def batches(asked: Asked) -> Raw | dict[str, Any]:
    """With an ``id`` the batch, what ComfyUI remembers of failures included; without one the latest briefly."""
    if batch_id := asked.text("id", ""):
        return _told(batch_queue.settled(batch_called(batch_id)))
    found = history().batches.recent(asked.number("limit", 20, 1, MOST_RECENT))
    return {"batches": [brief(batch, asked.language) for batch in found]}


def order(asked: Asked) -> Raw:
    """Make a batch, or find the one that was made of the same before."""
    wanted = from_json(Order, asked.raw)
    batch = started(_plan(wanted), wanted.strategy, wanted.count, wanted.seed, wanted.max_seconds, wanted.axes)
    if wanted.queue:
        batch_queue.go_on(batch, wanted.filename_prefix)
    return _told(batch_queue.settled(batch))


def _plan(wanted: Order) -> Plan:
    from .planning import plan_for

    if wanted.plan is not None:
        return wanted.plan
    if wanted.request is None:
        raise unreadable("plan, request: one of them is needed")
    request = wanted.request
    return plan_for(replace(request, prompt=clean(request.prompt), language=host.language(request.language)))


def resume(asked: Asked) -> dict[str, Any]:
    """Queue what is neither done nor queued."""
    batch = batch_called(asked.text("id"))
    return {"id": batch.id, "queued": batch_queue.go_on(batch, asked.text("filename_prefix", PREFIX))}


def pick(asked: Asked) -> Raw:
    """The winner of a batch; that is feedback, too."""
    batch_id, place = asked.text("id"), asked.given.get("place")
    if isinstance(place, bool) or not isinstance(place, int):
        raise unreadable("place: a number is needed")
    return _told(history().pick(batch_id, place))


def brief(batch: Batch, language: str) -> dict[str, Any]:
    """A batch as JSON values, without its plans; ``said`` is what varies, and why there are fewer than asked for."""
    from ..intelligence.explain import render

    states = [item.state for item in batch.items]
    told = {name: getattr(batch, name) for name in ("id", "prompt", "at", "seconds", "winner")}
    counts = {state.value: states.count(state) for state in ItemState}
    said = [render(reason, language) for reason in batch.reasons]
    return {**told, "strategy": batch.strategy.value, "count": len(states), **counts, "said": said}


def _told(batch: Batch) -> Raw:
    return Raw(to_json(batch).encode("utf-8"), "application/json")
