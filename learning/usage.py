"""How often each model was used: counted on from what was counted before, so that asking again costs next to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, select

from .tables import generation_loras, generations


@dataclass(frozen=True)
class Usage:
    """Generations by the name of what made them: LoRAs, and checkpoints or diffusion models. ``first`` and ``last`` are
    the records it was counted over."""

    first: int = 0
    last: int = 0
    loras: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, int] = field(default_factory=dict)


def usage(connection: Connection, known: Usage) -> Usage:
    """``known`` with what came since; counted anew where old records were dropped meanwhile."""
    first, last = connection.execute(select(func.min(generations.c.seq), func.max(generations.c.seq))).one()
    if last is None:
        return Usage()
    if first != known.first or last < known.last:
        known = Usage(first)
    if last == known.last:
        return known
    loras = connection.execute(_counted(generation_loras.c.name, generation_loras.c.generation, known.last, last)).all()
    models = connection.execute(_counted(generations.c.checkpoint, generations.c.seq, known.last, last)).all()
    return Usage(first, last, _added(known.loras, loras), _added(known.models, models))


def _counted(name: Any, seq: Any, after: int, to: int) -> Select[Any]:
    return select(name, func.count()).where(seq > after, seq <= to).group_by(name)


def _added(known: Mapping[str, int], rows: Any) -> dict[str, int]:
    counts = dict(known)
    for name, count in rows:
        counts[name] = counts.get(name, 0) + count
    return counts
