"""Every item of a batch ends with one result."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from pack.errors import BadRequest
from pack.feedback import Batch, Item, ItemState, Strategy, Variation
from pack.learning.batches import Batches
from pack.learning.store import Store
from told import RULES, plan


def batch(id: str = "b1", count: int = 3) -> Batch:
    items = tuple(Item(place, Variation(plan(), 2**63 + place, f"seed {place}", "c", "r")) for place in range(count))
    return Batch(id, "a knight", Strategy.SEED, items, seconds=30.0, at=1000.0)


@pytest.fixture
def batches(store: Store) -> Batches:
    return Batches(store)


def test_started_once_and_found_as_it_was(batches: Batches) -> None:
    assert batches.start(batch()) == batch()
    batches.done("b1", 1, "g1", ("a.png",), "m")
    again = batches.start(batch())
    assert [item.state for item in again.items] == [ItemState.WAITING, ItemState.DONE, ItemState.WAITING]
    assert batches.find("b1") == again and batches.find("b2") is None
    assert [item.place for item in batches.waiting("b1")] == [0, 2]
    batches.start(batch("b2"))
    assert [found.id for found in batches.recent(5)] == ["b2", "b1"]


def test_the_first_result_stays(batches: Batches) -> None:
    batches.start(batch())
    assert batches.failed("b1", 0, "out of memory", "m1")
    assert batches.done("b1", 0, "g1", ("a.png",), "m2")
    assert not batches.done("b1", 0, "g2", ("b.png",), "m3")
    assert not batches.failed("b1", 0, "late", "m4")
    found = batches.find("b1")
    assert found
    item = found.items[0]
    assert (item.state, item.generation_id, item.pictures, item.machine, item.error) == (
        ItemState.DONE,
        "g1",
        ("a.png",),
        "m2",
        "",
    )


def test_one_result_of_an_item_whoever_reports_it(where: str) -> None:
    Batches(Store(where, RULES)).start(batch(count=6))

    def report(worker: int) -> int:
        mine = Batches(Store(where, RULES))
        return sum(mine.done("b1", place, f"g{place}-{worker}", (), f"m{worker}") for place in range(6))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(report, range(8))) == 6
    found = Batches(Store(where, RULES)).find("b1")
    assert found and all(item.generation_id.endswith(item.machine[1:]) for item in found.items)


def test_the_winner_is_kept(batches: Batches) -> None:
    batches.start(batch())
    assert batches.pick("b1", 2).winner == 2
    assert batches.pick("b1", 1).winner == 1


def test_what_is_not_there_is_told(batches: Batches) -> None:
    batches.start(batch())
    for attempt in (
        lambda: batches.done("b9", 0, "g", (), "m"),
        lambda: batches.failed("b1", 3, "", "m"),
        lambda: batches.pick("b1", -1),
        lambda: batches.waiting("b9"),
        lambda: batches.start(batch("")),
    ):
        with pytest.raises(BadRequest):
            attempt()
