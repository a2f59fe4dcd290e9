"""Which family row a file belongs to. Descendants of one architecture share every key and shape, so words
decide: what the hub says, what the trainer wrote into the file, then the name; each with its confidence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..data import table
from ..plan import Prediction

# How far each kind of clue is believed, 0–1. Our own scale: hubs are curated, names are habits.
HUB, METADATA, NAME, ONLY_ROW, DEFAULT = 0.95, 0.85, 0.7, 0.9, 0.5


@dataclass(frozen=True)
class Clues:
    """What is said about a file. ``hub`` is the hub's base model, ``metadata`` what the header says of its
    base, ``name`` the relative path, ``title`` what its author calls it, ``spec`` the architecture by
    its own word (which names no descendant, so it never decides a family)."""

    hub: str = ""
    metadata: str = ""
    name: str = ""
    title: str = ""
    spec: str = ""

    @property
    def words(self) -> str:
        return " ".join((self.hub, self.metadata, self.name, self.title, self.spec))


def refine(architecture: str | None, clues: Clues, rules: str = "refine") -> str | None:
    """The architecture, where equal shapes stand for two and words tell them apart."""
    for other, pattern in table("architectures")[rules].get(architecture, {}).items():
        if re.search(pattern, clues.words, re.IGNORECASE):
            return str(other)
    return architecture


def purpose(clues: Clues) -> str | None:
    """ "inpainting" or "editing" for models that need an input picture, else ``None``."""
    patterns = table("architectures")["purpose"]
    return next((name for name, words in patterns.items() if re.search(words, _spaced(clues.name), re.IGNORECASE)), None)


def prediction_said(clues: Clues) -> Prediction | None:
    """v-prediction where the name or the metadata say so."""
    pattern = table("architectures")["said"]["v_prediction"]
    return Prediction.V if re.search(pattern, clues.words, re.IGNORECASE) else None


def distillation_said(clues: Clues) -> str | None:
    """The distillation a file carries, by the words of its name, title, metadata and hub base model."""
    words = _spaced(clues.words)
    for name, patterns in _distillations():
        if any(pattern.search(words) for pattern in patterns):
            return name
    return None


def family_of(architecture: str | None, prediction: Prediction | None, clues: Clues) -> tuple[str | None, float]:
    """The family row and the confidence 0–1 it is held with; ``(None, 0)`` for unknown architectures."""
    rows = _rows().get(architecture or "", ())
    if not rows:
        return None, 0.0
    hub = _plain(clues.hub)
    named = [row for row in rows if hub and hub in row.base_models]
    if named:
        return _best(named, prediction).id, HUB
    for text, confidence in ((clues.metadata, METADATA), (f"{clues.name} {clues.title}", NAME)):
        matching = [row for row in rows if row.matches(text)]
        if matching:
            return _best(matching, prediction).id, confidence
    agreeing = _agreeing(rows, prediction)
    return agreeing[0].id, ONLY_ROW if len(rows) == 1 else DEFAULT


@dataclass(frozen=True)
class _Row:
    id: str
    prediction: str
    base_models: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]

    def matches(self, text: str) -> bool:
        words = _spaced(text)
        return any(pattern.search(words) for pattern in self.patterns)


def _agreeing(rows: Sequence[_Row], prediction: Prediction | None) -> Sequence[_Row]:
    return [row for row in rows if prediction is None or row.prediction == prediction.value] or rows


def _best(rows: Sequence[_Row], prediction: Prediction | None) -> _Row:
    """A descendant before its ancestor: the table lists ancestors first."""
    return _agreeing(rows, prediction)[-1]


@cache
def _rows() -> Mapping[str, tuple[_Row, ...]]:
    rows: dict[str, list[_Row]] = {}
    for name, row in table("families")["family"].items():
        rows.setdefault(row["architecture"], []).append(_row(name, row))
    return {architecture: tuple(held) for architecture, held in rows.items()}


def _row(name: str, row: Mapping[str, Any]) -> _Row:
    return _Row(name, row["prediction"], frozenset(map(_plain, row.get("base_models", ()))), _compiled(row.get("match", ())))


@cache
def _distillations() -> Sequence[tuple[str, tuple[re.Pattern[str], ...]]]:
    return [(name, _compiled(row.get("match", ()))) for name, row in table("families")["distillation"].items()]


def _compiled(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


_JOINTS = re.compile(r"[_\-./\\]+|(?<=[a-z])(?=[A-Z])")


def _spaced(text: str) -> str:
    """The text with its words apart too, so that ``\\b`` finds "pony" in "ponyDiffusion_v6"."""
    return f"{text} {_JOINTS.sub(' ', text)}"
