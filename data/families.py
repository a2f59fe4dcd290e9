"""Model families as typed rows. Two families differ by a number or a name: a column here; by the shape of
the graph: a recipe that the row names. Every number in ``families.toml`` has its source beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..plan import Dialect, Level, Prediction, Priority
from . import table


@dataclass(frozen=True)
class FilePart:
    """A file a split model needs beside its diffusion model: the usual file name, ComfyUI's folder, where it
    is published, and patterns that recognise other local copies of it."""

    file: str
    folder: str
    url: str = ""
    match: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """One row. Sizes are pixels; ``cfg`` maps a style group of ``styles.toml`` (or "default") to the range
    of CFG — or of distilled guidance when ``guidance`` is set; ``complexity_steps`` maps a complexity level
    to its band of steps and replaces ``steps`` where it is given; ``lora_parents`` maps families whose LoRAs
    load to the factor their relevance is multiplied by; ``memory_factor`` is ComfyUI's
    ``memory_usage_factor``."""

    id: str
    label: str
    architecture: str
    recipe: str
    native_pixels: int
    min_side: int
    max_side: int
    multiple: int
    steps: Mapping[Priority, int]
    cfg: Mapping[str, tuple[float, float]]
    samplers: Mapping[Priority, tuple[str, str]]
    latent_node: str
    latent_channels: int
    latent_scale: int
    memory_factor: float
    prediction: Prediction
    dialect: Dialect
    negative_acts: bool
    emphasis: bool
    buckets: tuple[tuple[int, int], ...] = ()
    complexity_steps: Mapping[Level, tuple[int, int]] = field(default_factory=dict)
    guidance: bool = False
    shift: float | None = None
    shift_node: str | None = None
    clip_skip: int | None = None
    rescale_cfg: float | None = None
    prompt_prefix: str = ""
    quality_tags: tuple[str, ...] = ()
    negative_tags: tuple[str, ...] = ()
    negative_prefix: str = ""
    clip_loader: str | None = None
    clip_type: str | None = None
    text_encoders: tuple[FilePart, ...] = ()
    vae: FilePart | None = None
    lora_parents: Mapping[str, float] = field(default_factory=dict)
    distilled: bool = False
    min_host: str | None = None
    deliberate: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Distillation:
    """A modifier of a base family: steps, CFG and sampler change together. ``strength`` is what its LoRA is
    loaded with (never scaled); ``steps`` the step counts it exists for."""

    id: str
    label: str
    steps: tuple[int, ...]
    cfg: float
    sampler: str
    scheduler: str
    strength: float = 1.0
    match: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


@cache
def families() -> dict[str, Family]:
    """Every family row by its id."""
    return {name: _row(Family, {"id": name, **row}) for name, row in table("families")["family"].items()}


@cache
def distillations() -> dict[str, Distillation]:
    """Every distillation row by its id."""
    return {name: _row(Distillation, {"id": name, **row}) for name, row in table("families")["distillation"].items()}


def _row(kind: type, row: dict[str, Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_python(row)
