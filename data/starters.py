"""First models for a machine that has none, as typed rows of ``starters.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..plan import Kind
from . import table


@dataclass(frozen=True)
class Starter:
    """One published whole checkpoint: the reference hubs know it by, the folder it belongs in, its exact size
    where that is known, the GPU memory in GiB from which its diffusion model stays loaded, and the style groups
    it is good at, the best first."""

    family: str
    ref: str
    folder: Kind
    min_vram_gib: int
    styles: tuple[str, ...]
    source: str
    vram_source: str
    size_bytes: int | None = None


@cache
def starters() -> tuple[Starter, ...]:
    """Every row, in the table's order."""
    rows = table("starters")["starter"].values()
    return tuple(Starter(**{**row, "folder": Kind(row["folder"]), "styles": tuple(row["styles"])}) for row in rows)
