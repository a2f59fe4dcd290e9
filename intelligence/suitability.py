"""How well a model suits what is asked, in points of 100: the numbers behind the choice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ..data import table
from ..data.families import Family
from ..plan import Analysis, Dialect, Library, Machine, ModelFile, Priority, Request, Taste
from .candidates import family_of
from .estimate import budget_bytes, load_of, on_gpu
from .fixed_loras import asked_files
from .named import stem
from .write_prompt import says, score_tags

_CAPITALS = re.compile(r"\b[A-ZÀ-ÖØ-Þ]{3,}(?: [A-ZÀ-ÖØ-Þ]{2,})+\b")
MOST_CAPITALS = 4  # words; a longer prompt wholly in capitals was typed with caps lock on
_QUOTED = re.compile(r"[\"“«][^\"“”«»\n]{2,80}[\"”»]")
# What speaks for a candidate, in points of 100; style leads because it cannot be mended by any setting.
WEIGHTS = {"style": 40, "content": 10, "dialect": 8, "rank": 14, "machine": 14, "confidence": 6, "taste": 6, "popularity": 2}


@dataclass(frozen=True)
class Judged:
    """A candidate with its ``score``: the weighted points of each part (0–1), times the ``factors``."""

    file: ModelFile
    family: Family
    score: float
    parts_of_score: Mapping[str, float] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """What models are judged by, read once: ``loras`` are the files of the LoRAs the person asks for, ``tags`` the
    score tags of the prompt, ``writing`` how surely words are to be read in the picture (0–1)."""

    request: Request
    analysis: Analysis
    taste: Taste
    machine: Machine
    loras: tuple[ModelFile, ...]
    tags: frozenset[str]
    writing: float

    @staticmethod
    def of(request: Request, analysis: Analysis, library: Library, taste: Taste, machine: Machine) -> Wish:
        tags = frozenset(tag for tag in score_tags() if says(analysis.text, tag))
        loras = asked_files(request, analysis, library)
        return Wish(request, analysis, taste, machine, loras, tags, _writing_asked(analysis))


def judge(file: ModelFile, wish: Wish) -> Judged:
    """How well ``file`` suits the wish."""
    family, request, analysis = family_of(file), wish.request, wish.analysis
    assert family is not None
    points = {
        "style": _style_fit(file, family, analysis),
        "content": _content_fit(file, family, wish),
        "dialect": 1.0 if family.dialect is analysis.dialect else 0.3,
        "rank": _rank(file, family, request.priority),
        "machine": _machine_fit(file, request, wish.machine),
        "confidence": file.confidence if file.family == family.id else 0.0,
        "taste": _liking(file, wish.taste),
        "popularity": file.downloads / (file.downloads + 20_000),
    }
    factors = {
        "loras": _takes_the_loras(family, wish.loras),
        "memory": _bearable(file, request, wish.machine),
        "pace": _at_the_pace(file, family, request.priority),
        "generation": _of_its_time(file, family, request.priority),
        "writing": _writes(family, wish.writing),
        "tags": _knows_the_tags(family, wish.tags),
    }
    score = sum(points[key] * weight for key, weight in WEIGHTS.items()) * prod(factors.values())
    return Judged(file, family, score, points, factors)


def style_group(style: str) -> str:
    """The row of a family's CFG table that a style belongs to: anime, photo or artistic."""
    row = table("styles").get(style)
    return str(row["group"]) if row else "artistic"


def _words_of(file: ModelFile) -> frozenset[str]:
    text = " ".join((stem(file.name), file.title, *file.tags))
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    return frozenset(re.findall(r"[^\W_\d]{2,}|\d[a-z]", split.replace("_", " ")))


def _style_fit(file: ModelFile, family: Family, analysis: Analysis) -> float:
    group = style_group(analysis.style)
    lean = float(_tendency(family).get("styles", {}).get(group, 0.5))
    if analysis.style == "none":
        return lean
    words, wanted = _words_of(file), table("tendencies")["words"]
    own = _says(words, wanted[group])
    other = max(_says(words, wanted[name]) for name in wanted if name != group)
    exact = 1.0 if analysis.style.split("_")[0] in words else 0.0
    return min(1.0, max(0.0, 0.55 * lean + 0.35 * own + 0.1 * exact - 0.35 * other * (1 - own) + 0.1))


def _says(words: frozenset[str], wanted: list[str]) -> float:
    hit = any(word == name or (len(name) > 4 and word.startswith(name)) for name in wanted for word in words)
    return 1.0 if hit else 0.0


def _content_fit(file: ModelFile, family: Family, wish: Wish) -> float:
    if wish.writing == 1:
        return _writing_skill(family)
    return 1.0 if wish.analysis.content in _words_of(file) else 0.5


def _writing_asked(analysis: Analysis) -> float:
    """How surely words are to be read in the picture, 0–1: a street may have signs that nobody reads."""
    if analysis.of("writing") or _QUOTED.search(analysis.text):
        return 1.0
    wording = any(concept.name in table("tendencies")["wording"] for concept in analysis.of("text"))
    if analysis.dialect is Dialect.PROSE and (wording or analysis.content == "text"):
        return 1.0
    if _in_capitals(analysis):
        return _factors()["capitals"]
    return _factors()["mere_sign"] if analysis.content == "text" or analysis.of("text") else 0.0


def _in_capitals(analysis: Analysis) -> bool:
    """Whether words stand in capitals ("FELIZ NAVIDAD") that are not the usual shouting about quality, nor a whole
    prompt with caps lock on."""
    text = analysis.text
    if text == text.upper() and len(text.split()) > MOST_CAPITALS:
        return False
    usual = analysis.of("quality", "detail", "style", "camera", "medium", "lighting", "tags")
    known = {word for concept in usual for phrase in concept.words for word in phrase.casefold().split()}
    return any(not known & set(run.casefold().split()) for run in _CAPITALS.findall(text))


def _writing_skill(family: Family) -> float:
    return float(_tendency(family).get("writes", 0.5))


def _writes(family: Family, asked: float) -> float:
    """A factor below 1 for models that cannot write where words are asked for: no setting mends that."""
    return 1.0 - _factors()["cannot_write"] * asked * (1.0 - _writing_skill(family))


def _knows_the_tags(family: Family, tags: frozenset[str]) -> float:
    """A factor below 1 where the prompt speaks in score tags that this family was not trained on."""
    if not tags:
        return 1.0
    known = len(tags & set(family.quality_tags)) / len(tags)
    return _factors()["foreign_tags"] + (1.0 - _factors()["foreign_tags"]) * known


def _at_the_pace(file: ModelFile, family: Family, priority: Priority) -> float:
    """A factor below 1 for distilled models at priority quality, and for the others at priority speed. What a family
    lost when it was distilled as a whole stands in its rank."""
    if priority is Priority.QUALITY and file.distillation is not None and not family.distilled:
        return _factors()["distilled_at_quality"]
    if priority is Priority.SPEED and not (family.distilled or file.distillation is not None):
        return _factors()["full_at_speed"]
    return 1.0


def _of_its_time(file: ModelFile, family: Family, priority: Priority) -> float:
    """A factor below 1 for older generations at priority quality."""
    if priority is not Priority.QUALITY:
        return 1.0
    return 1.0 - _factors()["older_at_quality"] * (1.0 - _rank(file, family, priority))


def _factors() -> dict[str, float]:
    rows: dict[str, float] = table("tendencies")["factors"]
    return rows


def _tendency(family: Family) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = table("tendencies")["family"]
    return rows.get(family.id, {})


def _rank(file: ModelFile, family: Family, priority: Priority) -> float:
    rank = float(_tendency(family).get("rank", 0.5))
    few_steps = family.distilled or file.distillation is not None
    if priority is Priority.SPEED:
        return min(1.0, rank + 0.4) if few_steps else rank * 0.6
    if priority is Priority.QUALITY:
        return rank * 0.7 if few_steps else rank
    return rank


def _machine_fit(file: ModelFile, request: Request, machine: Machine) -> float:
    budget = budget_bytes(machine, request.constraints)
    if budget <= 0:
        return 0.5
    share = load_of(file, machine).diffusion_bytes / budget
    if request.priority is Priority.LOW_VRAM:
        return max(0.0, 1.0 - share)
    return 1.0 if share <= 0.9 else max(0.0, 1.0 - (share - 0.9))


def _bearable(file: ModelFile, request: Request, machine: Machine) -> float:
    """A factor below 1 for weights that do not fit: ComfyUI streams them from RAM, which is slow, or from disk,
    which is hardly bearable."""
    budget = budget_bytes(machine, request.constraints)
    if budget <= 0:
        return 1.0
    weights = load_of(file, machine).diffusion_bytes
    streams_well = 1.5 if request.priority in (Priority.QUALITY, Priority.BALANCED) else 0.8
    beside = machine.ram_bytes if on_gpu(machine) else 0
    in_ram = 1.0 if not machine.ram_bytes or weights < budget + beside else 0.3
    return min(1.0, streams_well * budget / max(weights, 1)) * in_ram


def _liking(file: ModelFile, taste: Taste) -> float:
    liking = taste.checkpoints.get(file.name)
    return 0.5 + 0.5 * liking.score if liking else 0.5


def _takes_the_loras(family: Family, loras: tuple[ModelFile, ...]) -> float:
    """How well this family serves the LoRAs the person asked for, as a factor; never 0, so that the other points
    decide where no model takes them."""
    known = [file for file in loras if file.family is not None]
    if not known:
        return 1.0
    fits = [1.0 if file.family == family.id else family.lora_parents.get(file.family or "", 0.0) for file in known]
    least = _factors()["no_lora_loads"]
    return least + (1.0 - least) * sum(fits) / len(fits)
