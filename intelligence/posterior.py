"""The arithmetic of likings: shrunk means with their uncertainty, and likings along the arms of a setting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..data import table


@dataclass(frozen=True)
class Belief:
    """How much something is liked, 0–1: ``mean`` with its standard deviation ``sd``; ``weight`` of evidence."""

    mean: float
    sd: float
    weight: float = 0.0


def shrunk(liked: float, weight: float, usual: float, prior: float) -> Belief:
    """The Beta posterior whose prior counts as ``prior`` verdicts of what is usual."""
    mean = (liked + prior * usual) / (weight + prior)
    return Belief(mean, math.sqrt(max(mean * (1 - mean), 0.01) / (weight + prior + 1)), weight)


def prior_weight(rows: Sequence[tuple[float, float]], usual: float) -> float:
    """How many verdicts the prior counts as, from how much the rows (liked, weight) differ by more than chance would let
    them (method of moments, DerSimonian & Laird 1986): verdicts that tell nothing apart leave everything at the usual."""
    knobs = table("learning")["posterior"]
    chance = knobs["noise"] * max(usual * (1 - usual), 0.05)
    between = _between([row for row in rows if row[1] >= 1], chance, knobs)
    return float(min(knobs["most"], max(knobs["least"], chance / max(between, 1e-6))))


def _between(rows: Sequence[tuple[float, float]], chance: float, knobs: Mapping[str, float]) -> float:
    """The variance between things beyond that of their verdicts, blended with what is expected of people."""
    if len(rows) < 2:
        return knobs["spread"]
    total = sum(weight for _, weight in rows)
    mean = sum(liked for liked, _ in rows) / total
    scatter = sum(weight * (liked / weight - mean) ** 2 for liked, weight in rows)
    told = total - sum(weight**2 for _, weight in rows) / total
    excess = max(0.0, scatter - (len(rows) - 1) * chance)
    return (knobs["certainty"] * knobs["spread"] + excess) / (knobs["certainty"] + told)


# --------------------------------------------------------------------------- settings


@dataclass(frozen=True)
class Line:
    """Beliefs about the arms of a setting: ``means`` and covariance ``spread`` by arm, −n … n."""

    arms: tuple[int, ...]
    means: tuple[float, ...]
    spread: tuple[tuple[float, ...], ...]

    def better(self, arm: int, other: int = 0) -> tuple[float, float]:
        """By how much ``arm`` is liked better than ``other``, and the standard deviation of that."""
        i, j = self.arms.index(arm), self.arms.index(other)
        variance = self.spread[i][i] + self.spread[j][j] - 2 * self.spread[i][j]
        return self.means[i] - self.means[j], math.sqrt(max(variance, 0.0))

    def best(self, among: Iterable[int]) -> int:
        """The arm that is liked best, the one nearest to the usual among equals."""
        return max(among, key=lambda arm: (self.means[self.arms.index(arm)], -abs(arm), arm))


def line(evidence: Mapping[int, tuple[float, float]], usual: float) -> Line:
    """Likings of neighbouring arms resemble each other: a Gaussian process (Rasmussen & Williams 2006, eq. 2.23–2.24)
    over the arms, with squared-exponential covariance and the noise of the verdicts."""
    knobs = table("learning")["arm"]
    arms = tuple(range(-knobs["arms"], knobs["arms"] + 1))
    seen = [arm for arm, (_, weight) in evidence.items() if weight > 0.05]
    noise = knobs["noise"] * max(usual * (1 - usual), 0.05)
    kernel = [[_alike(one, two, knobs) + (noise / evidence[one][1] if one == two else 0.0) for two in seen] for one in seen]
    solved = _inverse(kernel)
    # The level itself is uncertain too: a constant part of the covariance, so that only differences pull.
    away = [evidence[arm][0] / evidence[arm][1] - usual for arm in seen]
    cross = [[_alike(arm, other, knobs) for other in seen] for arm in arms]
    gain = [_times(row, solved) for row in cross]
    means = tuple(usual + sum(g * a for g, a in zip(row, away, strict=True)) for row in gain)
    spread = tuple(
        tuple(
            _alike(one, two, knobs) - sum(g * c for g, c in zip(gain[i], cross[j], strict=True)) for j, two in enumerate(arms)
        )
        for i, one in enumerate(arms)
    )
    return Line(arms, means, spread)


def _alike(one: int, two: int, knobs: Mapping[str, float]) -> float:
    level, shape = knobs["level"], knobs["spread"]
    return float(level + shape * math.exp(-((one - two) ** 2) / (2 * knobs["length"] ** 2)))


def _times(row: Sequence[float], matrix: Sequence[Sequence[float]]) -> list[float]:
    return [sum(value * matrix[k][j] for k, value in enumerate(row)) for j in range(len(matrix))]


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Gauss–Jordan; the matrix is positive definite and as large as the arms tried, at most nine."""
    size = len(matrix)
    rows = [[*row, *(1.0 if i == j else 0.0 for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = rows[i][i]
        rows[i] = [value / pivot for value in rows[i]]
        for j in range(size):
            if j != i:
                factor = rows[j][i]
                rows[j] = [value - factor * other for value, other in zip(rows[j], rows[i], strict=True)]
    return [row[size:] for row in rows]
