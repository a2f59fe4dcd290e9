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
    spelled = {_plain(name): name for name in available}
    found = spelled.get(_plain(wanted)) or _aliases(kind).get(_plain(wanted))
    if found is not None and (not available or found in available):
        return found
    if not available:
        return wanted
    near = difflib.get_close_matches(_plain(wanted), spelled, n=5, cutoff=0.3)
    listed = ", ".join(spelled[name] for name in near) or ", ".join(available[:5])
    raise BadRequest(f"unknown_{kind}", language, name=wanted, near=listed)


@cache
def _aliases(kind: str) -> dict[str, str]:
    rows = table("samplers")[kind]
    return {_plain(text): name for name, row in rows.items() for text in (name, row["label"], *row.get("also", ()))}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9+]", "", name.casefold()).replace("++", "pp")
