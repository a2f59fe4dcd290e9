"""What the person set for memory: a JSON file in the data folder; environment variables win over it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import BadRequest
from ..files import write_whole
from ..values import from_json, refuse

Refusal = Callable[[str], BadRequest]

FILE = "memory.json"
ENVIRONMENT = "INTELLIGENT_GENERATION_MEMORY_"
MOST_POOL_GB = 4096.0
MOST_CLEAN_BELOW = 0.95
# A third leaves room for the models in use (which ComfyUI holds, too), the system and the browser; two SDXL
# checkpoints of 7 GB fit into a third of 48 GB, and one into a third of 24 GB.
POOL_SHARE = 1 / 3
_FLAGS = {**dict.fromkeys(("0", "false", "no", "off"), False), **dict.fromkeys(("1", "true", "yes", "on"), True)}


@dataclass(frozen=True)
class MemoryOptions:
    """``pool_gb`` (decimal gigabytes) is how much RAM loaded models may keep; ``None`` = a third of it, 0 = none. Under
    ``clean_below``, the share of RAM or of a device's memory that is free, 0–0.95, memory is tidied (0 = never). ``retry``
    queues a prompt once more, with a plan that takes less, after it ran out of memory."""

    pool_gb: float | None = None
    clean_below: float = 0.06
    retry: bool = True

    def __post_init__(self) -> None:
        refuse(self._faults())

    def _faults(self) -> Iterator[str]:
        if self.pool_gb is not None and not 0 <= self.pool_gb <= MOST_POOL_GB:
            yield f"pool_gb {self.pool_gb} (0–{MOST_POOL_GB:.0f})"
        if not 0 <= self.clean_below <= MOST_CLEAN_BELOW:
            yield f"clean_below {self.clean_below} (0–{MOST_CLEAN_BELOW})"

    def pool_bytes(self, ram_bytes: int) -> int:
        """How much the pool may keep on a machine with so much RAM."""
        return int(ram_bytes * POOL_SHARE) if self.pool_gb is None else int(self.pool_gb * 1e9)


def read_options(folder: Path, environ: Mapping[str, str] = os.environ) -> MemoryOptions:
    """The options in ``folder`` under those of the environment. Raises ``BadRequest`` that names the file or the variables
    at fault."""
    variables = _from_environment(environ)
    held = {name: value for name, value in _held(folder).items() if name not in variables}
    return MemoryOptions(**_fitting(held, _unreadable(folder)), **_fitting(variables, _out_of_range(f"{ENVIRONMENT}… ")))


def change_options(folder: Path, changes: Mapping[str, Any]) -> MemoryOptions:
    """Write ``changes`` over what the file holds; nothing is written where one of them does not fit. Raises ``BadRequest``,
    which names the file where the fault is in what it holds besides."""
    changed = _fitting(changes, _out_of_range())
    kept = {name: value for name, value in _held(folder).items() if name not in changed}
    held = {**_fitting(kept, _unreadable(folder)), **changed}
    write_whole(folder / FILE, json.dumps(held, indent=2) + "\n")
    return MemoryOptions(**held)


def _held(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as fault:
        raise _unreadable(folder)(str(fault)) from fault
    if not isinstance(held, dict):
        raise _unreadable(folder)("not a JSON object")
    return held


def _unreadable(folder: Path) -> Refusal:
    return lambda problem: BadRequest("memory_settings_unreadable", path=str(folder / FILE), problem=problem)


def _out_of_range(where: str = "") -> Refusal:
    return lambda problem: BadRequest("out_of_range", faults=where + problem)


def _fitting(values: Mapping[str, Any], refused: Refusal) -> dict[str, Any]:
    """The values as ``MemoryOptions`` holds them. Raises what ``refused`` makes of a fault."""
    known = {each.name for each in fields(MemoryOptions)}
    if unknown := sorted(values.keys() - known):
        raise refused(f"{', '.join(unknown)[:80]} ({', '.join(sorted(known))})")
    try:
        options = from_json(MemoryOptions, json.dumps(dict(values)))
    except BadRequest as fault:
        told = fault.values
        raise refused(str(told["faults"]) if "faults" in told else f"{told['where']}: {told['problem']}") from fault
    return {name: getattr(options, name) for name in values}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found = {each.name: environ.get(f"{ENVIRONMENT}{each.name.upper()}", "").strip() for each in fields(MemoryOptions)}
    return {name: _value(text) for name, text in found.items() if text}


def _value(text: str) -> Any:
    """What a variable holds; what is no number and no flag stays text, and is refused by name."""
    if text.lower() in ("none", "null", "auto"):
        return None
    try:
        return float(text)
    except ValueError:
        return _FLAGS.get(text.lower(), text)
