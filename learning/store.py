"""What was made, what people thought of it and what that adds up to, in one database; it decides nothing: ``Rules`` do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..feedback import Event, Glimpse, Overview, Recorded, Rules, Session, Tally
from . import asking, carrying, insights, tallying, telling
from .opening import PATIENCE_S, Database
from .usage import Usage, usage

DAY_S = 86_400


class Store:
    """Opened with the first question. ``where`` is a SQLite file or a database's address (``postgresql://…``); any number
    of threads, processes and machines may share it. Every method raises ``Unreachable`` where the database does not answer
    within ``patience_s`` seconds, is full or read-only, and ``UserError`` where a newer version of this pack made it."""

    def __init__(self, where: Path | str, rules: Rules, patience_s: float = PATIENCE_S) -> None:
        self.database = Database(where, patience_s)
        self.rules = rules

    @property
    def address(self) -> str:
        """Where it lies, without a password."""
        return self.database.shown

    @property
    def notes(self) -> list[UserError]:
        """What a person should know, such as a damaged file that was set aside."""
        return self.database.notes

    def close(self) -> None:
        self.database.close()

    # ----------------------------------------------------------------------- in

    def tell(self, event: Event) -> bool:
        """Write an event down with the sums it changes; ``False`` when it, or the same picture, was told before. Raises
        ``BadRequest`` for a generation nobody told of."""
        return self.database.write(lambda connection: telling.tell(connection, self.rules, event))

    def import_lines(self, lines: Iterable[str]) -> tuple[int, int, list[int]]:
        """Tell what ``export`` wrote. How many events were new, how many known, and the numbers of the lines, from 1, that
        are no events, or of a generation that came in no line before."""
        told = [self._tell_all(some) for some in carrying.parsed(lines)]
        return sum(some[0] for some in told), sum(some[1] for some in told), [line for some in told for line in some[2]]

    def _tell_all(self, some: list[carrying.Numbered]) -> tuple[int, int, list[int]]:
        return self.database.write(lambda connection: carrying.tell_all(connection, self.rules, some))

    # ----------------------------------------------------------------------- what it adds up to

    def version(self) -> int:
        """Changes with whatever a person says; not with what is merely made or read off."""
        return self.database.read(lambda connection: tallying.value(connection, "version"))

    def tallies(self, contexts: Sequence[str]) -> list[Tally]:
        """All evidence in these contexts that still counts for anything, as it counts now."""
        return self.database.read(lambda connection: asking.tallies_in(connection, self.rules.half_life, contexts))

    def tallies_of(self, kinds: str | Sequence[str] = (), contexts: Sequence[str] | None = None) -> list[Tally]:
        """All evidence of these kinds (none = all) in these contexts (``None`` = anywhere and by style)."""
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        return self.database.read(lambda connection: asking.tallies_of(connection, self.rules.half_life, kinds, contexts))

    def overview(self, session: str = "") -> Overview:
        """All in all, or in one session."""
        return self.database.read(
            lambda connection: insights.overview_of(connection, session) if session else insights.overview(connection)
        )

    # ----------------------------------------------------------------------- what was made

    def find(self, generation_id: str) -> Recorded | None:
        return self.database.read(lambda connection: asking.find(connection, generation_id))

    def recent(self, limit: int, before: str | None = None) -> list[Recorded]:
        """Generations in the order they came, newest first, 1,000 at most; ``before`` is the id of the last one seen."""
        return self.database.read(lambda connection: asking.recent(connection, limit, before))

    def latest(self, machine: str, limit: int = 20) -> list[Glimpse]:
        """The machine's latest generations, newest first."""
        return self.database.read(lambda connection: asking.latest(connection, machine, limit))

    def session(self, id: str) -> Session | None:
        return self.database.read(lambda connection: asking.session(connection, id))

    def runs(self, machine: str, limit: int = 500) -> list[asking.Run]:
        """The machine's latest timed runs, newest first: (workload, seconds, steps, family, peak bytes or ``None``,
        estimated bytes)."""
        return self.database.read(lambda connection: asking.measured(connection, machine, limit))

    def usage(self, known: Usage) -> Usage:
        """How often each model was used; counts on from what is ``known``."""
        return self.database.read(lambda connection: usage(connection, known))

    # ----------------------------------------------------------------------- out

    def export(self, write: Callable[[str], Any]) -> None:
        """Every event as one line of JSON without its end, in the order they came."""
        self.database.read(lambda connection: carrying.export(connection, write))

    def keep(self, days: float, now: float | None = None) -> int:
        """Drop generations older than ``days`` before ``now`` (seconds since the epoch; ``None`` = by the clock), with
        all that was said of them, and batches; what was learned stays. How many were dropped."""
        oldest = (time.time() if now is None else now) - days * DAY_S
        return self.database.write(lambda connection: carrying.drop_older(connection, oldest))

    def erase(self) -> None:
        """Everything, from the file itself too."""
        self.database.write(carrying.erase)
        self.database.shrink()
