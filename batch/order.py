"""What the server decides about batches: it makes them, for the files that variations need lie there, and keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..api import ask_server
from ..feedback import Batch, Strategy
from ..plan import Plan, Request
from ..routes import BATCHES_PATH
from ..values import from_json, to_json


def order_batch(
    server: str,
    wanted: Plan | Request,
    strategy: Strategy | str,
    count: int,
    *,
    seed: int = 0,
    max_seconds: float | None = None,
    axes: Sequence[str] = (),
) -> Batch:
    """Have the server make a batch, or find the one that it made of the same before, with what became of its items.
    Raises ``BadRequest`` and ``Unreachable``."""
    kind = "plan" if isinstance(wanted, Plan) else "request"
    asked = {"strategy": strategy, "count": count, "seed": seed, "max_seconds": max_seconds, "axes": list(axes)}
    order = {kind: json.loads(to_json(wanted)), **asked}
    return from_json(Batch, ask_server(server, BATCHES_PATH, json.dumps(order)))


def pick_winner(server: str, batch_id: str, place: int) -> Batch:
    """Say which item of a batch is the best. Raises ``BadRequest`` and ``Unreachable``."""
    return from_json(Batch, ask_server(server, f"{BATCHES_PATH}/pick", json.dumps({"id": batch_id, "place": place})))
