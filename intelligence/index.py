"""LoRA texts as an inverted index: which words stand in which file, and how prominently. Needs numpy."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log, log1p
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ..data import table
from ..plan import ModelFile
from .text import name_words, rarity, stem, units, words

PAIR, NAME = "\0", "\1"
_SEGMENTS = re.compile(r"[|/()\[\]（）【】:,;~]|\s-\s")
_EMPTY = (np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))
_MIN_RARITY = 0.3


@dataclass(frozen=True, eq=False)
class Postings:
    """Term → entries, in compressed rows: term ``t`` holds ``ids[starts[t]:starts[t + 1]]`` with ``strengths``."""

    terms: dict[str, int]
    starts: np.ndarray
    ids: np.ndarray
    strengths: np.ndarray

    def of(self, term: str) -> tuple[np.ndarray, np.ndarray]:
        at = self.terms.get(term)
        if at is None:
            return _EMPTY
        part = slice(self.starts[at], self.starts[at + 1])
        return self.ids[part], self.strengths[part]


@dataclass(frozen=True, eq=False)
class Index:
    """The LoRAs of one family, searchable. Arrays are float32 or int32 of shape (files,) unless said otherwise:
    ``factors`` by family, ``popularity`` 0–1, ``characters`` and ``styles`` rows of such LoRAs; ``owners`` maps each
    name of a character to its row."""

    files: tuple[ModelFile, ...]
    factors: np.ndarray
    postings: Postings
    popularity: np.ndarray
    characters: np.ndarray
    styles: np.ndarray
    owners: np.ndarray
    masses: np.ndarray

    @cached_property
    def rows(self) -> dict[str, int]:
        return {file.name: at for at, file in enumerate(self.files)}

    def scarcity(self, holders: int) -> float:
        """1 for a word in one file, near 0 for a word in all (BM25's inverse document frequency, scaled)."""
        count = len(self.files)
        return log(1 + (count - holders + 0.5) / (holders + 0.5)) / log(1 + count)

    def named(self, said: Iterable[str]) -> np.ndarray:
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


def build_index(files: tuple[ModelFile, ...], factors: Sequence[float]) -> Index:
    """Reads every text once; about 0.3 ms a file."""
    build = _Builder()
    kinds = table("recommend")["kinds"]
    characters, styles, owners, masses = array("i"), array("i"), array("i"), array("f")
    for row, file in enumerate(files):
        build.add_file(row, file)
        tags = {tag.lower() for tag in file.tags}
        if tags & set(kinds["character"]):
            characters.append(row)
            for name in _names(file):
                mass = max(_MIN_RARITY, sum(rarity(word) for word in name))
                build.add(((NAME + word, rarity(word) / mass) for word in name), len(owners))
                owners.append(row)
                masses.append(mass)
        elif tags & set(kinds["style"]):
            styles.append(row)
    return Index(
        files,
        np.asarray(factors, dtype=np.float32),
        build.packed(),
        popularity(files),
        *(np.array(rows, dtype=np.int32) for rows in (characters, styles, owners)),
        np.array(masses, dtype=np.float32),
    )


def popularity(files: Sequence[ModelFile]) -> np.ndarray:
    """Log downloads (likes count as several), pulled towards the prior: ten likes do not beat ten thousand downloads."""
    knobs = table("recommend")["popularity"]
    counts = [log1p((file.downloads + knobs["like"] * file.likes) / knobs["prior_downloads"]) for file in files]
    return np.clip(np.array(counts, dtype=np.float32) / log1p(knobs["full_downloads"] / knobs["prior_downloads"]), 0, 1)


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

    def add_file(self, row: int, file: ModelFile) -> None:
        knobs = table("recommend")["keyword"]
        fields = Fields.of(file)
        half = knobs["saturation"] * (1 - knobs["length"] + knobs["length"] * fields.length / knobs["usual_length"])
        self.add(((word, value / (value + half)) for word, value in fields.worth().items()), row)
        self.add(((PAIR + pair, 1.0) for pair in fields.pairs()), row)

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

    @property
    def length(self) -> int:
        return len(self.title) + len(self.description) + len({word for unit in self.triggers for word in unit})

    def worth(self) -> Counter[str]:
        """The weight of each word, summed over the fields that hold it."""
        weights = table("recommend")["fields"]
        triggers = {word for unit in self.triggers for word in unit}
        total: Counter[str] = Counter()
        for field, weight in (
            (set(self.title), weights["name"]),
            (set(self.path), weights["file"]),
            (triggers, weights["trigger"] / (1 + len(triggers) / weights["trigger_words"])),
            ({word for tag in self.tags for word in tag}, weights["tag"]),
            (set(self.description), weights["description"]),
        ):
            for word in field:
                total[word] += weight
        return total

    def pairs(self) -> set[str]:
        """Adjacent words of names, triggers and tags, joined."""
        return {a + b for unit in (self.title, self.path, *self.triggers, *self.tags) for a, b in zip(unit, unit[1:])}


def trigger_units(file: ModelFile) -> Iterator[str]:
    """Every trigger word or phrase of every group, once cut at its commas."""
    for group in file.trigger_groups:
        for entry in group:
            yield from units(entry)


def _names(file: ModelFile) -> list[tuple[str, ...]]:
    """The names a LoRA goes by: parts of its title and its first trigger words, without filler words."""
    filler = _filler()
    parts = [name_words(part) for part in _SEGMENTS.split(file.title)]
    parts += [words(unit) for _, unit in zip(range(8), trigger_units(file))]
    names = (tuple(dict.fromkeys(word for word in part if word not in filler)) for part in parts)
    return [name for name in names if name and any(word.isascii() for word in name)]


def _filler() -> frozenset[str]:
    listed: Any = table("recommend")["kinds"]["filler"]
    return frozenset(stem(word) for word in listed)
