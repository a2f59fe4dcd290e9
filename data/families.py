"""Model families as typed rows. Two families differ by a number or a name: a column here; by the shape of
the graph: a recipe that the row names. Every number in ``families.toml`` has its source beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
    ``memory_usage_factor``.

    ``architecture`` is the class of shapes a file's header shows; several rows may share one, and then
    ``match`` and ``match_rank`` tell them apart by name (``family_named``) and ``parameters_b`` by billions
    of weights. ``base_models`` are the names hubs and trainers write. ``second_family`` is the family of a
    second model that takes over after ``second_switch`` (0–1) of the steps: optional for a refiner, the
    other half of a two-part model, whose files and LoRAs ``halves`` tells apart (patterns of the first and
    of the second). ``scheduler_node`` replaces the sampler's scheduler; ``zsnr`` is zero terminal SNR;
    ``lora_text_encoder`` says that LoRAs may hold a text-encoder part. ``shift`` ``None`` is the model's own.
    ``deliberate`` maps what differs from the official template to the reason."""

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
    scheduler_node: str | None = None
    clip_skip: int | None = None
    rescale_cfg: float | None = None
    zsnr: bool = False
    prompt_prefix: str = ""
    quality_tags: tuple[str, ...] = ()
    negative_tags: tuple[str, ...] = ()
    negative_prefix: str = ""
    clip_loader: str | None = None
    clip_type: str | None = None
    text_encoders: tuple[FilePart, ...] = ()
    vae: FilePart | None = None
    lora_parents: Mapping[str, float] = field(default_factory=dict)
    lora_text_encoder: bool = True
    second_family: str = ""
    second_switch: float | None = None
    halves: tuple[str, ...] = ()
    distilled: bool = False
    min_host: str | None = None
    base_models: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    match_rank: int = 0
    parameters_b: tuple[float, float] | None = None
    deliberate: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def runs_on(self, host_version: str) -> bool:
        """Whether a ComfyUI of this version ("0.33.0") knows the family."""
        return self.min_host is None or version_of(host_version) >= version_of(self.min_host)

    def half_of(self, name: str) -> int | None:
        """0 or 1 where a file's name says which half of a two-part model it belongs to."""
        found = [half for half, pattern in enumerate(self.halves) if re.search(pattern, plain(name))]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Distillation:
    """A modifier of a base family: steps, CFG and sampler change together. ``strength`` is what its LoRA is
    loaded with (never scaled); ``steps`` the step counts it exists for, the one to use first;
    ``architectures`` where it applies; ``sampling`` a mode of ``ModelSamplingDiscrete`` that it needs."""

    id: str
    label: str
    steps: tuple[int, ...]
    cfg: float
    sampler: str
    scheduler: str
    strength: float = 1.0
    architectures: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    shift: float | None = None
    sampling: str | None = None
    deliberate: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


@cache
def families() -> dict[str, Family]:
    """Every family row by its id."""
    rows = table("families")["family"]
    return {name: _row(Family, {"id": name, **_filled(_whole(name, rows))}) for name in rows}


@cache
def distillations() -> dict[str, Distillation]:
    """Every distillation row by its id."""
    return {name: _row(Distillation, {"id": name, **row}) for name, row in table("families")["distillation"].items()}


def family_named(architecture: str, texts: Iterable[str], parameters: int = 0) -> tuple[Family | None, bool]:
    """The family of this architecture that the texts (file name, title, hub base model) speak of, and
    whether a pattern said so; without one the row of the lowest rank stands for its architecture.
    ``parameters`` counts the diffusion model's weights and rules out siblings of another size; 0 = unknown,
    also for weights packed below 8 bits."""
    words = " ".join(plain(text) for text in texts)
    rows = [row for row in families().values() if row.architecture == architecture]
    rows = [row for row in rows if _of_size(row, parameters)] or rows
    ranked = [(row.match_rank, _longest(row.match, words), row) for row in rows]
    named = [found for found in ranked if found[1]]
    if named:
        return max(named, key=lambda found: found[:2])[2], True
    return min(rows, key=lambda row: row.match_rank, default=None), False


def family_of_base(name: str) -> Family | None:
    """The family a hub or a trainer calls by this name ("SDXL 1.0", "stable-diffusion-xl-v1-base/lora")."""
    return _bases().get(_bare(name.split("/")[0])) or _bases().get(_bare(name.rsplit("/", 1)[-1]))


def distillation_named(architecture: str, texts: Iterable[str]) -> Distillation | None:
    """The distillation that the texts of a file of this architecture speak of, by the longest match."""
    words = " ".join(plain(text) for text in texts)
    rows = [row for row in distillations().values() if architecture in row.architectures]
    best = max(rows, key=lambda row: _longest(row.match, words), default=None)
    return best if best and _longest(best.match, words) else None


def plain(text: str) -> str:
    """A name as ``match`` patterns expect it: lower case, underscores as hyphens."""
    return text.lower().replace("_", "-")


@cache
def _bases() -> dict[str, Family]:
    return {_bare(name): row for row in families().values() for name in row.base_models}


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _of_size(row: Family, parameters: int) -> bool:
    if not parameters or row.parameters_b is None:
        return True
    low, high = row.parameters_b
    return low <= parameters / 1e9 <= high


def _longest(patterns: Iterable[str], words: str) -> int:
    return max((len(found[0]) for pattern in patterns if (found := re.search(pattern, words))), default=0)


def _whole(name: str, rows: Mapping[str, Any]) -> dict[str, Any]:
    row = rows[name]
    if "like" not in row:
        return dict(row)
    parent = _whole(row["like"], rows)
    # What a variant is called and how it differs is its own; the rest, sources included, is inherited.
    kept = {key: value for key, value in parent.items() if key not in ("deliberate", "match_rank")}
    sources = {**parent["sources"], **row.get("sources", {})}
    return {**kept, **{key: value for key, value in row.items() if key != "like"}, "sources": sources}


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    parts = table("families")["part"]
    return {
        **row,
        "steps": _by_priority(row["steps"]),
        "samplers": _by_priority(row["samplers"]),
        "text_encoders": [parts[name] for name in row.get("text_encoders", ())],
        "vae": parts[row["vae"]] if "vae" in row else None,
    }


def _by_priority(given: Mapping[str, Any]) -> dict[str, Any]:
    usual = given.get("default", given.get("balanced"))
    return {priority.value: given.get(priority.value, usual) for priority in Priority}


@cache
def version_of(text: str) -> tuple[int, ...]:
    """ "0.33.0" as numbers that compare."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def _row(kind: type, row: dict[str, Any]) -> Any:
    return _reader(kind).validate_python(row)


@cache
def _reader(kind: Any) -> Any:
    from pydantic import TypeAdapter  # late: 0.1 s

    return TypeAdapter(kind)
