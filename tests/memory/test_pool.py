"""The pool of loaded models: what stays, what leaves and in which order."""

from __future__ import annotations

import gc
import os
import random
import weakref
from pathlib import Path
from threading import Barrier, Thread
from time import sleep
from typing import Any

import pytest
from pack.memory.pool import File, Key, Pool, key_of


class Model:
    """Something whose end can be seen."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes


def size_of(loaded: tuple[Any, ...]) -> int:
    return sum(model.size_bytes for model in loaded)


def key(name: str, mtime: int = 1, size_bytes: int = 0, **other: Any) -> Key:
    return Key(other.pop("loader", "Loader"), (File(f"/models/{name}", mtime, size_bytes),), **other)


class Desk:
    """A pool with what a test wants to set, and every load counted."""

    def __init__(self, limit: int = 100) -> None:
        self.limit, self.lacking, self.loads, self.told = limit, 0, [], 0
        self.asked: list[int] = []
        self.pool = Pool(lambda: self.limit, self._lacking, self._tell)

    def _lacking(self, coming_bytes: int) -> int:
        self.asked.append(coming_bytes)
        return self.lacking

    def _tell(self) -> None:
        self.told += 1

    def take(self, wanted: Key | str, size_bytes: int = 10) -> Model:
        wanted = key(wanted) if isinstance(wanted, str) else wanted

        def load() -> tuple[Model]:
            self.loads.append(wanted.name)
            return (Model(size_bytes),)

        return self.pool.take(wanted, load, size_of)[0]

    def names(self) -> list[str]:
        return [entry.name for entry in self.pool.state().entries]


def test_the_same_files_are_loaded_once() -> None:
    desk = Desk()
    first = desk.take("a")
    desk.take("b")
    assert desk.take("a") is first
    assert desk.loads == ["a", "b"]
    state = desk.pool.state()
    assert (state.hits, state.misses, state.evictions, state.size_bytes, state.limit_bytes) == (1, 2, 0, 20, 100)
    assert state.hit_rate == 1 / 3


@pytest.mark.parametrize(
    "other",
    [
        key("a", loader="Other"),
        key("a", options=("fp8",)),
        key("a", dtype="fp16"),
        key("a", device="cpu"),
        Key("Loader", (*key("a").files, *key("b").files)),
    ],
)
def test_another_loader_option_precision_device_or_file_is_another_entry(other: Key) -> None:
    desk = Desk()
    assert desk.take("a") is not desk.take(other)
    assert len(desk.names()) == 2


def test_what_an_entry_says_of_itself() -> None:
    desk = Desk()
    desk.take(Key("DualCLIPLoader", (*key("l").files, *key("g").files), dtype="fp16", device="cpu"), size_bytes=7)
    (entry,) = desk.pool.state().entries
    assert (entry.name, entry.loader, entry.size_bytes) == ("l + g", "DualCLIPLoader", 7)
    assert (entry.dtype, entry.device) == ("fp16", "cpu")


def test_the_least_recently_used_leaves_first() -> None:
    desk = Desk(limit=30)
    for name in "abc":
        desk.take(name)
    desk.take("a")
    desk.take("d")
    assert desk.names() == ["c", "a", "d"]
    desk.take("e", size_bytes=20)
    assert desk.names() == ["d", "e"]
    assert desk.pool.state().evictions == 3
    assert desk.pool.state().size_bytes == 30


def test_a_hit_evicts_nothing_even_when_the_limit_fell() -> None:
    desk = Desk(limit=30)
    for name in "abc":
        desk.take(name)
    desk.limit = 10
    desk.take("b")
    assert desk.names() == ["a", "c", "b"]
    desk.take("d")
    assert desk.names() == ["d"]


def test_what_never_fits_is_handed_out_and_drives_nothing_out() -> None:
    desk = Desk(limit=30)
    desk.take("a")
    big = desk.take("big", size_bytes=31)
    assert big.size_bytes == 31
    assert desk.names() == ["a"]
    assert desk.take("big", size_bytes=31) is not big
    desk.limit = 0
    assert desk.take("none", size_bytes=1).size_bytes == 1
    assert "none" not in desk.names()


def test_what_left_is_really_gone_and_others_hear_of_it() -> None:
    desk = Desk(limit=10)
    gone = weakref.ref(desk.take("a"))
    gc.collect()
    assert gone() is not None and desk.told == 0
    desk.take("b")
    gc.collect()
    assert gone() is None and desk.told == 1


def test_a_replaced_file_is_loaded_again_and_its_old_models_go_first() -> None:
    desk = Desk()
    old = weakref.ref(desk.take(key("a", mtime=1)))
    other = desk.take(key("a", mtime=1, options=("fp8",)))
    desk.take("b")
    del other

    def load() -> tuple[Model]:
        gc.collect()
        assert old() is None, "old and new weights lie in RAM together"
        return (Model(10),)

    desk.pool.take(key("a", mtime=2), load, size_of)
    assert desk.names() == ["b", "a"]
    assert desk.pool.state().evictions == 2


def test_a_file_of_another_size_was_replaced_too() -> None:
    desk = Desk()
    desk.take(key("a", size_bytes=1))
    desk.take(key("a", size_bytes=2))
    assert len(desk.names()) == 1


def test_under_pressure_the_oldest_go_before_the_next_is_read() -> None:
    desk = Desk()
    for name in "abc":
        desk.take(name)
    desk.lacking = 15
    desk.take(key("d", size_bytes=12))
    assert desk.names() == ["c", "d"]
    assert desk.asked[-1] == 12, "the bytes that come count as lacking, too"


def test_pressure_spares_what_is_wanted_next() -> None:
    desk = Desk()
    for name in "abc":
        desk.take(name)
    desk.pool.expect([key("a")])
    desk.lacking = 1000
    assert desk.pool.relieve() == 20
    assert desk.names() == ["a"]
    desk.pool.expect([])
    assert desk.pool.relieve() == 10
    assert desk.names() == [] and desk.told == 2


def test_no_pressure_drops_nothing() -> None:
    desk = Desk()
    desk.take("a")
    assert desk.pool.relieve() == 0
    assert desk.names() == ["a"] and desk.told == 0


def test_what_is_expected_leaves_last_also_under_the_limit() -> None:
    desk = Desk(limit=30)
    for name in "abc":
        desk.take(name)
    desk.pool.expect([key("a"), key("not there yet")])
    desk.take("d")
    assert desk.names() == ["c", "a", "d"]


def test_forgotten_models_wait_for_a_moment_when_nobody_goes_through_them() -> None:
    desk = Desk()
    gone = weakref.ref(desk.take("a"))
    assert desk.pool.forget() is True
    gc.collect()
    assert gone() is not None and desk.names() == []
    desk.pool.let_go()
    gc.collect()
    assert gone() is None
    assert desk.pool.forget() is False


def test_the_thread_that_loads_lets_go_of_what_was_forgotten() -> None:
    desk = Desk()
    gone = weakref.ref(desk.take("a"))
    desk.pool.forget()
    desk.take("b")
    gc.collect()
    assert gone() is None


def test_a_load_that_fails_leaves_the_pool_as_it_was() -> None:
    desk = Desk()
    desk.take("a")

    def fail() -> tuple[Model]:
        raise ValueError("broken file")

    with pytest.raises(ValueError, match="broken"):
        desk.pool.take(key("b"), fail, size_of)
    assert desk.names() == ["a"]
    assert desk.take("b").size_bytes == 10


def test_two_threads_that_want_the_same_load_it_once() -> None:
    desk, ready, got = Desk(), Barrier(8), []

    def load() -> tuple[Model]:
        desk.loads.append("a")
        sleep(0.05)
        return (Model(10),)

    def work() -> None:
        ready.wait()
        got.append(desk.pool.take(key("a"), load, size_of)[0])

    run([Thread(target=work) for _ in range(8)])
    assert len(set(map(id, got))) == 1 and desk.loads == ["a"]
    assert desk.pool.state().hits == 7


def test_the_state_can_be_read_while_a_model_loads() -> None:
    desk, seen = Desk(), []
    desk.take("a")

    def load() -> tuple[Model]:
        reader = Thread(target=lambda: seen.append(desk.pool.state()))
        reader.start()
        reader.join(timeout=5)
        return (Model(10),)

    desk.pool.take(key("b"), load, size_of)
    assert [entry.name for entry in seen[0].entries] == ["a"]


def test_many_threads_never_take_it_over_its_limit() -> None:
    desk, over = Desk(limit=40), []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(150):
            desk.take(chance.choice("abcdefgh"), size_bytes=10)
            if chance.random() < 0.1:
                desk.pool.forget()
            if chance.random() < 0.1:
                desk.pool.relieve()
            over.append(desk.pool.state().size_bytes)

    run([Thread(target=work, args=(seed,)) for seed in range(6)])
    state = desk.pool.state()
    assert max(over) <= 40
    assert state.hits + state.misses == 900
    assert state.size_bytes == sum(entry.size_bytes for entry in state.entries)
    assert state.evictions == len(desk.loads) - len(state.entries)


def run(threads: list[Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)


def test_the_key_of_a_file_follows_what_is_done_to_it(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"12345")
    before = key_of("Loader", [path], ["x"], "fp16", "cpu")
    assert before == key_of("Loader", [path], ["x"], "fp16", "cpu")
    assert before.file_bytes == 5 and before.name == "a.safetensors"
    os.utime(path, ns=(1, 1))
    after = key_of("Loader", [path], ["x"], "fp16", "cpu")
    assert after != before and after.replaces(before) and not before.replaces(before)
    assert not key_of("Loader", [path], ["y"]).replaces(after), "the same file, only loaded in another way"
    with pytest.raises(FileNotFoundError):
        key_of("Loader", [tmp_path / "gone"])


def test_whoever_else_holds_what_was_dropped_ends_it_in_time() -> None:
    """Before the next file is read: old and new need not lie in RAM together."""
    held: list[Model] = []
    order: list[str] = []
    lacking = {"bytes": 0}

    def end() -> None:
        if held:
            order.append("ended")
            held.clear()

    pool = Pool(lambda: 100, lambda coming_bytes: lacking["bytes"], ended=end)
    (model,) = pool.take(key("a"), lambda: (Model(10),), size_of)
    held.append(model)
    gone = weakref.ref(held[0])
    lacking["bytes"] = 5
    model = None
    pool.take(key("b"), lambda: (order.append("loaded") or Model(10),), size_of)
    gc.collect()
    assert order[-2:] == ["ended", "loaded"] and gone() is None


def test_what_was_expected_can_be_seen() -> None:
    desk = Desk()
    first = desk.take("a")
    desk.take("b")
    desk.pool.expect([key("a"), key("never loaded")])
    assert desk.pool.wanted() == ((first,),)
