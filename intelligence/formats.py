"""Whether a word for a format ("portrait", "landscape", "poster") speaks of the picture or of something in it."""

from __future__ import annotations

from .vocabulary import find
from .words import Word, fold, grammar, singular, words_of

# Text further away says nothing about the word.
NEAR_CHARACTERS = 80
NEAR_WORDS = 5
ON_WORDS = 4
NOUNS = frozenset({"object", "clothing", "character", "appearance", "hair"})
WALLS = frozenset({"wall", "pared", "door", "puerta", "easel", "caballete", "shelf", "estante"})


def is_something_else(before: str, word: str, after: str) -> bool:
    """``word`` between the text before and after it: "portrait painter", "in front of floral wallpaper", "a poster on
    the wall" ask for no format."""
    following = _clause(words_of([(after[:NEAR_CHARACTERS], 1.0)]))
    if following and following[0].plain in grammar("format_makers"):
        return True
    if "_".join(singular(fold(part)) for part in word.split()) not in grammar("format_things"):
        return False
    preceding = _clause(words_of([(before[-NEAR_CHARACTERS:], 1.0)])[::-1])[:NEAR_WORDS][::-1]
    return _is_placed(preceding) or _is_hung(following[:ON_WORDS])


def _clause(words: tuple[Word, ...]) -> list[Word]:
    end = next((place for place, word in enumerate(words) if word.is_mark), len(words))
    return list(words[:end])


def _is_placed(preceding: list[Word]) -> bool:
    """After a preposition, with no other noun in between that the preposition could belong to ("with red hair portrait")."""
    places = [place for place, word in enumerate(preceding) if word.plain in grammar("prepositions")]
    if not places or any(word.plain in grammar("format_again") for word in preceding):
        return False
    between = preceding[places[-1] + 1 :]
    return not any(entry.category in NOUNS for hit in find(between, ("en", "es")) for entry in hit.entries)


def _is_hung(following: list[Word]) -> bool:
    if following and following[0].plain in grammar("hung"):
        return True
    placed = bool(following) and following[0].plain in grammar("prepositions")
    return placed and any(word.key in WALLS for word in following)
