"""How much a prompt asks for. A prompt is complex when it asks for many *different* things, not when it is long:
each dimension saturates, so that a tenth adjective adds less than a first scene."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..plan import Complexity, Concept, Level
from .words import Word

# What fills a dimension half-way, in distinct concepts (in words for "length"), and its share of the total.
DIMENSIONS: dict[str, tuple[frozenset[str], float, float]] = {
    "subjects": (frozenset({"subject", "character", "object", "abstract", "text"}), 1.5, 0.2),
    "attributes": (frozenset({"clothing", "appearance", "action", "colour", "mood"}), 3.0, 0.2),
    "scene": (frozenset({"scene", "lighting", "camera"}), 1.5, 0.2),
    "style": (frozenset({"style", "medium", "artist", "effect", "theme"}), 1.5, 0.2),
    "detail": (frozenset({"detail", "quality"}), 1.0, 0.12),
}
LENGTH_HALF_WORDS = 30.0
LENGTH_SHARE = 0.08
# Thresholds that divide prompts people really type into thirds: of every third Pick-a-Pic and DiffusionDB prompt at
# hand 36 % come out simple, 33 % moderate, 31 % complex. A bare subject stays below MODERATE_FROM with one attribute
# or style; COMPLEX_FROM takes three well filled dimensions beside the subject.
MODERATE_FROM = 0.24
COMPLEX_FROM = 0.4


def complexity_of(words: Sequence[Word], concepts: Sequence[Concept]) -> Complexity:
    """Dimensions 0–1, their weighted total, and the level the total reaches."""
    found = {name: _filled(concepts, categories, half) for name, (categories, half, _) in DIMENSIONS.items()}
    found["length"] = _saturate(sum(not word.is_mark for word in words), LENGTH_HALF_WORDS)
    total = sum(found[name] * share for name, (_, _, share) in DIMENSIONS.items()) + LENGTH_SHARE * found["length"]
    return Complexity(_level(total), round(total, 4), {name: round(value, 4) for name, value in found.items()})


def _filled(concepts: Sequence[Concept], categories: frozenset[str], half: float) -> float:
    return _saturate(len({concept.name for concept in concepts if concept.category in categories}), half)


def _saturate(count: float, half: float) -> float:
    return 1 - math.pow(0.5, count / half)


def _level(total: float) -> Level:
    if total >= COMPLEX_FROM:
        return Level.COMPLEX
    return Level.MODERATE if total >= MODERATE_FROM else Level.SIMPLE
