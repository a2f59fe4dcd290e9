"""Restraint: how often LoRAs are chosen where none is wanted, and whether the right one is where one is.

    python bench/restraint.py --library loras.jsonl.gz --queries lora_prompts.jsonl.gz --plain compositional.jsonl.gz

The last line of output is one JSON object: the share of plain prompts that name no style and still get a LoRA other
than a generic one, choices of another family (must be 0), how often the author's LoRA is chosen, and the mean
absolute error of the suggested strength beside the best constant's.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rows import family_of, model_file, read_rows, slices  # registers the package under the name ``pack``

# isort: split
from pack.intelligence.analyze import analyze
from pack.intelligence.matching import Nature, nature_of
from pack.intelligence.recommend import recommend
from pack.intelligence.strength import strength_for
from pack.plan import Analysis, Kind, Library

STYLE_WORDS = re.compile(
    r"\b(style|painting|photo\w*|drawing|sketch|anime|cartoon|watercolou?r|illustration|render\w*|pixel|comic|oil|ink|art\w*|3d|poster|lego|origami|statue|sculpture|graffiti|cubis\w+|surreal\w*|abstract|impression\w*|neon|steampunk|cyberpunk|gothic|vintage|retro|minimal\w*|logo)\b",
    re.I,
)
Row = dict[str, Any]


def plain_prompts(rows: list[Row], library: Library, families: list[str]) -> dict[str, Any]:
    asked = [row["prompt"] for row in rows if not STYLE_WORDS.search(row["prompt"])]
    given = [recommend(analyze(prompt), families[0], library).chosen for prompt in asked]
    names = {file.name: file for file in library.of(Kind.LORA)}
    special = [
        [choice for choice in chosen if nature_of(names[choice.use.name]) not in (Nature.DETAIL, Nature.UTILITY)]
        for chosen in given
    ]
    for prompt, chosen in list(zip(asked, special, strict=True))[:: max(1, len(asked) // 400)]:
        if chosen:
            print(prompt[:70], "→", [(names[choice.use.name].title, choice.covers) for choice in chosen])
    return {"prompts": len(asked), "with_lora": round(sum(map(bool, special)) / max(1, len(asked)), 4)}


def wanted_prompts(parts: list[list[Row]], queries: list[Row]) -> dict[str, Any]:
    right = given = asked = foreign = 0
    for number, rows in enumerate(parts):
        library = Library(tuple(model_file(row) for row in rows), f"restraint {number}")
        at = {file.hub_id: file for file in library.of(Kind.LORA)}
        for query in queries:
            relevant = {at[lora].name for lora in query["lora_ids"] if lora in at}
            if not relevant:
                continue
            family = family_of(query["base_model"]) or ""
            chosen = recommend(Analysis(query["prompt_natural"], query["prompt_natural"]), family, library).chosen
            names = {choice.use.name for choice in chosen}
            asked, given, right = asked + 1, given + len(names), right + bool(names & relevant)
            foreign += sum(library.find(Kind.LORA, name).family != family for name in names)
    return {
        "queries": asked,
        "chosen_each": round(given / asked, 3),
        "right_chosen": round(right / asked, 4),
        "other_family": foreign,
    }


def strengths(queries: list[Row], library: Library) -> dict[str, Any]:
    files = {file.hub_id: file for file in library.of(Kind.LORA)}
    used = [
        (files[lora], weight)
        for query in queries
        for lora, weight in (query.get("weights") or {}).items()
        if lora in files and weight is not None and 0 < weight <= 2
    ]
    ours = fmean(abs(strength_for(file, nature_of(file), 1) - weight) for file, weight in used)
    constant = min(fmean(abs(step / 20 - weight) for _, weight in used) for step in range(10, 25))
    return {
        "rows": len(used),
        "median": median(weight for _, weight in used),
        "ours": round(ours, 4),
        "constant": round(constant, 4),
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--library", type=Path, required=True)
    ask.add_argument("--queries", type=Path, required=True)
    ask.add_argument("--plain", type=Path, required=True)
    ask.add_argument("--every", type=int, default=1, help="ask only every n-th plain prompt")
    given = ask.parse_args()
    rows, queries = read_rows(given.library), read_rows(given.queries)
    library = Library(tuple(model_file(row) for row in rows), "restraint")
    core = [row for row in queries if row.get("core")]
    report = {
        "plain": plain_prompts(read_rows(given.plain)[:: given.every], library, ["sd15"]),
        "wanted": wanted_prompts(list(slices(rows, 300)), core),
        "strength_core": strengths(core, library),
        "strength_all": strengths(queries, library),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
