"""How well the rules read prompts: ``python bench/analyze.py FILE.jsonl.gz [--spanish] [--part held|tuned]``.

FILE holds one JSON object a line with ``prompt``, a label in ``style`` or ``category`` and, where known, ``kind`` and
``secondary``. Rows labelled ``other`` or ``world_knowledge`` are left out. The last line of the output is one JSON object.
``--spanish`` asks the Spanish translations in ``spanish.jsonl`` of rows that are in FILE, beside their English originals.
``--part`` keeps the 30 % of rows that tuning does not look at (``held``), or the others (``tuned``).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import json
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LEFT_OUT = {"other", "world_knowledge"}
# The data set's content labels, with its two interiors and its two kinds of character merged.
CONTENTS = {
    "character/people": "character",
    "character/anthropomorphic": "character",
    "object/product": "object",
    "scene/landscape": "landscape",
    "scene/interior": "interior",
    "lifestyle/interior": "interior",
    "illustration/diagram": "illustration",
}
# Second labels that name one of our contents; the rest (Realism, Sci-Fi …) name none.
SECONDARY = {
    "Copywriting Illustration": "illustration",
    "Content Illustration": "illustration",
    "Graphic Art": "art",
    "Art-Graphic Art": "art",
    "Sculptural Art": "art",
    "Art-Three-dimensional Art": "art",
    "Logo/Icon Design": "illustration",
    "Spatial Design": "interior",
}
Row = dict[str, Any]


def load_pack() -> Any:
    """The repository root as a package, under whatever name its folder has."""
    spec = importlib.util.spec_from_file_location("pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["pack"] = module
    spec.loader.exec_module(module)
    return importlib.import_module("pack.intelligence.analyze")


def read_rows(path: Path, part: str | None) -> list[Row]:
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf-8")
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    rows = [row for row in rows if _label(row) not in LEFT_OUT]
    return rows if part is None else [row for row in rows if _held(row) == (part == "held")]


def _held(row: Row) -> bool:
    return int(hashlib.sha1(f"hold{row.get('id')}".encode()).hexdigest()[:8], 16) % 100 < 30


def _label(row: Row) -> str:
    label = str(row.get("style") or row.get("category"))
    return CONTENTS.get(label, label)


def _kind(row: Row) -> str:
    return str(row.get("kind") or row.get("source") or "all")


def read_all(read: Any, rows: Sequence[Row]) -> tuple[list[str], list[float]]:
    """What the reader says of every row, and the milliseconds each took."""
    said, times = [], []
    for row in rows:
        begin = time.perf_counter()
        analysis = read(row["prompt"])
        times.append((time.perf_counter() - begin) * 1000)
        said.append(analysis.style if "style" in row else analysis.content)
    return said, times


def pairs_of(rows: Sequence[Row], said: Sequence[str]) -> list[tuple[str, str]]:
    """(label, answer) of every row; a row's second label is as right as its first."""
    return [
        (answer if answer == SECONDARY.get(str(row.get("secondary"))) else _label(row), answer)
        for row, answer in zip(rows, said, strict=True)
    ]


def f1_by_label(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F1 of every label that occurs as a label."""
    right, labels, answers = Counter[str](), Counter[str](), Counter[str]()
    for label, answer in pairs:
        labels[label] += 1
        answers[answer] += 1
        right[label] += label == answer
    return {
        label: (right[label] / max(answers[label], 1), right[label] / count, 2 * right[label] / (count + answers[label]))
        for label, count in labels.items()
    }


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    return round(statistics.fmean(f1 for _, _, f1 in f1_by_label(pairs).values()), 4) if pairs else 0.0


def report(rows: Sequence[Row], said: Sequence[str], times: Sequence[float]) -> dict[str, Any]:
    pairs = pairs_of(rows, said)
    kinds: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row, pair in zip(rows, pairs, strict=True):
        kinds[_kind(row)].append(pair)
    scores = f1_by_label(pairs)
    return {
        "rows": len(rows),
        "macro_f1": macro_f1(pairs),
        "by_kind": {kind: {"n": len(some), "macro_f1": macro_f1(some)} for kind, some in sorted(kinds.items())},
        "recall": {label: round(recall, 4) for label, (_, recall, _) in sorted(scores.items())},
        "precision": {label: round(precision, 4) for label, (precision, _, _) in sorted(scores.items())},
        "ms_per_prompt": round(statistics.median(times), 4),
    }


def ask_spanish(read: Any, rows: Sequence[Row]) -> dict[str, Any]:
    """The same rows in both languages."""
    translated = {row["id"]: row for row in read_rows(Path(__file__).parent / "spanish.jsonl", None)}
    english = [row for row in rows if row.get("id") in translated]
    if not english:
        return {"rows": 0}
    spanish = [{**row, "prompt": translated[row["id"]]["text"]} for row in english]
    before = macro_f1(pairs_of(english, read_all(read, english)[0]))
    result = report(spanish, *read_all(read, spanish))
    return {**result, "english_macro_f1": before, "ratio": round(result["macro_f1"] / before, 4) if before else None}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--spanish", action="store_true")
    options.add_argument("--part", choices=("held", "tuned"))
    chosen = options.parse_args()
    read = load_pack().analyze
    rows = read_rows(chosen.file, chosen.part)
    read("a warm-up that loads the vocabulary, un calentamiento")
    result = ask_spanish(read, rows) if chosen.spanish else report(rows, *read_all(read, rows))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
