"""Samplers and schedulers: what people call them, and whether this machine has them."""

from __future__ import annotations

import difflib
import re
from functools import cache

from ..data import table
from ..errors import BadRequest


def label_of(kind: str, name: str) -> str:
    """What people call the ``kind`` ("sampler" or "scheduler") that ComfyUI lists as ``name``."""
    row = table("samplers")[kind].get(name)
    return str(row["label"]) if row else name


def recognise(kind: str, wanted: str, available: tuple[str, ...], language: str = "en") -> str:
    """ComfyUI's id for what the person wrote ("Euler a" → ``euler_ancestral``).

    ``available`` is what the machine lists; where it is empty any name passes. Raises ``BadRequest`` with
    near matches when no listed one answers to the name.
    """
    if wanted in available:
        return wanted
    found = _known(kind, _plain(wanted), available)
    if found is not None:
        return found
    if not available:
        return wanted
    spelled = {_plain(name): name for name in available}
    near = difflib.get_close_matches(_plain(wanted), spelled, n=5, cutoff=0.3)
    listed = ", ".join(spelled[name] for name in near) or ", ".join(available[:5])
    raise BadRequest(f"unknown_{kind}", language, name=wanted, near=listed)


def apart(wanted: str, samplers: tuple[str, ...], schedulers: tuple[str, ...]) -> tuple[str, str | None]:
    """A sampler's name and the scheduler said with it ("DPM++ 2M Karras" → ``dpmpp_2m``, ``karras``); ``None`` where
    none is said. Names nobody knows are left as they are."""
    plain = _plain(wanted)
    if _known("sampler", plain, samplers):
        return wanted, None
    endings = sorted({*_aliases("scheduler"), *map(_plain, schedulers)}, key=len, reverse=True)
    for ending in endings:
        sampler = _known("sampler", plain.removesuffix(ending), samplers)
        scheduler = _known("scheduler", ending, schedulers)
        if plain.endswith(ending) and sampler and scheduler:
            return sampler, scheduler
    return wanted, None


def _known(kind: str, plain: str, available: tuple[str, ...]) -> str | None:
    found = {_plain(name): name for name in available}.get(plain) or _aliases(kind).get(plain)
    return found if found and (not available or found in available) else None


@cache
def _aliases(kind: str) -> dict[str, str]:
    rows = table("samplers")[kind]
    return {_plain(text): name for name, row in rows.items() for text in (name, row["label"], *row.get("also", ()))}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9+]", "", name.casefold()).replace("++", "pp")
