"""What a picture is mainly of: the head nouns of the prompt, the earlier the heavier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .vocabulary import Hit
from .words import Word

PREPOSITIONS = frozenset(
    [
        "in",
        "on",
        "at",
        "with",
        "near",
        "behind",
        "under",
        "over",
        "against",
        "beside",
        "by",
        "from",
        "into",
        "onto",
        "through",
        "inside",
        "above",
        "below",
        "between",
        "among",
        "around",
        "across",
        "along",
        "towards",
        "toward",
        "during",
        "next",
        "wearing",
        "holding",
        "carrying",
        "surrounded",
        "covered",
        "filled",
        "en",
        "sobre",
        "con",
        "cerca",
        "detras",
        "bajo",
        "junto",
        "contra",
        "desde",
        "entre",
        "hacia",
        "dentro",
        "ante",
    ]
)
# "a bowl of soup" shows soup, "a statue of a horse" a statue.
TRANSPARENT = frozenset(
    [
        "bowl",
        "cup",
        "plate",
        "glass",
        "bottle",
        "piece",
        "pile",
        "photo",
        "photograph",
        "picture",
        "image",
        "painting",
        "drawing",
        "sketch",
        "illustration",
        "view",
        "group",
        "pair",
        "portrait",
        "shot",
        "close",
        "up",
        "video",
        "bunch",
        "basket",
        "bouquet",
        "stack",
        "set",
        "kind",
        "type",
        "mug",
        "jar",
        "slice",
        "scene",
        "herd",
        "flock",
        "row",
        "lot",
        "couple",
        "field",
        "footage",
        "rendering",
        "render",
        "tazon",
        "vaso",
        "plato",
        "taza",
        "foto",
        "fotografia",
        "imagen",
        "pintura",
        "dibujo",
        "vista",
        "grupo",
        "par",
        "retrato",
        "primer",
        "plano",
        "ilustracion",
    ]
)
QUOTES = frozenset('"“”«»')
# Nouns after a preposition set the scene or dress the subject.
PLACE_FACTOR = 0.35
# A noun right before another one describes it: "soccer player", "car engine".
MODIFIER_FACTOR = 0.3
# The k-th noun counts 1 / (1 + DECAY k).
DECAY = 0.4
WRITTEN = 1.6


@dataclass(frozen=True)
class ContentFound:
    """A content with its score and the phrases for it."""

    content: str
    score: float = 0.0
    phrases: tuple[str, ...] = ()


def content_of(words: Sequence[Word], hits: Sequence[Hit]) -> ContentFound:
    """The best supported content, "other" when no known noun is met."""
    scores: dict[str, float] = {}
    phrases: dict[str, list[str]] = {}
    rank = 0
    for number, hit in enumerate(hits):
        contents = {entry.content for entry in hit.entries if entry.content}
        if not contents or hit.weight <= 0:
            continue
        factor = _factor(words, hits, number) * min(hit.weight, 1.5) / (1 + DECAY * rank)
        rank += 1
        for content in contents:
            scores[content] = scores.get(content, 0.0) + factor
            phrases.setdefault(content, []).append(hit.phrase)
    if any(word.raw in QUOTES for word in words):
        scores["text"] = scores.get("text", 0.0) + WRITTEN
    if not scores:
        return ContentFound("other")
    best = max(scores, key=lambda content: scores[content])
    return ContentFound(best, scores[best], tuple(phrases.get(best, ())[:5]))


def _factor(words: Sequence[Word], hits: Sequence[Hit], number: int) -> float:
    hit = hits[number]
    if number + 1 < len(hits) and hits[number + 1].start == hit.end and _has_content(hits[number + 1]):
        return MODIFIER_FACTOR
    if hit.end < len(words) and words[hit.end].plain in ("of", "de") and words[hit.end - 1].plain in TRANSPARENT:
        return MODIFIER_FACTOR
    return PLACE_FACTOR if _after_preposition(words, hit.start) else 1.0


def _has_content(hit: Hit) -> bool:
    return any(entry.content for entry in hit.entries)


def _after_preposition(words: Sequence[Word], start: int) -> bool:
    for place in range(start - 1, max(start - 6, -1), -1):
        word = words[place]
        if word.is_mark or word.plain in ("and", "y", "is", "are"):
            return False
        if word.plain in ("of", "de"):
            return place == 0 or words[place - 1].plain not in TRANSPARENT
        if word.plain in PREPOSITIONS:
            return place > 0 and not words[place - 1].is_mark
    return False
