"""Events as JSON lines in a folder: a log that goes round, for whoever wants one, and a spool of what the database could
not take, told to it afterwards. Several processes may write and replay at once."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import BadRequest
from ..feedback import Event
from ..values import from_json
from .plans import plan_text
from .store import Store

LOG = "events"
SPOOL = "pending"
PATIENCE_S = 10.0
MEGABYTE = 1_000_000


class Journal:
    """``events.jsonl`` with its ``files`` − 1 predecessors, of ``limit_bytes`` each, and ``pending.jsonl``. Lines that
    cannot be told are kept in ``pending.damaged.jsonl``."""

    def __init__(self, folder: Path, limit_bytes: int = 5 * MEGABYTE, files: int = 5) -> None:
        self.folder, self.limit_bytes, self.files = folder, limit_bytes, files

    # ----------------------------------------------------------------------- the log

    def append(self, event: Event) -> bool:
        """Write an event at the end of the log; whether it could be written."""
        try:
            with self._alone(LOG):
                self._make_room()
                _add(self._file(LOG), plan_text(event))
        except OSError:
            return False
        return True

    def _make_room(self) -> None:
        log = self._file(LOG)
        if not log.exists() or log.stat().st_size < self.limit_bytes:
            return
        for number in range(self.files - 1, 0, -1):
            older = self._file(LOG, number - 1) if number > 1 else log
            if older.exists():
                os.replace(older, self._file(LOG, number))
        log.unlink(missing_ok=True)  # with one file, there is no older one to become

    # ----------------------------------------------------------------------- the spool

    def postpone(self, event: Event) -> bool:
        """Keep an event for later; whether it could be written, and is on the disk."""
        try:
            with self._alone(SPOOL):
                _add(self._file(SPOOL), plan_text(event), lasting=True)
        except OSError:
            return False
        return True

    @property
    def waiting(self) -> bool:
        """Whether there is anything to replay."""
        return self._file(SPOOL).exists() or any(self._taken())

    def replay(self, store: Store) -> int:
        """Tell the store what waits, in the order it came; how many events it did not know. Nothing is lost when it
        raises ``Unreachable`` on the way, or the process ends: what was told is known by its id the next time. While
        another process replays, or the folder cannot be written, it is 0."""
        from filelock import FileLock

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "replay.lock", timeout=0):
                self._take()
                return sum(self._replay(path, store) for path in sorted(self._taken()))
        except OSError:  # filelock's Timeout is one
            return 0

    def _take(self) -> None:
        """Set the spool aside under a name that sorts by age; events that come meanwhile begin a new one."""
        with self._alone(SPOOL):
            number = 1 + max((int(path.name.split("-")[1]) for path in self._taken()), default=0)
            if self._file(SPOOL).exists():
                os.replace(self._file(SPOOL), self.folder / f"{SPOOL}-{number:06}-{uuid.uuid4().hex[:8]}.jsonl")

    def _taken(self) -> list[Path]:
        return list(self.folder.glob(f"{SPOOL}-*.jsonl"))

    def _replay(self, path: Path, store: Store) -> int:
        lines = [line for line in path.read_bytes().split(b"\n") if line]
        answers = [_told(store, line) for line in lines]
        refused = [line for line, answer in zip(lines, answers, strict=True) if answer is None]
        if refused:
            with self._alone(SPOOL):
                for line in refused:
                    _add(self.folder / f"{SPOOL}.damaged.jsonl", line)
        path.unlink()
        return answers.count(True)

    # ----------------------------------------------------------------------- files

    def erase(self) -> None:
        """Log and spool."""
        with self._alone(LOG), self._alone(SPOOL):
            for path in (*self.folder.glob(f"{LOG}*.jsonl"), *self.folder.glob(f"{SPOOL}*.jsonl")):
                path.unlink(missing_ok=True)

    def _file(self, name: str, number: int = 0) -> Path:
        return self.folder / (f"{name}.{number}.jsonl" if number else f"{name}.jsonl")

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Raises ``OSError``, of which filelock's ``Timeout`` is one."""
        from filelock import FileLock

        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{name}.lock", timeout=PATIENCE_S):
            yield


def _told(store: Store, line: bytes) -> bool | None:
    try:
        return store.tell(from_json(Event, line))
    except BadRequest:
        return None


def _add(path: Path, line: str | bytes, lasting: bool = False) -> None:
    """One line in one write. A crash, or a full disk, may have left half of one there: it stays apart from the new one."""
    data = (line.encode() if isinstance(line, str) else line) + b"\n"
    with open(path, "ab+", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        if end and file.read(1) != b"\n":
            data = b"\n" + data
        try:
            if file.write(data) != len(data):
                raise OSError(f"{path}: no space left")
            if lasting:
                os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise
