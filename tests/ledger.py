"""The tallies of a history in memory, decaying as the database's do: what the rules of learning are tried on."""

from __future__ import annotations

from collections.abc import Iterable

from pack.feedback import Made, Standing, Tally, Trait, Verdict
from pack.intelligence.evidence import rules

FAINT = 0.05  # as in ``learning/tallying.py``: fainter evidence is not told


class Ledger:
    """Every verdict is a tick; a sum counts half after ``half_life`` more of them."""

    def __init__(self, half_life: float | None = None) -> None:
        self.rules = rules()
        self.half_life = half_life or self.rules.half_life
        self.tick = 0
        self.version = 0
        self._rows: dict[str, dict[tuple[str, str, str], list[float]]] = {}

    def make(self, made: Made) -> None:
        """Add the evidence in the making of a picture."""
        for trait, said in self.rules.hints(made):
            self._add(trait, said)
        self.version += bool(made.changes)

    def judge(self, made: Made, standing: Standing) -> None:
        """Add what a person thinks of a picture; once each."""
        said = self.rules.verdict(standing)
        self.tick += 1
        self.version += 1
        for trait in self.rules.traits(made):
            self._add(trait, said)

    def _add(self, trait: Trait, said: Verdict) -> None:
        rows = self._rows.setdefault(trait.context, {})
        row = rows.setdefault((trait.kind, trait.name, trait.family), [0.0, 0.0, 0.0, 0.0, 0.0, float(self.tick)])
        fade = self._fade(row)
        liked = said.liked * said.weight
        row[0] = row[0] * fade + liked
        row[1] = row[1] * fade + said.weight - liked
        row[2] = row[2] * fade + liked * trait.value
        if said.stars is not None:
            row[3] += 1
            row[4] += said.stars
        row[5] = float(self.tick)

    def _fade(self, row: list[float]) -> float:
        return float(0.5 ** ((self.tick - row[5]) / self.half_life))

    def tallies(self, contexts: Iterable[str]) -> list[Tally]:
        """The evidence of these contexts as it counts now."""
        found = []
        for context in contexts:
            for (kind, name, family), row in self._rows.get(context, {}).items():
                fade, rated = self._fade(row), int(row[3])
                if (row[0] + row[1]) * fade <= FAINT:
                    continue
                value = row[2] / row[0] if row[0] > 0 else 0.0
                stars = row[4] / rated if rated else None
                found.append(Tally(kind, name, family, context, row[0] * fade, row[1] * fade, value, stars, rated))
        return found
