"""What was made here, what the person thought of it, and the taste that follows: the store of events and the rules of
learning seen together. A store that cannot be reached loses nothing and stops nobody: events wait in a file."""

from __future__ import annotations

import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from .errors import BadRequest, UserError
from .feedback import (
    MOST_ID,
    Acted,
    Action,
    Batch,
    Change,
    Event,
    Fact,
    Finished,
    Forgot,
    Made,
    Overview,
    Rated,
    Rating,
    Recorded,
    Relation,
    Tally,
)
from .intelligence.evidence import contexts_of, rules
from .intelligence.following import changes_between, relate
from .intelligence.learn import taste_of
from .learning.batches import Batches
from .learning.journal import Journal
from .learning.options import DATABASE, FILE, Options, change_options, read_options
from .learning.store import Store
from .plan import Analysis, Generation, Measured, Mode, Plan, Taste

RETRY_S = 20.0  # a database that did not answer is left alone for so long
PATIENCE_S = 5.0  # a run waits no longer for others that write; the journal takes it then
TIDY_EVERY_S = 6 * 3600.0
MOST_TASTES = 16  # of the latest prompts; each holds for one version
LATEST = 40  # generations among which the next one may find what it follows from

T = TypeVar("T")


class History:
    """One data folder's history. Every method may be called from any thread."""

    def __init__(self, folder: Path, machine: str = "", clock: Callable[[], float] = time.time) -> None:
        self.folder, self.machine, self._clock = folder, machine or platform.node(), clock
        self.journal = Journal(folder)
        self._opening = threading.Lock()
        self._following = threading.Lock()
        self._options: tuple[int, Options] | None = None
        self._store: Store | None = None
        self._trouble: UserError | None = None
        self._retry_at = 0.0
        self._tastes: dict[tuple[int, float, str, tuple[str, ...]], Taste] = {}
        self._tidy_at = 0.0

    # ----------------------------------------------------------------------- settings

    @property
    def options(self) -> Options:
        """What the person set, here or from another process. Raises ``BadRequest`` where the file cannot be read."""
        written = _written(self.folder / FILE)
        if self._options is None or self._options[0] != written:
            self._options = written, read_options(self.folder)
        return self._options[1]

    def change_options(self, changes: Mapping[str, Any]) -> Options:
        """Raises ``BadRequest`` for what does not exist or does not fit; then nothing changes."""
        changed = change_options(self.folder, changes)
        with self._opening:
            self._store, self._trouble, self._retry_at, self._tastes = None, None, 0.0, {}
            self.__dict__.pop("batches", None)
        return changed

    @property
    def address(self) -> str:
        """Where the database lies, without a password."""
        return str(getattr(self._store, "address", "")) or ("" if self.options.database else str(self.folder / DATABASE))

    # ----------------------------------------------------------------------- the store

    def store(self) -> Store:
        """The database, opened at first use; what waited in the journal is told to it first. Raises ``UserError`` where
        it cannot be used; it is not asked again for some seconds then."""
        with self._opening:
            if self._store is None:
                self._store = self._opened()
            self._catch_up(self._store)
            return self._store

    def _opened(self) -> Store:
        if self._trouble is not None and time.monotonic() < self._retry_at:
            raise self._trouble
        try:
            return Store(self.options.database or self.folder / DATABASE, rules(), PATIENCE_S)
        except UserError as fault:
            self._rest(fault)
            raise

    def _rest(self, fault: UserError) -> None:
        self._store, self._trouble, self._retry_at = None, fault, time.monotonic() + RETRY_S
        self.__dict__.pop("batches", None)

    def _catch_up(self, store: Store) -> None:
        if self.journal.waiting:
            try:
                self.journal.replay(store)
            except UserError as fault:
                self._rest(fault)
                raise
        if self.options.keep_days and time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_EVERY_S
            store.keep(self.options.keep_days)

    def _ask(self, act: Callable[[Store], T]) -> T:
        """Raises ``UserError`` where the database does not answer."""
        store = self.store()
        try:
            return act(store)
        except BadRequest:
            raise
        except UserError as fault:
            with self._opening:
                self._rest(fault)
            raise

    def _tell(self, fact: Fact) -> bool:
        """Whether the database has it now; else it waits in the journal. Raises ``BadRequest`` for what no database
        would take, and ``UserError`` where not even the journal can be written."""
        event = Event(uuid.uuid4().hex, self._clock(), self.machine, fact)
        if self.options.log:
            self.journal.append(event)
        try:
            self._ask(lambda store: store.tell(event))
        except BadRequest:
            raise
        except UserError as fault:
            if not self.journal.postpone(event):
                raise UserError("learning_lost", problem=str(fault)) from fault
            return False
        return True

    def notes(self) -> list[UserError]:
        """What a person should know: a damaged file that was set aside, a database that does not answer."""
        noted = list(self._store.notes) if self._store is not None else []
        return [*noted, *([self._trouble] if self._trouble is not None else [])]

    # ----------------------------------------------------------------------- what is made

    def began(self, generation: Generation, proposed: Plan | None = None, batch: str = "", place: int = 0) -> bool:
        """Record that a picture is being made; ``proposed`` is what the pack would have done by itself. Items of a
        batch are no re-rolls of each other."""
        if not (self.options.enabled and generation.plan.request.learning):
            return False
        changes = changes_between(proposed, generation.plan) if proposed is not None else ()
        with self._following:
            made = self._made(generation, changes, batch, place)
            if made.changes:
                self._tastes = {}  # the next plan knows of it; what is tried stays as it is until something is said
            return self._tell(made)

    def _made(self, generation: Generation, changes: tuple[Change, ...], batch: str, place: int) -> Made:
        try:
            glimpses = self._ask(lambda store: store.latest(self.machine, LATEST))
        except UserError:
            glimpses = []
        followed = relate(generation.plan, self._clock(), glimpses)
        for generation_id, action in followed.implied if not batch else ():
            self._tell(Acted(generation_id, action))
        session, lineage = followed.session or uuid.uuid4().hex, followed.lineage or uuid.uuid4().hex
        relation = followed.relation
        if relation is Relation.REROLL:
            differs = self._differs(followed.parent, generation.plan)
            relation, changes = (Relation.CHANGE, changes) if differs else (relation, ())  # told when they were made
        return Made(generation, session, lineage, relation, followed.parent, changes, batch, place)

    def _differs(self, parent: str, plan: Plan) -> bool:
        """Whether settings or LoRAs are others than its parent's: then it is no mere re-roll of it."""
        try:
            before = self._ask(lambda store: store.find(parent))
        except UserError:
            return False
        return before is not None and bool(changes_between(before.made.generation.plan, plan))

    def finished(
        self, generation: Generation, measured: Measured | None = None, pictures: Sequence[str] = (), workload: str = ""
    ) -> bool:
        """Record that its picture arrived, and under which names."""
        if not (self.options.enabled and generation.plan.request.learning):
            return False
        seconds, peak_bytes = (measured.seconds, measured.peak_bytes) if measured else (None, None)
        return self._tell(Finished(generation.id, seconds, peak_bytes, tuple(pictures), workload if measured else ""))

    # ----------------------------------------------------------------------- what people think of it

    def rate(self, generation_id: str, rating: Rating | None) -> bool:
        """Store a rating, or take it back. False: the database is out of reach, so it waits. Raises ``BadRequest`` for a
        generation nobody knows, and where learning is switched off."""
        self._refuse_when_off()
        return self._tell(Rated(_id(generation_id), rating))

    def act(self, generation_id: str, action: Action, undone: bool = False) -> bool:
        """Store what was done with a picture, or that it was undone; as ``rate``."""
        self._refuse_when_off()
        return self._tell(Acted(_id(generation_id), action, undone))

    def _refuse_when_off(self) -> None:
        if not self.options.enabled:
            raise BadRequest("learning_off")

    def knows(self, generation: Generation) -> None:
        """Make a generation known that was made elsewhere, or before learning began: its picture holds it."""
        try:
            known = self.find(generation.id) is not None
        except BadRequest:
            raise
        except UserError:  # out of reach: told twice does no harm, a rating without its picture would be lost
            known = False
        if not known:
            self._tell(Made(generation, uuid.uuid4().hex, uuid.uuid4().hex))

    def pick(self, batch_id: str, place: int) -> Batch:
        """The winner of a batch: stored with it, and counted as liking. Raises ``BadRequest``."""
        before = self.batches.find(_id(batch_id))
        picked = self.batches.pick(_id(batch_id), place)
        winner = next(item for item in picked.items if item.place == place)
        if before and before.winner is not None and before.winner != place:
            former = next(item for item in before.items if item.place == before.winner)
            self.act(former.generation_id, Action.PICKED, undone=True)
        if winner.generation_id:
            self.act(winner.generation_id, Action.PICKED)
        return picked

    def forget(self, what: Any, name: str = "") -> bool:
        """Forget what was learned about a LoRA, a checkpoint, a style, or all; the records stay."""
        return self._tell(Forgot(what, name))

    # ----------------------------------------------------------------------- what is known

    def version(self) -> int:
        """Changes with everything that may change a plan; 0 where nothing is learned."""
        if not self.options.enabled:
            return 0
        try:
            return self._ask(lambda store: store.version())
        except UserError:
            return 0

    def taste(self, analysis: Analysis, mode: Mode = Mode.AUTO) -> Taste:
        """The taste as it bears on a prompt; an empty one where learning is off or its database out of reach."""
        if not self.options.enabled:
            return Taste()
        explore = 0.0 if mode is Mode.MANUAL else self.options.explore
        contexts = contexts_of(analysis)
        try:
            # Kept for its version, which is read first: what is read off meanwhile must not flip the plan of a re-roll.
            version = self._ask(lambda store: store.version())
            asked = (version, explore, analysis.prompt, contexts)
            if (known := self._tastes.get(asked)) is not None:
                return known
            tallies = self._ask(lambda store: store.tallies(contexts))
        except UserError:
            return Taste()
        made = taste_of(tallies, analysis, version, explore=explore, prompt=analysis.prompt)
        self._tastes = {**dict(list(self._tastes.items())[-MOST_TASTES:]), asked: made}
        return made

    def find(self, generation_id: str) -> Recorded | None:
        return self._ask(lambda store: store.find(_id(generation_id)))

    def recent(self, limit: int = 50, before: str = "") -> list[Recorded]:
        """Generations, newest first, from the one older than ``before`` on."""
        return self._ask(lambda store: store.recent(limit, before or None))

    def overview(self, session: str = "") -> Overview:
        return self._ask(lambda store: store.overview(session))

    def tallies(self, kinds: Sequence[str] = ()) -> list[Tally]:
        """The evidence anywhere and by style, of these kinds or all."""
        return self._ask(lambda store: store.tallies_of(tuple(kinds)))

    @cached_property
    def batches(self) -> Batches:
        """The batches in the same database. Raises ``UserError`` where it cannot be used."""
        return Batches(self.store())

    # ----------------------------------------------------------------------- in and out

    def export(self, write: Callable[[str], Any]) -> None:
        """Everything as JSON lines."""
        self._ask(lambda store: store.export(write))

    def import_lines(self, lines: Iterable[str]) -> tuple[int, int, list[int]]:
        """How many events were new, how many known, and the numbers of lines that are no events."""
        return self._ask(lambda store: store.import_lines(lines))

    def erase(self) -> None:
        """Everything recorded and learned, and what waits in the journal."""
        self._ask(lambda store: store.erase())
        self.journal.erase()

    def close(self) -> None:
        with self._opening:
            if self._store is not None:
                self._store.close()
            self._store = None
            self.__dict__.pop("batches", None)


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _id(text: str) -> str:
    if not 0 < len(text) <= MOST_ID or not text.isprintable():
        raise BadRequest("generation_unknown", id=text[:MOST_ID])
    return text
