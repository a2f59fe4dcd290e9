"""Chance without a random source: the same prompt and the same taste always try the same thing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from statistics import NormalDist

ANY_OTHER = "*"  # in ``Leaning.loras``: every LoRA nothing is known of
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Chance:
    """``budget`` is the share of decisions, 0–1, in which something little tried may go first."""

    prompt: str
    version: int
    budget: float

    def unit(self, *about: str) -> float:
        """A number strictly between 0 and 1, as if drawn evenly."""
        text = "\0".join((str(self.version), self.prompt, *about))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48

    def normal(self, *about: str) -> float:
        """A number as if drawn from the standard normal distribution."""
        return _NORMAL.inv_cdf(self.unit(*about))

    @property
    def tries(self) -> bool:
        """Whether this decision is one of those that try something."""
        return self.unit("try") < self.budget
