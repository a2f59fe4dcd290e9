"""The log goes round; the spool loses nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pack.errors import Unreachable
from pack.feedback import Event
from pack.learning.journal import Journal
from pack.learning.store import Store
from pack.values import from_json
from told import RULES, made, rated, sums


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def test_the_log_goes_round(tmp_path: Path) -> None:
    journal = Journal(tmp_path, limit_bytes=2000, files=3)
    events = [rated(1 + number % 5) for number in range(100)]
    assert all(journal.append(event) for event in events)
    files = [tmp_path / name for name in ("events.2.jsonl", "events.1.jsonl", "events.jsonl")]
    assert sorted(tmp_path.glob("*.jsonl")) == sorted(files)
    assert all(path.stat().st_size < 2400 for path in files)
    kept = [from_json(Event, line) for path in files for line in path.read_text().splitlines()]
    assert kept == events[-len(kept) :] and len(kept) > 10


def test_a_log_of_one_file_starts_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path, limit_bytes=1, files=1)
    events = [rated(3), rated(4)]
    assert all(journal.append(event) for event in events)
    assert [from_json(Event, line) for line in (tmp_path / "events.jsonl").read_text().splitlines()] == events[1:]


def test_what_was_postponed_is_told_once(journal: Journal, store: Store) -> None:
    events = [made(prompt="half \ud800 a pair"), rated(5)]
    assert not journal.waiting
    assert all(journal.postpone(event) for event in [*events, *events])
    assert journal.waiting
    assert journal.replay(store) == 2 and not journal.waiting and journal.replay(store) == 0
    assert store.overview().rated == 1


def test_half_a_line_is_kept_apart(journal: Journal, store: Store) -> None:
    journal.postpone(made())
    spool = journal.folder / "pending.jsonl"
    spool.write_bytes(spool.read_bytes() + b'{"id": "e", "at": 1')
    journal.postpone(rated(5))
    journal.postpone(rated(5, "nobody"))
    assert journal.replay(store) == 2
    kept = (journal.folder / "pending.damaged.jsonl").read_bytes().splitlines()
    assert kept[0] == b'{"id": "e", "at": 1' and b"nobody" in kept[1] and len(kept) == 2
    journal.erase()
    assert not list(journal.folder.glob("*.jsonl"))


def test_a_replay_cut_short_goes_on_later(journal: Journal, store: Store) -> None:
    class Failing:
        told = 0

        def tell(self, event: Event) -> bool:
            if self.told == 2:
                raise Unreachable("learning_unreachable", where="", problem="")
            self.told += 1
            return store.tell(event)

    for event in (made(), rated(1), rated(2)):
        journal.postpone(event)
    with pytest.raises(Unreachable):
        journal.replay(Failing())  # type: ignore[arg-type]
    journal.postpone(rated(5))
    assert journal.waiting
    assert journal.replay(store) == 2, "what was told before counts once"
    found = store.find("g1")
    assert found and found.standing.rating and found.standing.rating.overall == 5 and not journal.waiting


def test_many_postpone_and_replay_at_once(journal: Journal, where: str) -> None:
    store = Store(where, RULES)
    store.tell(made())

    def work(number: int) -> int:
        mine = Journal(journal.folder)
        assert all(mine.postpone(rated(1 + number % 5)) for _ in range(10))
        return mine.replay(store)

    with ThreadPoolExecutor(6) as pool:
        told = sum(pool.map(work, range(6)))
    assert told + journal.replay(store) == 60 and not journal.waiting
    assert not (journal.folder / "pending.damaged.jsonl").exists()
    assert sums(store, "*")["lora", "ink", "*"][4] == 1


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    journal = Journal(tmp_path / "file")
    assert not journal.append(made()) and not journal.postpone(made()) and not journal.waiting


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_a_full_disk_says_so(journal: Journal) -> None:
    journal.folder.mkdir()
    (journal.folder / "pending.jsonl").symlink_to("/dev/full")
    assert not journal.postpone(made())
