"""LoRA texts as an inverted index: which words stand in which file, and how prominently. Needs numpy."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import log, log1p
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ..data import table
from ..plan import ModelFile
from .matching import Nature, nature_of
from .naming import names_of, trigger_units
from .text import name_words, rarity, words

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]

PAIR, NAME = "\0", "\1"
_EMPTY = (np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))
_MIN_RARITY = 0.3


@dataclass(frozen=True, eq=False)
class Postings:
    """Term → entries, in compressed rows: term ``t`` holds ``ids[starts[t]:starts[t + 1]]`` with ``strengths``."""

    terms: dict[str, int]
    starts: NDArray[np.int64]
    ids: Rows
    strengths: Floats

    def of(self, term: str) -> tuple[Rows, Floats]:
        at = self.terms.get(term)
        if at is None:
            return _EMPTY
        part = slice(self.starts[at], self.starts[at + 1])
        return self.ids[part], self.strengths[part]


@dataclass(frozen=True, eq=False)
class Index:
    """The LoRAs of a library, searchable. Arrays are float32 or int32 of shape (files,) unless said otherwise:
    ``popularity`` 0–1, ``characters``, ``styles`` and ``details`` the rows of such LoRAs; ``owners`` maps each
    name of a character to its row."""

    files: tuple[ModelFile, ...]
    postings: Postings
    popularity: Floats
    characters: Rows
    styles: Rows
    details: Rows
    owners: Rows
    masses: Floats
    priors: Floats

    @cached_property
    def rows(self) -> dict[str, int]:
        return {file.name: at for at, file in enumerate(self.files)}

    def scarcity(self, holders: int) -> float:
        """1 for a word in one file, near 0 for a word in all (BM25's inverse document frequency, scaled)."""
        count = len(self.files)
        return log(1 + (count - holders + 0.5) / (holders + 0.5)) / log(1 + count)

    def named(self, said: Iterable[str]) -> Floats:
        """How far a name of each file was said, 0–1: the share of its rarity, and 1 only for a telling name."""
        met = np.zeros(len(self.owners), dtype=np.float32)
        touched = []
        for word in said:
            names, shares = self.postings.of(NAME + word)
            met[names] += shares
            touched.append(names)
        named = np.zeros(len(self.files), dtype=np.float32)
        if touched:
            at = np.concatenate(touched)
            np.maximum.at(named, self.owners[at], met[at] * np.minimum(1, met[at] * self.masses[at]))
        return named


def build_index(files: tuple[ModelFile, ...]) -> Index:
    """Reads every text once; about 0.3 ms a file."""
    build = _Builder()
    rows: dict[Nature, list[int]] = {nature: [] for nature in Nature}
    owners, masses, priors = array("i"), array("f"), array("f")
    for row, file in enumerate(files):
        priors.append(build.add_file(row, file))
        nature = nature_of(file)
        rows[nature].append(row)
        for name in names_of(file) if nature is Nature.CHARACTER else ():
            mass = max(_MIN_RARITY, sum(rarity(word) for word in name))
            build.add(((NAME + word, rarity(word) / mass) for word in name), len(owners))
            owners.append(row)
            masses.append(mass)
    return Index(
        files,
        build.packed(),
        popularity(files),
        characters=np.array(rows[Nature.CHARACTER], dtype=np.int32),
        styles=np.array(rows[Nature.STYLE], dtype=np.int32),
        details=np.array(rows[Nature.DETAIL], dtype=np.int32),
        owners=np.array(owners, dtype=np.int32),
        masses=np.array(masses, dtype=np.float32),
        priors=np.array(priors, dtype=np.float32),
    )


def popularity(files: Sequence[ModelFile]) -> Floats:
    """Log downloads (likes count as several), pulled towards the prior: ten likes do not beat ten thousand downloads."""
    knobs = table("recommend")["popularity"]
    counts = [log1p((file.downloads + knobs["like"] * file.likes) / knobs["prior_downloads"]) for file in files]
    scaled: Floats = np.array(counts, dtype=np.float32) / np.float32(log1p(knobs["full_downloads"] / knobs["prior_downloads"]))
    return np.float32(0.5) + np.float32(knobs["spread"]) * (np.clip(scaled, 0, 1) - np.float32(0.5))


class _Builder:
    def __init__(self) -> None:
        self._terms: dict[str, int] = {}
        self._of, self._ids, self._strengths = array("i"), array("i"), array("f")

    def add(self, entries: Iterable[tuple[str, float]], entry_id: int) -> None:
        terms = self._terms
        for term, strength in entries:
            self._of.append(terms.setdefault(term, len(terms)))
            self._ids.append(entry_id)
            self._strengths.append(strength)

    def add_file(self, row: int, file: ModelFile) -> float:
        """Adds the words of a file and returns its prior."""
        fields = Fields.of(file)
        self.add(fields.worth().items(), row)
        self.add(((PAIR + pair, 1.0) for pair in fields.pairs()), row)
        return fields.prior()

    def packed(self) -> Postings:
        of = np.frombuffer(self._of, dtype=np.int32) if self._of else np.zeros(0, dtype=np.int32)
        order = np.argsort(of, kind="stable")
        starts = np.zeros(len(self._terms) + 1, dtype=np.int64)
        np.cumsum(np.bincount(of, minlength=len(self._terms)), out=starts[1:])
        ids = np.frombuffer(self._ids, dtype=np.int32) if self._ids else _EMPTY[0]
        strengths = np.frombuffer(self._strengths, dtype=np.float32) if self._strengths else _EMPTY[1]
        return Postings(self._terms, starts, ids[order], strengths[order])


@dataclass(frozen=True)
class Fields:
    """A LoRA's words by the place where they stand."""

    title: list[str]
    path: list[str]
    triggers: list[list[str]]
    tags: list[list[str]]
    description: list[str]

    @classmethod
    def of(cls, file: ModelFile) -> Fields:
        limit = table("recommend")["fields"]["description_characters"]
        return cls(
            name_words(file.title),
            name_words(PurePosixPath(file.name.replace("\\", "/")).stem),
            [words(unit) for unit in trigger_units(file)],
            [words(tag) for tag in file.tags],
            words(file.description[:limit]),
        )

    def worth(self) -> dict[str, float]:
        """The weight of each word, summed over the fields that hold it."""
        weights = table("recommend")["fields"]
        triggers = {word for unit in self.triggers for word in unit}
        total: dict[str, float] = {}
        for field, weight in (
            ({*self.title, *self.path}, weights["name"]),
            (triggers, weights["trigger"] / (1 + len(triggers) / weights["trigger_words"])),
            ({word for tag in self.tags for word in tag}, weights["tag"]),
            (set(self.description), 0.0),
        ):
            for word in field:
                total[word] = total.get(word, 0.0) + weight
        return {word: weights["anywhere"] + value for word, value in total.items()}

    def prior(self) -> float:
        """What a LoRA is owed before any word is met: long trigger lists and missing tags invite chance matches."""
        knobs = table("recommend")["keyword"]
        count = len({word for unit in self.triggers for word in unit})
        return float(knobs["prior"] - knobs["per_trigger_word"] * log1p(count) - knobs["untagged"] * (not self.tags))

    def pairs(self) -> set[str]:
        """Adjacent words of names, triggers and tags, joined."""
        return {a + b for unit in (self.title, self.path, *self.triggers, *self.tags) for a, b in pairwise(unit)}
