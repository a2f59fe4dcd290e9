"""What one recommendation costs at 1,000 and 100,000 LoRAs, with made-up texts of real length.

    python bench/recommend_speed.py [--sizes 1000 100000]

Last line: one JSON object {size: {build_s, median_ms, worst_ms, memory_mb}}; the prompt's own vector is not counted.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import json
import random
import resource
import time
from statistics import median
from typing import Any

import numpy as np
import rows  # noqa: F401  registers the package under the name ``pack``

# isort: split
from pack.data import table
from pack.intelligence.ranking import Vectors, VectorTable, index_of
from pack.intelligence.recommend import recommend
from pack.plan import Analysis, Complexity, Concept, Kind, Level, Library, ModelFile

PROMPTS = 40


def made_up(size: int, chance: random.Random) -> Library:
    counts = table("prompt_words")["words"]
    common, weights = list(counts), list(counts.values())
    names = [f"{chance.choice(common)}{chance.choice('aeiou')}{number % 5000:x}" for number in range(size)]
    files = []
    for number in range(size):
        said = chance.choices(common, weights, k=60)
        title = f"{names[number]} {chance.choice(names)} {chance.choice(('style', 'character', 'LoRA'))}"
        tags = (*chance.choices(common, weights, k=5), chance.choice(("style", "character", "clothing", "concept")))
        files.append(
            ModelFile(
                Kind.LORA,
                f"folder{number % 50}/{names[number]}_{number}.safetensors",
                family=chance.choice(("sd15", "sdxl", "sdxl", "flux_dev")),
                title=title,
                description=" ".join(said),
                tags=tags,
                trigger_groups=((names[number], *chance.choices(common, weights, k=2)),),
                downloads=chance.randrange(50_000),
            )
        )
    return Library(tuple(files), f"made up {size}")


def prompt(library: Library, chance: random.Random) -> Analysis:
    counts = table("prompt_words")["words"]
    named = chance.choice(library.files).title
    clauses = [" ".join(chance.choices(list(counts), list(counts.values()), k=2)) for _ in range(25)]
    text = f"masterpiece, best quality, 1girl, {named}, {', '.join(clauses)}"
    return Analysis(text, text, (Concept("detail", "detailed", ("detailed",)),), complexity=Complexity(Level.COMPLEX, 0.6))


def resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[1]) * resource.getpagesize() / 2**20


def measure(size: int) -> dict[str, Any]:
    chance = random.Random(7)
    library = made_up(size, chance)
    before, started = resident_mb(), time.perf_counter()
    index_of(library)
    built = time.perf_counter() - started
    matrix = np.random.default_rng(7).standard_normal((size, 384), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    known = VectorTable(tuple(file.name for file in library.files), matrix)
    asked = [(prompt(library, chance), Vectors(matrix[chance.randrange(size)], known)) for _ in range(PROMPTS)]
    recommend(asked[0][0], "sdxl", library, vectors=asked[0][1])
    spent = []
    for analysis, vectors in asked:
        started = time.perf_counter()
        recommend(analysis, "sdxl", library, vectors=vectors)
        spent.append((time.perf_counter() - started) * 1000)
    return {
        "build_s": round(built, 2),
        "median_ms": round(median(spent), 2),
        "worst_ms": round(max(spent), 2),
        "memory_mb": round(resident_mb() - before),
        "of_it_vectors_mb": round(matrix.nbytes / 2**20),
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--sizes", type=int, nargs="*", default=[1_000, 100_000])
    print(json.dumps({str(size): measure(size) for size in ask.parse_args().sizes}))


if __name__ == "__main__":
    main()
