"""Out and in again, from either database to either."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from pack.feedback import Action, Batch, Event, Item, Strategy, Variation
from pack.learning.batches import Batches
from pack.learning.store import Store
from pack.learning.tables import batch_items
from pack.plan import Reason
from pack.values import from_json, to_json
from sqlalchemy import select
from told import RULES, acted, changed, finished, forgot, made, plan, rated, sums

KINDS = ("sqlite", "postgres")


def life(count: int = 40) -> list[Event]:
    """A person's events, all kinds, in some order."""
    chance = random.Random(7)
    events: list[Event] = []
    for number in range(count):
        loras = {name: chance.choice([0.5, 0.8]) for name in chance.sample(["ink", "glow", "mist"], 2)}
        changes = (changed(used=str(number)),) if number % 5 == 0 else ()
        style = chance.choice(["anime", "photo"])
        events.append(made(f"g{number}", f"s{number // 7}", f"l{number // 2}", loras=loras, changes=changes, style=style))
        events.append(finished(f"g{number}", seconds=float(number)))
        if number % 2:
            events.append(rated(chance.randint(1, 5), f"g{number}", comment="«ñ» \n line"))
        if number % 3 == 0:
            events.append(acted(chance.choice(list(Action)), f"g{chance.randint(0, number)}", undone=number % 9 == 0))
        if number in (15, 30):
            events += [forgot("lora", "ink"), rated(2, "g3"), rated(None, "g5")]
    return events


@pytest.mark.parametrize(("start", "end"), list(itertools.product(KINDS, KINDS)))
def test_export_and_import_come_to_the_same(new_database: Callable[[str], str], start: str, end: str) -> None:
    first, second = Store(new_database(start), RULES), Store(new_database(end), RULES)
    events = life()
    for event in events:
        first.tell(event)
    lines: list[str] = []
    first.export(lines.append)
    assert [from_json(Event, line) for line in lines] == events
    assert second.import_lines(lines) == (len(events), 0, [])
    assert second.import_lines(lines) == (0, len(events), [])
    assert sums(second) == sums(first)
    assert second.overview() == first.overview() and second.recent(100) == first.recent(100)
    again: list[str] = []
    second.export(again.append)
    assert again == lines
    first.close(), second.close()


def test_batches_travel_with_what_became_of_them(new_database: Callable[[str], str]) -> None:
    first, second = (Store(new_database("sqlite"), RULES) for _ in range(2))
    mine, theirs = Batches(first), Batches(second)
    why = (Reason("batch", "varied.fewer", {"count": 2, "wanted": 5}),)
    items = tuple(Item(place, Variation(plan(), 2**63 + place, f"seed {place}")) for place in range(2))
    mine.start(Batch("b1", "ñ", Strategy.SEED, items, 30.0, at=5.0, reasons=why))
    first.tell(made("g0", batch="b1", place=0))
    mine.done("b1", 0, "g0", ("a.png",), "studio")
    lines: list[str] = []
    first.export(lines.append)
    assert second.import_lines(lines) == (2, 0, []) and second.import_lines(lines) == (0, 2, [])
    assert theirs.find("b1") == mine.find("b1") and [item.place for item in theirs.waiting("b1")] == [1]

    theirs.done("b1", 1, "g1", ("b.png",), "home")
    theirs.pick("b1", 1)
    lines.clear()
    second.export(lines.append)
    assert first.import_lines(lines) == (1, 1, []), "what came since is added to the batch that is here"
    assert mine.find("b1") == theirs.find("b1")
    broken = [
        lines[-1].replace('"place":0', '"place":7'),
        '{"batch":',
        '{"batch":{}}',
        lines[-1].replace('"b1"', f'"{"b" * 900}"'),
    ]
    broken.append(lines[-1].replace('"winner":1', '"winner":2'))
    assert first.import_lines(broken) == (0, 0, [1, 2, 3, 4, 5])
    first.close(), second.close()


def test_old_batches_go_with_their_items(store: Store) -> None:
    batches = Batches(store)
    items = tuple(Item(place, Variation(plan(), place, f"seed {place}")) for place in range(2))
    for id, at in (("old", 1000.0), ("new", 90_000.0)):
        batches.start(Batch(id, "a knight", Strategy.SEED, items, at=at))
    store.keep(1, now=100_000.0)
    assert [found.id for found in batches.recent(9)] == ["new"] and batches.find("old") is None
    left = store.database.read(lambda connection: connection.execute(select(batch_items.c.batch).distinct()).all())
    assert [row.batch for row in left] == ["new"]


def test_lines_that_are_no_events_are_numbered(store: Store) -> None:
    lines = ["", "no json", to_json(rated(3, "nobody")), to_json(made()), "{}", to_json(made("g2")) + "\n"]
    lines += [
        to_json(rated(3)).replace('"overall":3', '"overall":6'),
        to_json(rated(3, comment="x")).replace('"x"', f'"{"x" * 10**6}"'),
    ]
    lines += [to_json(made("g3", session="s" * 3000)), "[" * 100_000, to_json(made("g4", loras={"n" * 9000: 1.0}))]
    assert store.import_lines(lines) == (3, 0, [2, 3, 5, 7, 8, 9, 10])
    assert store.tell(rated(5, "g4"))


def test_what_is_too_old_goes_and_what_was_learned_stays(store: Store) -> None:
    events = [made("old", at=1000.0, changes=(changed(),)), finished("old"), rated(5, "old"), acted(Action.SAVED, "old")]
    events.append(made("new", at=90_000.0))
    for event in events:
        store.tell(event)
    before = sums(store)
    assert store.keep(1, now=100_000.0) == 1
    assert [found.id for found in store.recent(9)] == ["new"] and store.find("old") is None
    assert sums(store) == before
    lines: list[str] = []
    store.export(lines.append)
    assert [from_json(Event, line) for line in lines] == events[-1:]
    assert store.import_lines([to_json(event) for event in events]) == (0, 5, []), "an old export counts nothing twice"


def test_erased_means_gone(store: Store, where: str) -> None:
    for event in life(10):
        store.tell(event)
    store.tell(made("secret", prompt="a most private prompt"))
    version = store.version()
    store.erase()
    assert store.recent(9) == [] and sums(store) == {} and store.overview().generations == 0
    assert store.version() != version and store.session("s1") is None
    if "://" not in where:
        assert not any(b"private" in path.read_bytes() for path in Path(where).parent.glob(f"{Path(where).name}*"))
    assert store.tell(made("secret"))
