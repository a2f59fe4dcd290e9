"""How well each LoRA of a library fits a prompt: four partial scores, each 0–1, and their weighted sum.

Keyword: BM25 (Robertson & Zaragoza 2009) over fields, but a query word weighs what it is worth in prompts in general
(``data/prompt_words``: "1girl" nothing, a character's name everything) and clauses count as wholes.
Imported late: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..data import table
from ..data.families import families
from ..plan import Analysis, Kind, Leaning, Library, ModelFile, Scores, Taste
from .explore import ANY_OTHER
from .index import PAIR, Floats, Index, build_index
from .matching import question
from .text import rarity, units, words

NEUTRAL = Taste()
NO_LEANING = Leaning()


@dataclass(frozen=True)
class Weights:
    """What each partial score counts; only the proportions matter."""

    semantic: float
    keyword: float
    popularity: float
    history: float


@cache
def profile(name: str = "documented") -> Weights:
    """The weights ``data/recommend.toml`` lists under this name."""
    return Weights(**table("recommend")["profiles"][name])


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Text vectors of LoRA files: ``matrix`` is float32 of shape (names, dimensions)."""

    names: tuple[str, ...]
    matrix: Any


@dataclass(frozen=True, eq=False)
class Vectors:
    """The prompt's vector, shape (dimensions,), with the table it is compared to."""

    prompt: Any
    table: VectorTable


@dataclass(frozen=True)
class Ranked:
    """A LoRA with its partial scores; ``score`` is their weighted sum times the family's factor."""

    file: ModelFile
    scores: Scores
    score: float


def compatible(family: str) -> Mapping[str, float]:
    """The families whose LoRAs load on ``family``, with the factor their score is multiplied by."""
    row = families().get(family)
    return {**(row.lora_parents if row else {}), family: 1.0}


@lru_cache(maxsize=2)
def index_of(library: Library) -> Index:
    """The LoRAs of ``library``, ready to be searched; built once per library version."""
    return build_index(library.of(Kind.LORA))


@lru_cache(maxsize=8)
def factors_of(index: Index, family: str) -> Floats:
    """The hard gate: what each file's score is multiplied by on ``family``, 0 where it does not load."""
    factors = compatible(family)
    return np.array([factors.get(file.family or "", 0.0) for file in index.files], dtype=np.float32)


def rank(
    analysis: Analysis,
    family: str,
    library: Library,
    taste: Taste = NEUTRAL,
    weights: Weights | None = None,
    vectors: Vectors | None = None,
    limit: int = 40,
) -> list[Ranked]:
    """The ``limit`` best LoRAs that load on ``family``, best first, before anything is chosen or refused."""
    index = index_of(library)
    total, parts = score(index, analysis, taste.on(family), weights, vectors)
    return best(index, total * factors_of(index, family), parts, limit)


def best(index: Index, total: Floats, parts: tuple[Floats, ...], limit: int) -> list[Ranked]:
    """The files with the ``limit`` highest positive totals, best first; equal ones in the library's order."""
    top = np.arange(len(total)) if len(total) <= limit else np.sort(np.argpartition(-total, limit)[:limit])
    order = top[np.argsort(-total[top], kind="stable")]
    return [entry_at(index, total, parts, int(row)) for row in order if total[row] > 0]


def entry_at(index: Index, total: Floats, parts: tuple[Floats, ...], row: int) -> Ranked:
    """The file in this row of the index with its scores."""
    return Ranked(index.files[row], Scores(*(float(part[row]) for part in parts)), float(total[row]))


def score(
    index: Index,
    analysis: Analysis,
    leaning: Leaning = NO_LEANING,
    weights: Weights | None = None,
    vectors: Vectors | None = None,
) -> tuple[Floats, tuple[Floats, ...]]:
    """The weighted score of every LoRA of the index, shape (files,), and the four partial scores in the order of
    ``Scores``. Without vectors the other weights are scaled up to fill the gap."""
    weights = weights or profile()
    keyword = keyword_scores(index, question(analysis, keep_tags=True))
    semantic = semantic_scores(index, vectors)
    evidence = np.maximum(keyword, semantic)
    # Popularity alone must not carry a LoRA that nothing in the prompt asks for.
    parts = (semantic, keyword, index.popularity * evidence, history_scores(index, leaning))
    shares = (weights.semantic if vectors else 0.0, weights.keyword, weights.popularity, weights.history)
    total = sum(share * part for share, part in zip(shares, parts, strict=True)) / (sum(shares) or 1.0)
    return np.asarray(total, dtype=np.float32), parts


def keyword_scores(index: Index, text: str) -> Floats:
    """Calibrated 0–1 by raw / (raw + half), shape (files,)."""
    knobs = table("recommend")["keyword"]
    raw = np.zeros(len(index.files), dtype=np.float32)
    met = np.zeros_like(raw)
    seen: dict[str, None] = {}
    for unit in units(text):
        clause = words(unit)
        _add_clause(index, raw, met, set(clause) - seen.keys(), clause)
        _add_pairs(index, raw, clause, seen)
        seen.update(dict.fromkeys(clause))
    _judge_names(index, raw, seen, knobs)
    raw = np.maximum(raw + index.priors, np.float32(0))
    calibrated: Floats = raw / (raw + np.float32(knobs["half"]))
    return calibrated


@lru_cache(maxsize=2)
def unmet_scores(index: Index) -> Floats:
    """The keyword score of each file when no word of the prompt is met, shape (files,)."""
    return keyword_scores(index, "")


def _add_clause(index: Index, raw: Floats, met: Floats, new: set[str], clause: list[str]) -> None:
    knobs = table("recommend")["keyword"]
    whole = {word: rarity(word) for word in clause if rarity(word) > knobs["ignored_rarity"]}
    short = len(whole) > 1 and len(set(clause)) <= knobs["clause_words"]
    found = {word: index.postings.of(word) for word in whole}
    if short:
        for word, (files, _) in found.items():
            met[files] += whole[word] / sum(whole.values())
    for word in (each for each in whole if each in new):
        files, strength = found[word]
        share = met[files] ** knobs["clause_power"] if short else 1.0
        raw[files] += whole[word] * index.scarcity(len(files)) * strength * share
    for files, _ in found.values():
        met[files] = 0


def _add_pairs(index: Index, raw: Floats, clause: list[str], seen: dict[str, None]) -> None:
    knobs = table("recommend")["keyword"]
    for word in (each for each in dict.fromkeys(clause) if each not in seen):
        raw[index.postings.of(PAIR + word)[0]] += knobs["compound"] * rarity(word)
    for first, second in dict.fromkeys(pairwise(clause)):
        worth = knobs["pair"] * (rarity(first) + rarity(second)) / 2
        raw[index.postings.of(PAIR + first + second)[0]] += worth
        raw[index.postings.of(PAIR + second + first)[0]] += worth * knobs["swapped"]
        files, strength = index.postings.of(first + second)
        raw[files] += knobs["joined"] * max(rarity(first), rarity(second)) * strength


def _judge_names(index: Index, raw: Floats, seen: dict[str, None], knobs: Mapping[str, float]) -> None:
    named = index.named(seen)[index.characters]
    raw[index.characters] *= 1 - knobs["unnamed_character"] * (1 - named)
    raw[index.characters] += knobs["named_character"] * named
    raw[index.styles] += knobs["style_prior"]


@lru_cache(maxsize=4)
def _alignment(index: Index, vectors: VectorTable) -> Floats:
    rows = {name: row for row, name in enumerate(vectors.names)}
    return np.array([rows.get(file.name, -1) for file in index.files], dtype=np.int64)


def semantic_scores(index: Index, vectors: Vectors | None) -> Floats:
    """Cosine of prompt and LoRA texts between floor and ceiling, 0 where a file has no vector yet."""
    if vectors is None or not len(vectors.table.names):
        return np.zeros(len(index.files), dtype=np.float32)
    knobs = table("recommend")["semantic"]
    rows = _alignment(index, vectors.table)
    cosine = (vectors.table.matrix @ vectors.prompt)[rows]
    scaled = (cosine - knobs["floor"]) / (knobs["ceiling"] - knobs["floor"])
    return np.where(rows >= 0, np.clip(scaled, 0, 1) ** knobs["power"], 0).astype(np.float32)


def history_scores(index: Index, leaning: Leaning) -> Floats:
    """Likings as 0–1, 0.5 where nothing is known. They come shrunk already (``intelligence/learn.py``)."""
    others = leaning.loras.get(ANY_OTHER)
    scores = np.full(len(index.files), 0.5 + 0.5 * others.score if others else 0.5, dtype=np.float32)
    for name, liking in leaning.loras.items():
        if (at := index.rows.get(name)) is not None:
            scores[at] = 0.5 + 0.5 * liking.score
    return scores
