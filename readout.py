"""How full the memory is, and what fills it: the nouns of the monitor. Bytes throughout."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import Reason


@dataclass(frozen=True)
class DeviceMemory:
    """One device: ``used_bytes`` by anyone, ``reserved_bytes`` by this ComfyUI (what it freed but keeps at hand included),
    ``peak_bytes`` the most it had reserved since the last generation began (0 where the device does not tell)."""

    device: str
    name: str
    total_bytes: int
    free_bytes: int
    used_bytes: int
    reserved_bytes: int = 0
    peak_bytes: int = 0


@dataclass(frozen=True)
class Ram:
    """Main memory: what can still be had, and what this process holds, now and at most."""

    total_bytes: int
    free_bytes: int
    process_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class HeldModel:
    """A model in ComfyUI's list of loaded ones: ``loaded_bytes`` of its ``size_bytes`` lie on ``device``."""

    name: str
    device: str
    size_bytes: int
    loaded_bytes: int
    dtype: str = ""


@dataclass(frozen=True)
class Pooled:
    """A file's models as the pool keeps them in RAM."""

    name: str
    loader: str
    size_bytes: int
    dtype: str = ""
    device: str = ""


@dataclass(frozen=True)
class PoolState:
    """The pool: what it keeps, least recently used first, and how often it helped since ComfyUI started."""

    entries: tuple[Pooled, ...] = ()
    size_bytes: int = 0
    limit_bytes: int = 0
    hits: int = 0
    misses: int = 0
    evictions: int = 0

    @property
    def hit_rate(self) -> float | None:
        """Hits among all requests, 0–1; ``None`` before the first."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


@dataclass(frozen=True)
class CleanUp:
    """Memory that was given back: when (seconds since the epoch), how much, and why."""

    at: float
    freed_bytes: int
    reason: Reason


@dataclass(frozen=True)
class Readout:
    """All of it at one moment (seconds since the epoch). ``vram_state`` and ``reserve_bytes`` are ComfyUI's own settings
    as they stand, ``dynamic_vram`` whether it moves weights by itself."""

    at: float
    devices: tuple[DeviceMemory, ...]
    ram: Ram
    models: tuple[HeldModel, ...] = ()
    pool: PoolState = PoolState()
    clean_ups: tuple[CleanUp, ...] = ()
    vram_state: str = ""
    reserve_bytes: int = 0
    dynamic_vram: bool = False
