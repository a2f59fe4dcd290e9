"""What every noun can do: refuse values out of range, and travel as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar, get_type_hints

from .errors import BadRequest

T = TypeVar("T")

_MOST = 2**63  # of a limit; beyond it arithmetic with fractions fails
# ComfyUI's own limits: nodes.py MAX_RESOLUTION 16384, KSampler steps 1–10000, cfg 0–100.
_RANGES = {
    "steps": (1, 10_000),
    "cfg": (0.0, 100.0),
    "guidance": (0.0, 100.0),
    "shift": (0.0, 100.0),
    "clip_skip": (1, 24),
    "width": (16, 16_384),
    "height": (16, 16_384),
    "batch": (1, 4096),
    "denoise": (0.0, 1.0),
}


def faults_of_settings(value: object) -> Iterator[str]:
    for name, (low, high) in _RANGES.items():
        number = getattr(value, name)
        if number is not None and not low <= number <= high:
            yield f"{name} {number} ({low}–{high})"


def faults_of_constraints(limits: Any) -> Iterator[str]:
    for name in ("max_vram_bytes", "max_seconds", "max_pixels", "max_steps"):
        number = getattr(limits, name)
        if number is not None and not 0 < number < _MOST:
            yield f"{name} {str(number)[:20]} (> 0)"
    if not 0 <= limits.max_loras <= 50:
        yield f"max_loras {limits.max_loras} (0–50)"


def type_faults(value: Any) -> Iterator[str]:
    """The fields of a dataclass that hold something of another type than they declare."""
    for name, hint in get_type_hints(type(value)).items():
        if problem := _misfit(hint, getattr(value, name)):
            yield f"{name} {getattr(value, name)!r} ({problem})"


def _misfit(hint: Any, value: object) -> str | None:
    from pydantic import ValidationError

    try:
        _codec(hint).validate_python(value, strict=True)
    except ValidationError as fault:
        return fault.errors()[0]["msg"]
    return None


def refuse(faults: Iterable[str]) -> None:
    if listed := list(faults):
        raise BadRequest("out_of_range", faults="; ".join(listed))


def clean(text: str) -> str:
    """Text that can be written: half of a surrogate pair, as broken clients send it, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def _codec(kind: Any) -> Any:
    from pydantic import TypeAdapter  # late: 0.1 s, and only needed once a plan crosses a boundary

    return TypeAdapter(kind)


def to_json(value: object) -> str:
    """Any noun of this module as one line of JSON."""
    kind: Any = type(value)
    return str(_codec(kind).dump_json(value), "utf-8")


def from_json(kind: type[T], text: str | bytes) -> T:
    """The value ``to_json`` wrote. Raises ``BadRequest`` with what does not fit."""
    from pydantic import ValidationError

    codec: Any = kind
    try:
        value: T = _codec(codec).validate_json(text)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest("not_readable", noun=kind.__name__, where=where, problem=first["msg"]) from fault
    return value
