"""What of a prompt a LoRA answers to: its nature, how far its name is said, and which words that covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import Any

from ..data import table
from ..plan import Analysis, Concept, Kind, ModelFile
from .naming import chief_names_of, names_of
from .refusals import asked_part
from .text import name_words, rarity, stem, units, words

_STYLE_CATEGORIES = ("style", "medium", "artist")


class Nature(str, Enum):
    """What a LoRA adds: decides when it is asked for, how many go together and how strong it is."""

    CHARACTER = "character"
    STYLE = "style"
    DETAIL = "detail"
    UTILITY = "utility"
    OTHER = "other"


@dataclass(frozen=True)
class Wishes:
    """A prompt as stems: ``said`` all of them, ``styles`` those that name a look, ``concepts`` what was read, ``runs``
    the clauses as stems in order with a blank on either side of each."""

    said: frozenset[str]
    styles: frozenset[str]
    concepts: tuple[tuple[Concept, frozenset[str]], ...]
    clauses: tuple[tuple[str, frozenset[str]], ...]
    runs: tuple[str, ...] = ()

    @classmethod
    def of(cls, analysis: Analysis) -> Wishes:
        text = question(analysis)
        stems = [(unit, words(unit)) for unit in units(text)]
        clauses = tuple((unit, frozenset(held)) for unit, held in stems)
        runs = tuple(f" {' '.join(held)} " for _, held in stems)
        concepts = tuple((concept, _stems(concept)) for concept in analysis.concepts)
        styles = frozenset(word for concept, stems in concepts if concept.category in _STYLE_CATEGORIES for word in stems)
        said = frozenset(word for _, clause in clauses for word in clause)
        return cls(said, styles & said | _style_words(analysis.style) & said, concepts, clauses, runs)

    def literally(self, name: tuple[str, ...]) -> bool:
        """Whether these stems stand side by side in one clause."""
        run = f" {' '.join(name)} "
        return any(run in clause for clause in self.runs)

    def labels(self, stems: frozenset[str]) -> tuple[str, ...]:
        """The concepts these words belong to, or the clauses where no concept holds them."""
        named = {concept.name: held for concept, held in self.concepts if held & stems}
        rest = stems - frozenset(word for held in named.values() for word in held)
        loose = [unit for unit, clause in self.clauses if clause & rest and len(unit) <= 40]
        return tuple(dict.fromkeys([*named, *loose]))


def question(analysis: Analysis, keep_tags: bool = False) -> str:
    """The prompt as LoRA texts are searched with it: English where it was translated; the names of what was read
    beside it where it was not, since vocabulary rows have English names. What the prompt refuses is not in it;
    for ``keep_tags`` see ``asked_part``."""
    if analysis.translation:
        return asked_part(analysis.translation, keep_tags)
    text = asked_part(analysis.text or analysis.prompt, keep_tags)
    return text if analysis.language == "en" else ", ".join([text, *(concept.name for concept in analysis.concepts)])


@dataclass(frozen=True)
class Match:
    """``share`` 0–1 of the LoRA's best said name, ``mass`` how telling its said words are, ``words`` these;
    ``literal`` where the whole name of several words stands in the prompt as such."""

    nature: Nature
    share: float
    mass: float
    words: frozenset[str]
    literal: bool = False


def match(file: ModelFile, wishes: Wishes) -> Match:
    """The name of ``file`` that the prompt says best."""
    nature, names, chief = _identity(file.name, file.title, file.tags, file.trigger_groups)
    knobs = table("recommend")["asked"]
    best = Match(nature, 0.0, 0.0, frozenset())
    for name in names:
        said = frozenset(word for word in name if word in wishes.said)
        telling = sum(rarity(word) >= knobs["telling"] for word in said)
        if telling < (0 if name in chief else knobs["side_words"]):
            continue
        whole, mass = sum(map(rarity, name)), sum(map(rarity, said))
        share = mass / whole if whole else 0.0
        if share * mass > best.share * best.mass:
            best = Match(nature, share, mass, said, _is_literal(name, wishes))
    return best


def _is_literal(name: tuple[str, ...], wishes: Wishes) -> bool:
    return len(name) > 1 and wishes.literally(name)


Names = tuple[tuple[str, ...], ...]


@lru_cache(maxsize=20_000)
def _identity(
    name: str, title: str, tags: tuple[str, ...], groups: tuple[tuple[str, ...], ...]
) -> tuple[Nature, Names, frozenset[tuple[str, ...]]]:
    file = ModelFile(Kind.LORA, name, title=title, tags=tags, trigger_groups=groups)
    nature = nature_of(file)
    keep = nature is Nature.STYLE
    return nature, tuple(names_of(file, keep)), frozenset(chief_names_of(file, keep))


def asked_for(found: Match, wishes: Wishes) -> bool:
    """Whether the prompt says enough of a name of the LoRA, for a LoRA of this nature."""
    knobs = table("recommend")["asked"]
    if found.share < knobs["named_share"]:
        return False
    if found.nature is Nature.CHARACTER:
        return bool(found.mass >= knobs["character"])
    if found.literal and found.mass >= knobs["literal"]:
        return True
    if found.words & wishes.styles:
        return bool(found.mass >= knobs["vocabulary_style"])
    return bool(found.mass >= knobs["style" if found.nature is Nature.STYLE else "other"])


def nature_of(file: ModelFile) -> Nature:
    """By the tags people gave it, then by its name."""
    tags = {tag.lower() for tag in file.tags}
    kinds = table("recommend")["kinds"]
    name = {*name_words(file.title), *name_words(PurePosixPath(file.name.replace("\\", "/")).stem)}
    style = bool(tags & set(kinds["style"])) + bool(name & _stem_set("style"))
    if tags & set(kinds["character"]) and style < 2:
        return Nature.CHARACTER
    if name & _stem_set("utility"):
        return Nature.DETAIL if name & _stem_set("detail") else Nature.UTILITY
    return Nature.STYLE if style else Nature.OTHER


@cache
def _stem_set(kind: str) -> frozenset[str]:
    listed: Any = table("recommend")["kinds"][kind]
    return frozenset(stem(word) for word in listed if " " not in word)


def _stems(concept: Concept) -> frozenset[str]:
    return frozenset(word for phrase in (*concept.words, concept.name) for word in words(phrase))


def _style_words(style: str) -> frozenset[str]:
    return frozenset() if style == "none" else frozenset(words(style.replace("_", " ")))


def camps_of(phrases: Iterable[str]) -> frozenset[str]:
    """The looks these words or tags belong to, of those that exclude each other."""
    held = {phrase.lower().replace("_", " ") for phrase in phrases}
    return frozenset(camp for camp, listed in table("recommend")["camps"].items() if held & set(listed))
