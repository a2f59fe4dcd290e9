"""What the person set for learning: a JSON file in the data folder; environment variables win over it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import BadRequest
from ..files import write_whole
from ..values import from_json, refuse

FILE = "learning.json"
DATABASE = "learning.sqlite"
MOST_EXPLORATION = 0.5
_OFF = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Options:
    """``enabled`` False: nothing is recorded and nothing learned is used. ``explore`` is the share of decisions, 0–0.5,
    in which something little tried may go first; ``log`` also appends every event to a JSON-lines file; generations older
    than ``keep_days`` days are dropped (0 = kept for good; what was learned from them stays). ``database`` is the address
    of a shared database ("postgresql://…"); empty = a file of this machine."""

    enabled: bool = True
    explore: float = 0.15
    log: bool = False
    keep_days: int = 0
    database: str = ""

    def __post_init__(self) -> None:
        refuse(self._faults())

    def _faults(self) -> Iterator[str]:
        if not 0 <= self.explore <= MOST_EXPLORATION:
            yield f"explore {self.explore} (0–{MOST_EXPLORATION})"
        if not 0 <= self.keep_days <= 36_500:
            yield f"keep_days {self.keep_days} (0–36500)"
        if self.database and "://" not in self.database:
            yield "database (postgresql://user@host/name)"


def read_options(folder: Path, environ: Mapping[str, str] = os.environ) -> Options:
    """The options in ``folder`` under those of the environment. Raises ``BadRequest``."""
    return _options({**_held(folder), **_from_environment(environ)}, folder)


def change_options(folder: Path, changes: Mapping[str, Any]) -> Options:
    """Write ``changes`` over what the file holds; nothing is written where one of them does not fit. Raises
    ``BadRequest``."""
    held = _held(folder)
    changed = _options({**held, **changes}, folder)
    write_whole(folder / FILE, json.dumps({**held, **{name: asdict(changed)[name] for name in changes}}, indent=2) + "\n")
    # The address may hold a password.
    (folder / FILE).chmod(0o600)
    return changed


def _held(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as fault:
        raise BadRequest("learning_settings_unreadable", path=str(path), problem=str(fault)) from fault
    return held if isinstance(held, dict) else {}


def _options(values: Mapping[str, Any], folder: Path) -> Options:
    known = {each.name for each in fields(Options)}
    if unknown := sorted(values.keys() - known):
        problem = f"{', '.join(unknown)[:80]} ({', '.join(sorted(known))})"
        raise BadRequest("learning_settings_unreadable", path=str(folder / FILE), problem=problem)
    return from_json(Options, json.dumps(dict(values)))


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if address := environ.get("INTELLIGENT_GENERATION_DATABASE"):
        found["database"] = address
    if environ.get("INTELLIGENT_GENERATION_LEARNING", "").lower() in _OFF:
        found["enabled"] = False
    return found
