"""How fast the learning database answers once it holds a million ratings, on SQLite.

    python bench/learning_store.py [--quick] [--rows 1000000] [--keep FILE]

Fills a file with generations and their ratings (two each: people change their minds), of 1,000 LoRAs, 10 styles, 10
contents and 300 concepts, some far more common than others; traits and verdicts are the product's own, tallies are summed
up as the product does. Then measures, with the file's pages in memory: tallies for a prompt, the overview, one rating and
one new generation told (with their commits), and ten threads that rate at once. The last line of output is one JSON object;
milliseconds.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rows import load_pack

load_pack()

from pack.feedback import Event, Finished, Made, Rated, Rating, Standing, Trait  # noqa: E402
from pack.intelligence.evidence import contexts_of, rules  # noqa: E402
from pack.learning import tallying  # noqa: E402
from pack.learning.plans import plan_text  # noqa: E402
from pack.learning.store import Store  # noqa: E402
from pack.learning.telling import _row_of  # noqa: E402
from pack.plan import (  # noqa: E402
    Analysis,
    Concept,
    Generation,
    LoraChoice,
    LoraUse,
    Models,
    Plan,
    Request,
    Settings,
)

LORAS, STYLES, CONTENTS, CONCEPTS, CHECKPOINTS = 1000, 10, 10, 300, 20
DISTINCT = 20_000  # plans; generations are drawn from them
AT_ONCE = 20_000
RULES = rules()


def common(chance: random.Random, count: int) -> int:
    """One of ``count``, the first far more often than the last."""
    return min(count - 1, int(count * chance.random() ** 2))


def a_plan(chance: random.Random) -> Plan:
    prompt = " ".join(f"word{chance.randrange(5000)}" for _ in range(20))
    names = {f"concept{common(chance, CONCEPTS)}": None for _ in range(3)}
    concepts = tuple(Concept("subject", name, (name,)) for name in names)
    style, content = f"style{common(chance, STYLES)}", f"content{common(chance, CONTENTS)}"
    loras = {f"lora{common(chance, LORAS):04}.safetensors": None for _ in range(chance.randint(0, 3))}
    return Plan(
        Request(prompt),
        Analysis(prompt, prompt, concepts, style, content),
        "sdxl",
        "checkpoint",
        Models(checkpoint=f"checkpoint{common(chance, CHECKPOINTS)}.safetensors"),
        Settings(20 + 5 * chance.randrange(4), 4.0 + chance.randrange(6), "euler", "normal", 1024, 1024),
        prompt,
        loras=tuple(LoraChoice(LoraUse(name, 0.8, 0.8)) for name in loras),
    )


class Drawn:
    """A plan to draw from, with all that its rows need."""

    def __init__(self, plan: Plan) -> None:
        made = Made(Generation(plan, 1, "x"), "s", "l")
        self.traits: list[Trait] = list(RULES.traits(made))
        self.keys = [tallying.key_of(trait) for trait in self.traits]
        self.values = [trait.value for trait in self.traits]
        self.row = {**_row_of(made), "machine": "here", "traits": tallying.written(self.traits)}


def rating(chance: random.Random) -> Rating:
    return Rating(chance.choices([1, 2, 3, 4, 5], [1, 2, 4, 5, 3])[0])


# --------------------------------------------------------------------------- filling


class Filler:
    """Writes rows as the store would have, without asking it a million times."""

    def __init__(self, connection: sqlite3.Connection, ratings: int) -> None:
        self.connection, self.ratings = connection, ratings
        self.chance = random.Random(1)
        self.drawn = [Drawn(a_plan(self.chance)) for _ in range(DISTINCT)]
        self.sums: dict[tuple[str, ...], list[float]] = {}
        self.stars = [0] * 6
        self.seq = 0

    def fill(self) -> None:
        rows: dict[str, list[dict[str, Any]]] = {}
        for number in range(self.ratings // 2):
            for table, row in self._generation(number):
                rows.setdefault(table, []).append(row)
            if number % AT_ONCE == AT_ONCE - 1:
                self._write(rows)
        rows["tallies"] = list(self._tallies())
        rows["counters"] = list(self._counters())
        self._write(rows)
        self.connection.execute("UPDATE meta SET value = ?", (self.ratings,))
        self.connection.commit()

    def _generation(self, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
        drawn = self.chance.choice(self.drawn)
        made, at = self._next(), 1.6e9 + number
        session = f"s{number // 20}"
        yield "events", {"seq": made, "id": f"m{number}", "at": at, "machine": "here", "kind": "made"}
        finished = self._next()
        yield "events", {"seq": finished, "id": f"f{number}", "at": at, "machine": "here", "kind": "finished"}
        yield "runs", _run(finished, made)
        for turn in range(2):
            given = rating(self.chance)
            stars = given.overall or 0
            said = self._next()
            yield "events", {"seq": said, "id": f"r{number}-{turn}", "at": at, "machine": "here", "kind": "rated"}
            yield "feedback", _said(said, made, stars)
        verdict = RULES.verdict(Standing(given))
        tick = 2 * (number + 1)
        self._count(drawn, verdict.liked, verdict.weight, stars, tick)
        own = {"seq": made, "id": f"g{number}", "at": at, "session": session, "lineage": f"l{number // 4}", "tick": tick}
        yield "generations", {**drawn.row, **own, "liked": verdict.liked, "weight": verdict.weight, "stars": float(stars)}
        if number % 20 == 0:
            yield "sessions", _session(session, made, at)

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _count(self, drawn: Drawn, liked: float, weight: float, stars: int, tick: int) -> None:
        self.stars[stars] += 1
        for key, value in zip(drawn.keys, drawn.values, strict=True):
            held = self.sums.setdefault(key, [0.0, 0.0, 0.0, 0, 0.0, tick])
            share = 0.5 ** ((tick - held[5]) / RULES.half_life)
            good = weight * liked
            held[0], held[1] = held[0] * share + good, held[1] * share + weight - good
            held[2] = held[2] * share + good * value
            held[3], held[4], held[5] = held[3] + 1, held[4] + stars, tick

    def _tallies(self) -> Iterator[dict[str, Any]]:
        for key, held in self.sums.items():
            yield tallying._row(key, tallying.Sums(*held[:5]), int(held[5]), RULES.half_life)  # type: ignore[arg-type]

    def _counters(self) -> Iterator[dict[str, Any]]:
        total = sum(self.stars)
        summed = sum(stars * count for stars, count in enumerate(self.stars))
        for kind, count in (("generations", total), ("rated", total), ("stars_sum", summed)):
            yield {"kind": kind, "name": "", "count": count}
        for stars in range(1, 6):
            yield {"kind": "stars", "name": str(stars), "count": self.stars[stars]}
        for number in range(20_000):  # what people ran otherwise
            change = json.dumps(["strength", f"lora{number % LORAS:04}.safetensors", "0.8", str(number / 100)])
            yield {"kind": "change", "name": change, "count": 1 + number % 50}

    def _write(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        for table, some in rows.items():
            if some:
                columns = ", ".join(some[0])
                values = ", ".join(f":{name}" for name in some[0])
                self.connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", some)
        self.connection.commit()
        rows.clear()


def _run(seq: int, made: int) -> dict[str, Any]:
    own = {"machine": "here", "workload": "sdxl:1MP", "seconds": 5.0, "peak_bytes": 6_000_000_000, "pictures": '["a.png"]'}
    return {"seq": seq, "generation": made, **own}


def _said(seq: int, made: int, stars: int) -> dict[str, Any]:
    return {"seq": seq, "generation": made, "taken_back": 0, "overall": stars, "comment": "", "tags": "[]"}


def _session(id: str, latest: int, at: float) -> dict[str, Any]:
    own = {"started": at, "ended": at + 20, "generations": 20, "lineages": 5, "rated": 20, "stars": 70.0}
    return {"id": id, "latest": latest, **own}


def fill(path: Path, ratings: int) -> None:
    store = Store(path, RULES)
    store.version()
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-1000000")
    Filler(connection, ratings).fill()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    os.sync()  # or the first commit that is measured waits for all of it


# --------------------------------------------------------------------------- measuring


def times(act: Callable[[int], Any], rounds: int) -> dict[str, float]:
    taken = []
    for number in range(rounds):
        start = time.perf_counter()
        act(number)
        taken.append(1000 * (time.perf_counter() - start))
    taken.sort()
    figures = {"median": statistics.median(taken), "p95": taken[int(0.95 * (rounds - 1))], "worst": taken[-1]}
    return {name: round(figure, 2) for name, figure in figures.items()}


def measure(path: Path, ratings: int) -> dict[str, Any]:
    store = Store(path, RULES)
    chance = random.Random(2)
    opening = times(lambda _: store.version(), 1)["worst"]
    analyses = [a_plan(chance).analysis for _ in range(100)]
    counts = [len(store.tallies(contexts_of(analysis))) for analysis in analyses]
    made = [Generation(a_plan(chance), number, f"new{number}") for number in range(300)]
    ids = [f"g{chance.randrange(ratings // 2)}" for _ in range(300)]

    def told(number: int, fact: Any) -> Event:
        return Event(f"{type(fact).__name__}{number}-{chance.random()}", 1.7e9, "here", fact)

    results = {
        "ratings": ratings,
        "database_mb": round(path.stat().st_size / 1e6),
        "open_ms": opening,
        "tallies_ms": times(lambda number: store.tallies(contexts_of(analyses[number])), 100),
        "tallies_counted": {"median": statistics.median(counts), "most": max(counts)},
        "overview_ms": times(lambda _: store.overview(), 10),
        "overview_of_session_ms": times(lambda number: store.overview(f"s{number}"), 10),
        "rate_ms": times(lambda number: store.tell(told(number, Rated(ids[number], rating(chance)))), 300),
        "make_ms": times(lambda number: store.tell(told(number, Made(made[number], "new", f"new{number}"))), 300),
        "finish_ms": times(lambda number: store.tell(told(number, Finished(f"new{number}", 5.0))), 300),
        "latest_ms": times(lambda _: store.latest("here"), 20),
        "runs_ms": times(lambda _: store.runs("here"), 20),
        "recent_ms": times(lambda _: store.recent(50), 5),
        "plan_bytes": len(plan_text(made[0].plan)),
    }
    results["ten_threads_ratings_per_s"] = ten_threads(store, ids)
    store.close()
    return results


def ten_threads(store: Store, ids: list[str]) -> int:
    def rate(thread: int) -> int:
        facts = (Rated(ids[(30 * thread + turn) % 300], Rating(1 + turn % 5)) for turn in range(50))
        return sum(store.tell(Event(f"t{thread}-{turn}", 1.7e9, "here", fact)) for turn, fact in enumerate(facts))

    start = time.perf_counter()
    with ThreadPoolExecutor(10) as pool:
        told = sum(pool.map(rate, range(10)))
    assert told == 500
    return round(told / (time.perf_counter() - start))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000, help="ratings")
    options.add_argument("--quick", action="store_true", help="50,000 ratings")
    options.add_argument("--keep", type=Path, help="write the database here, or use the one that is there")
    given = options.parse_args()
    ratings = 50_000 if given.quick else given.rows
    with tempfile.TemporaryDirectory(prefix="learning-bench-") as folder:
        path = given.keep or Path(folder) / "learning.sqlite"
        start = time.perf_counter()
        if not path.exists():
            fill(path, ratings)
        filling = round(time.perf_counter() - start, 1)
        print(json.dumps({"fill_s": filling, **measure(path, ratings)}))


if __name__ == "__main__":
    main()
