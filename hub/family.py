"""Which family row a file belongs to. Descendants of one architecture share every key and shape, so words
decide: what the hub says, what the trainer wrote into the file, then the name; each with its confidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ..data import table
from ..data.families import Family, distillation_named, distillations, families, plain
from ..plan import Prediction

# How far each kind of clue is believed, 0–1. Our own scale: hubs are curated, names are habits.
HUB, METADATA, NAME, ONLY_ROW, SIZE, DEFAULT = 0.95, 0.85, 0.7, 0.9, 0.8, 0.5


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
        return plain(" ".join((self.hub, self.metadata, self.name, self.title, self.spec)))


def refine(architecture: str | None, clues: Clues, rules: str = "refine") -> str | None:
    """The architecture, where equal shapes stand for two and words tell them apart."""
    others = table("architectures")[rules].get(architecture, {})
    words = clues.words if others else ""
    return next((other for other, pattern in others.items() if re.search(pattern, words)), architecture)


def purpose(clues: Clues) -> str | None:
    """ "inpainting" or "editing" for models that need an input picture, else ``None``."""
    patterns = table("architectures")["purpose"]
    return next((name for name, words in patterns.items() if re.search(words, plain(clues.name))), None)


def prediction_said(clues: Clues) -> Prediction | None:
    """v-prediction where the name or the metadata say so."""
    return Prediction.V if re.search(table("architectures")["said"]["v_prediction"], clues.words) else None


def distillation_said(architecture: str | None, clues: Clues) -> str | None:
    """The distillation a file carries, by the words of its name, title, metadata and hub base model."""
    words = clues.words
    if architecture is None or not _any_distillation(architecture).search(words):
        return None
    found = distillation_named(architecture, (words,))
    return found.id if found else None


@cache
def _any_distillation(architecture: str) -> re.Pattern[str]:
    patterns = [pattern for row in distillations().values() if architecture in row.architectures for pattern in row.match]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")


def family_of(
    architecture: str | None, clues: Clues, prediction: Prediction | None = None, parameters: int = 0
) -> tuple[str | None, float]:
    """The family row and the confidence 0–1 it is held with; ``(None, 0)`` for unknown architectures.

    ``prediction`` and ``parameters`` (weights of the diffusion model) narrow the rows where they are known."""
    every = _rows(architecture or "")
    if not every:
        return None, 0.0
    rows = _of_size(every, parameters)
    named, confidence = _named(rows, clues)
    if named is None or len(every) == 1:
        confidence = max(confidence, _unnamed_confidence(every, rows))
    return _agreeing(named or rows[0], every, prediction).id, confidence


def _named(rows: Sequence[Family], clues: Clues) -> tuple[Family | None, float]:
    hub = _letters(clues.hub)
    if hub:
        for row in rows:
            if hub in _base_models(row.id):
                return row, HUB
    for text, confidence in ((clues.metadata, METADATA), (f"{clues.name} {clues.title}", NAME)):
        matching = _matching(rows, plain(text))
        if matching:
            return matching, confidence
    return None, 0.0


def _matching(rows: Sequence[Family], words: str) -> Family | None:
    ranked = [(row.match_rank, length, row) for row in rows if (length := _longest(row, words))]
    return max(ranked, key=lambda found: found[:2])[2] if ranked else None


def _longest(row: Family, words: str) -> int:
    return max((len(found[0]) for pattern in row.match if (found := re.search(pattern, words))), default=0)


def _of_size(rows: Sequence[Family], parameters: int) -> Sequence[Family]:
    billions = parameters / 1e9
    fitting = [row for row in rows if row.parameters_b is None or row.parameters_b[0] <= billions <= row.parameters_b[1]]
    return fitting if parameters and fitting else rows


def _unnamed_confidence(every: Sequence[Family], rows: Sequence[Family]) -> float:
    if len(every) == 1:
        return ONLY_ROW
    return SIZE if len(rows) < len(every) else DEFAULT


def _agreeing(row: Family, rows: Sequence[Family], prediction: Prediction | None) -> Family:
    """The row, or its variant for what was measured: v-prediction changes the sampling, whatever the name."""
    if prediction is None or row.prediction is prediction:
        return row
    parents = {name: held.get("like") for name, held in table("families")["family"].items()}
    kin = (other for other in rows if other.prediction is prediction and row.id in (parents[other.id], other.id))
    return next(kin, row)


@cache
def _rows(architecture: str) -> tuple[Family, ...]:
    held = (row for row in families().values() if row.architecture == architecture)
    return tuple(sorted(held, key=lambda row: row.match_rank))


@cache
def _base_models(family: str) -> frozenset[str]:
    return frozenset(map(_letters, families()[family].base_models))


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
