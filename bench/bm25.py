"""The baseline: plain BM25 over name, tags, trained words and description."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from math import log
from typing import Any

import numpy as np

_TOKEN = re.compile("[a-z0-9]+|[\u4e00-\u9fff]")
K1, B = 1.2, 0.75


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def text_of(row: dict[str, Any]) -> str:
    return " ".join([row["name"], *(row.get("tags") or ()), *(row.get("trained_words") or ()), row.get("description") or ""])


class Bm25:
    """Scores of all rows for a query, as ``log(1 + (N - n + 0.5) / (n + 0.5))`` times the saturated term frequency."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        counts = [Counter(tokens(text_of(row))) for row in rows]
        lengths = [sum(count.values()) for count in counts]
        usual = sum(lengths) / max(1, len(rows))
        lists: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for row, count in enumerate(counts):
            for word, times in count.items():
                lists[word].append((row, times * (K1 + 1) / (times + K1 * (1 - B + B * lengths[row] / usual))))
        self._size = len(rows)
        self._postings = {word: self._packed(entries) for word, entries in lists.items()}

    def _packed(self, entries: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
        scarcity = log(1 + (self._size - len(entries) + 0.5) / (len(entries) + 0.5))
        return np.array([row for row, _ in entries]), np.array([value * scarcity for _, value in entries])

    def scores(self, query: str) -> np.ndarray:
        total = np.zeros(self._size)
        for word in set(tokens(query)):
            if (found := self._postings.get(word)) is not None:
                total[found[0]] += found[1]
        return total
