"""What is known of one download."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import UserError
from ..offers import Ref
from ..plan import Kind
from .part_file import part_of


class State(str, Enum):
    """Where a download stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    HAVE_IT = "have_it"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing happens any more unless someone asks for it."""
        return self not in (State.WAITING, State.RUNNING)

    @property
    def ended(self) -> bool:
        """Whether it left nothing unfinished on the disk."""
        return self in (State.DONE, State.HAVE_IT, State.CANCELLED)


@dataclass(frozen=True)
class Download:
    """One file to fetch, or fetched. ``name`` is what it is called in ``folder`` (for HAVE_IT: as ComfyUI lists
    the copy that was there already); ``sha256`` what the hub says, at the end what was found; ``begun`` and
    ``validator`` say whose bytes the part file holds; ``proven`` is the sum of bytes about to get their name."""

    id: str
    ref: Ref
    title: str
    kind: Kind
    folder: str
    name: str
    addresses: tuple[str, ...]
    size_bytes: int | None = None
    sha256: str | None = None
    state: State = State.WAITING
    done_bytes: int = 0
    bytes_per_s: float = 0.0
    error: str | None = None
    error_values: Mapping[str, Any] = field(default_factory=dict)
    validator: str | None = None
    begun: bool = False
    proven: str | None = None
    created: float = 0.0

    @property
    def target(self) -> Path:
        return Path(self.folder) / self.name

    @property
    def part(self) -> Path:
        return part_of(self.target)

    @property
    def target_mark(self) -> str:
        """A short name for the place it is written to, the same for all who would write there."""
        return hashlib.sha256(os.path.normcase(self.target).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def fault(self) -> UserError | None:
        return UserError(self.error, **self.error_values) if self.error else None

    def told(self, language: str = "en") -> dict[str, Any]:
        """What anyone may see of it, as JSON values, with the error's sentence in ``language``."""
        shown = {name: value for name, value in asdict(self).items() if name not in _INWARD}
        message = str(self.fault.in_language(language)) if self.fault else None
        return {**shown, "ref": str(self.ref), "kind": self.kind.value, "state": self.state.value, "message": message}


_INWARD = frozenset({"addresses", "validator", "begun", "proven", "error_values", "folder"})


def id_of(ref: Ref, kind: Kind) -> str:
    """The same for the same file in the same folder, so that asking twice fetches once."""
    return hashlib.sha256(f"{ref} {kind.value}".encode()).hexdigest()[:12]


@contextmanager
def claimed(locks: Path, name: str, patience_s: float = 0) -> Iterator[bool]:
    """Whether ``name`` is ours inside the block. The system takes a claim back when its process dies."""
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"{name}.lock", thread_local=False)
    try:
        lock.acquire(timeout=patience_s)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
