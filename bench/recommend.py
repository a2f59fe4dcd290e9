"""How well LoRAs are found for real prompts, against plain BM25 on the same libraries.

    python bench/recommend.py --library loras.jsonl.gz --queries lora_prompts.jsonl.gz [--sub 100 300 1000]

The last line of output is one JSON object: per sub-library size (and "all") the number of queries and hit@k of the
baseline and of the ranking before selection, family gate on, history empty.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bm25 import Bm25
from rows import family_of, model_file, read_rows, slices  # registers the package under the name ``pack``

# isort: split
from pack.intelligence.ranking import factors_of, index_of, score
from pack.plan import Analysis, Library

KS = (1, 3, 5, 10)
Row = dict[str, Any]
Scorer = Callable[[Row], np.ndarray]


def analysis_of(prompt: str) -> Analysis:
    return Analysis(prompt, prompt)


class Ours:
    """The ranking over one slice; files of other families get no score at all."""

    def __init__(self, rows: list[Row], field: str, label: str) -> None:
        self._library = Library(tuple(model_file(row) for row in rows), label)
        self._field = field

    def scores(self, query: Row) -> np.ndarray:
        index = index_of(self._library)
        loads = factors_of(index, family_of(query.get("base_model")) or "")
        total = score(index, analysis_of(query[self._field]))[0]
        return np.where(loads > 0, total * loads, -1.0)


def best_rank(scores: np.ndarray, relevant: list[int]) -> int:
    """1 for the first place; equal scores keep the library's order."""
    order = np.argsort(-scores, kind="stable")
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(1, len(order) + 1)
    return int(min(places[at] for at in relevant))


def hits(ranks: list[int]) -> dict[str, float]:
    return {f"hit@{k}": round(sum(rank <= k for rank in ranks) / max(1, len(ranks)), 4) for k in KS}


def asked(rows: list[Row], queries: list[Row]) -> Iterator[tuple[Row, list[int]]]:
    """The queries with a relevant LoRA in this slice, with the rows of those."""
    at = {row["id"]: place for place, row in enumerate(rows)}
    for query in queries:
        if relevant := [at[lora] for lora in query["lora_ids"] if lora in at]:
            yield query, relevant


def measure(parts: list[list[Row]], queries: list[Row], field: str) -> list[tuple[Row, str, int, int]]:
    """Per query: its row, the relevant LoRA's kind, the baseline's rank and ours."""
    found = []
    for number, rows in enumerate(parts):
        plain, ours = Bm25(rows), Ours(rows, field, f"{len(rows)}/{number}/{rows[0]['id']}")
        for query, relevant in asked(rows, queries):
            kind = rows[relevant[0]].get("kind") or "none"
            ranks = best_rank(plain.scores(query[field]), relevant), best_rank(ours.scores(query), relevant)
            found.append((query, kind, *ranks))
    return found


def summary(found: list[tuple[Row, str, int, int]]) -> dict[str, Any]:
    return {"queries": len(found), "bm25": hits([f[2] for f in found]), "ours": hits([f[3] for f in found])}


def by_kind(found: list[tuple[Row, str, int, int]]) -> dict[str, Any]:
    kinds = defaultdict(list)
    for entry in found:
        kinds[entry[1]].append(entry)
    return {kind: summary(entries) for kind, entries in sorted(kinds.items())}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--library", type=Path, required=True)
    ask.add_argument("--queries", type=Path, required=True)
    ask.add_argument("--sub", type=int, nargs="*", default=[100, 300, 1000])
    ask.add_argument("--field", default="prompt_natural")
    given = ask.parse_args()
    library, queries = read_rows(given.library), [row for row in read_rows(given.queries) if row.get("core")]
    report: dict[str, Any] = {"sub": {}}
    for size in given.sub:
        found = measure(list(slices(library, size)), queries, given.field)
        report["sub"][str(size)] = summary(found)
        if size == 300:
            report["by_kind"] = by_kind(found)
    report["sub"]["all"] = summary(measure([library], queries, given.field))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
