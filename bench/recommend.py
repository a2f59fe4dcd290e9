"""How well LoRAs are found for real prompts, against plain BM25 on the same libraries.

    python bench/recommend.py --library loras.jsonl.gz --queries lora_prompts.jsonl.gz [--sub 100 300 1000]

The last line of output is one JSON object: per sub-library size (and "all") the number of queries and hit@k of the
baseline and of the ranking before selection, family gate on, history empty.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bm25 import Bm25
from rows import family_of, model_file, read_rows, slices  # registers the package under the name ``pack``

# isort: split
from pack.intelligence.embedding import VectorStore, find_encoder
from pack.intelligence.ranking import factors_of, index_of, profile, score
from pack.plan import Analysis, Library

KS = (1, 3, 5, 10)
Row = dict[str, Any]


def analysis_of(prompt: str) -> Analysis:
    return Analysis(prompt, prompt)


@dataclass(frozen=True)
class Setting:
    """What is asked how: the field of the query, the profile of weights, vectors if any."""

    field: str
    profile: str = "documented"
    vectors: tuple[Any, Any] | None = None  # a VectorStore and the table of all files


class Ours:
    """The ranking over one slice; files of other families get no score at all."""

    def __init__(self, rows: list[Row], setting: Setting, label: str) -> None:
        self._library = Library(tuple(model_file(row) for row in rows), label)
        self._setting = setting

    def scores(self, query: Row) -> np.ndarray:
        index = index_of(self._library)
        loads = factors_of(index, family_of(query.get("base_model")) or "")
        analysis = analysis_of(query[self._setting.field])
        vectors = None
        if self._setting.vectors:
            store, known = self._setting.vectors
            vectors = store.vectors(analysis, known)
        total = score(index, analysis, weights=profile(self._setting.profile), vectors=vectors)[0]
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


def measure(parts: list[list[Row]], queries: list[Row], setting: Setting) -> list[tuple[Row, str, int, int]]:
    """Per query: its row, the relevant LoRA's kind, the baseline's rank and ours."""
    found = []
    for number, rows in enumerate(parts):
        plain, ours = Bm25(rows), Ours(rows, setting, f"{len(rows)}/{number}/{rows[0]['id']}")
        for query, relevant in asked(rows, queries):
            kind = rows[relevant[0]].get("kind") or "none"
            ranks = best_rank(plain.scores(query[setting.field]), relevant), best_rank(ours.scores(query), relevant)
            found.append((query, kind, *ranks))
    return found


def summary(found: list[tuple[Row, str, int, int]]) -> dict[str, Any]:
    return {"queries": len(found), "bm25": hits([f[2] for f in found]), "ours": hits([f[3] for f in found])}


def tuned(query: Row) -> bool:
    """Whether this development query was among the 70 % that numbers were tuned on."""
    return int(hashlib.sha1(f"cv{query['id']}".encode()).hexdigest()[:8], 16) % 100 < 70


def third_party(query: Row) -> bool:
    """Whether someone other than the LoRA's author used it, and surely that one."""
    return query.get("origin", "own_gallery") != "own_gallery" and query.get("gt_confidence") == "high"


def vectors_for(library: list[Row], path: Path | None) -> tuple[Any, Any] | None:
    """Vectors of the whole library, encoded here where ``path`` does not hold them yet."""
    encoder = find_encoder() if path else None
    if not path or not encoder:
        return None
    files = Library(tuple(model_file(row) for row in library), "vectors")
    store = VectorStore(path, encoder)
    store.update(files)
    return store, store.table(files)


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
    ask.add_argument("--profile", default="documented", help="weights of data/recommend.toml")
    ask.add_argument("--vectors", type=Path, help="file for text vectors; encodes what it lacks (minutes)")
    given = ask.parse_args()
    library, rows = read_rows(given.library), read_rows(given.queries)
    field = next(name for name in (given.field, "prompt", "query") if name in rows[0])
    queries = [row for row in rows if row.get("core", "core" not in rows[0])]
    setting = Setting(field, given.profile, vectors_for(library, given.vectors))
    report: dict[str, Any] = {"sub": {}}
    for size in given.sub:
        found = measure(list(slices(library, size)), queries, setting)
        report["sub"][str(size)] = summary(found)
        if size == 300:
            report["by_kind"] = by_kind(found)
            report["tuned_on"] = {
                part: summary([entry for entry in found if tuned(entry[0]) is (part == "yes")]) for part in ("yes", "no")
            }
            if others := [row for row in rows if third_party(row)]:
                report["third_party"] = summary(measure(list(slices(library, size)), others, setting))
    report["sub"]["all"] = summary(measure([library], queries, setting))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
