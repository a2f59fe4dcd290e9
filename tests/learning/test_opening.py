"""Opening: empty, old, newer, damaged, locked, full, out of reach; many at once."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from loading import PREAMBLE
from pack.errors import BadRequest, Unreachable, UserError
from pack.learning.batches import Batches
from pack.learning.journal import Journal
from pack.learning.migrating import VERSION_TABLE, revisions, upgrade
from pack.learning.opening import Database
from pack.learning.store import Store
from pack.learning.tables import metadata
from sqlalchemy import text
from told import RULES, made, rated, sums


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "learning.sqlite"


# --------------------------------------------------------------------------- schemas


def test_what_the_steps_make_is_what_the_tables_say(where: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def differences(connection: object) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        return list(compare_metadata(context, metadata))

    assert Database(where).read(differences) == []


@pytest.mark.parametrize("revision", revisions()[:-1])
def test_every_earlier_schema_grows_to_this_one(where: str, revision: str) -> None:
    old = Database(where)
    engine = old._engine_of_file(old.path) if old.path else old._engine_of_server()
    with engine.begin() as connection:
        upgrade(connection, "here", revision)
        _tell_as_the_first_schema_did(connection)
    engine.dispose()
    store = Store(where, RULES)
    found = store.find("g1")
    assert found and found.made.generation.seed == 2**64 - 1 and found.standing.rating
    assert store.tell(rated(3)) and sums(store, "*")["lora", "ink", "*"] == (0.5, 0.5, 0.8, 3.0, 1)
    assert store.tell(made("g2")) and not store.tell(made("g2"))
    batch = Batches(store).find("b1")
    assert batch and (batch.prompt, batch.reasons) == ("p", ())


def _tell_as_the_first_schema_did(connection: object) -> None:
    from pack.learning.plans import plan_text
    from told import plan

    for statement in (
        "INSERT INTO events (id, at, machine, kind) VALUES ('first', 1, 'here', 'made'), ('second', 2, 'here', 'rated')",
        "INSERT INTO generations (seq, id, at, machine, session, lineage, parent, relation, batch, place, family, style, content,"
        " prompt, checkpoint, sampler, scheduler, plan, traits, seed, steps, width, height, cfg, estimated_bytes, liked, weight,"
        " stars, tick) VALUES (1, 'g1', 1, 'here', 's', 'l', '', 'new', '', 0, 'sdxl', 'anime', 'other', 'p', 'c', 'euler',"
        ' \'normal\', :plan, \'[["lora", "ink", "sdxl", 0.8, ["*"]]]\', \'18446744073709551615\', 20, 64, 64, 7, 0, 1, 1, 5, 1)',
        "INSERT INTO feedback (seq, generation, taken_back, overall, comment, tags) VALUES (2, 1, false, 5, '', '[]')",
        "INSERT INTO sessions VALUES ('s', 1, 1, 1, 1, 1, 1, 5)",
        "INSERT INTO tallies VALUES ('*', 'lora', 'sdxl', 'ink', 1, 0, 0.8, 1, 5, 1, 60)",
        "INSERT INTO batches (seq, id, at, prompt, strategy) VALUES (1, 'b1', 1, 'p', 'seed')",
        "UPDATE meta SET value = 1 WHERE key = 'tick'",
    ):
        connection.execute(text(statement), {"plan": plan_text(plan())} if ":plan" in statement else {})


def test_a_newer_schema_is_left_alone(where: str) -> None:
    store = Store(where, RULES)
    store.tell(made())
    store.database.write(lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'm999'")))
    with pytest.raises(UserError) as caught:
        Store(where, RULES).version()
    assert caught.value.code == "learning_newer"
    store.database.write(
        lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revisions()[-1]}'"))
    )
    assert Store(where, RULES).find("g1")


# --------------------------------------------------------------------------- many at once


def test_threads_open_an_empty_database_at_once(where: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda number: Store(where, RULES).tell(made(f"g{number}")), range(8)))
    assert told == [True] * 8 and len(Store(where, RULES).recent(20)) == 8


def test_ten_threads_rate_and_nothing_is_lost(where: str) -> None:
    store = Store(where, replace(RULES, half_life=1000.0))  # so that nothing has faded at the end
    for number in range(10):
        store.tell(made(f"g{number}", loras={f"lora{number}": 1.0}))
    before = store.version()

    def rate(number: int) -> int:
        return sum(store.tell(rated(1 + turn % 5, f"g{number}")) for turn in range(20))

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(rate, range(10))) == 200
    assert store.version() == before + 200 and store.overview().stars_given == (0, 0, 0, 0, 10)
    tallies = {tally.name: tally for tally in store.tallies_of("lora", ["*"])}
    assert len(tallies) == 10 and all(tally.rated == 1 and tally.disliked == 0 for tally in tallies.values())
    assert store.tallies_of("checkpoint", ["*"])[0].rated == 10
    store.close()


TELLER = (
    PREAMBLE
    + """
from pack.learning.store import Store
from told import RULES, made, rated
store = Store(sys.argv[1], RULES)
name = sys.argv[2]
for number in range(10):
    assert store.tell(made(f"{name}{number}", session=name, id_of_event=f"m{name}{number}"))
    assert store.tell(rated(5, f"{name}{number}", id_of_event=f"r{name}{number}"))
    store.tell(rated(3, f"{name}{number}", id_of_event="the same"))
"""
)


def test_processes_write_one_empty_database_at_once(where: str) -> None:
    here = str(Path(__file__).parent)
    processes = [subprocess.Popen([sys.executable, "-c", TELLER, where, name], cwd=here) for name in ("a", "b", "c")]
    assert [process.wait(timeout=90) for process in processes] == [0, 0, 0]
    store = Store(where, RULES)
    seen = store.overview()
    assert (seen.generations, seen.rated) == (30, 30) and seen.stars_given == (0, 0, 1, 0, 29)
    assert len(seen.sessions) == 3 and store.tallies_of("checkpoint", ["*"])[0].rated == 30
    store.close()


# --------------------------------------------------------------------------- a file in trouble


def test_a_damaged_file_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    store = Store(path, RULES)
    assert store.tell(made())
    kept = path.with_name("learning.sqlite.damaged-1")
    assert kept.read_bytes().startswith(b"this is no database")
    assert [note.code for note in store.notes] == ["learning_damaged"] and str(kept) in str(store.notes[0])


def test_damage_that_comes_later_is_found_and_nobody_damages_the_new_file(path: Path) -> None:
    stores = [Store(path, RULES), Store(path, RULES)]
    for number in range(30):
        stores[0].tell(made(f"g{number}", prompt="long " * 200))
    assert stores[1].find("g1")
    for store in stores:
        store.close()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(os.path.getsize(path) - 4096))
    for store in stores:
        assert store.tell(made(f"new{id(store)}"))
    assert len(stores[0].recent(9)) == 2 and len(list(path.parent.glob("*.damaged-*"))) == 1
    assert len(stores[0].notes) + len(stores[1].notes) == 1


def test_a_file_that_was_taken_away_is_made_again(path: Path) -> None:
    store = Store(path, RULES)
    store.tell(made())
    for file in path.parent.glob("learning.sqlite*"):
        file.unlink()
    assert store.tell(made()) and path.exists()


def test_locked_by_another_program(path: Path) -> None:
    store = Store(path, RULES, patience_s=0.3)
    store.tell(made())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable, match="locked"):
            store.tell(rated(5))
        with pytest.raises(Unreachable, match="locked"):
            Store(path, RULES, patience_s=0.3).tell(rated(5))
        assert store.find("g1"), "reading needs nobody's leave"
        other.execute("ROLLBACK")
    assert store.tell(rated(5))


def test_a_lock_that_passes_is_waited_for(path: Path) -> None:
    store = Store(path, RULES)
    store.tell(made())
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.4, lambda: other.execute("COMMIT")).start()
        begun = time.monotonic()
        assert store.tell(rated(5)) and time.monotonic() - begun > 0.3


def test_a_full_disk_is_told_and_nothing_half_written(path: Path) -> None:
    store = Store(path, RULES)
    store.tell(made())
    limit = store.database.read(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
    store.close()
    engine = store.database._opened()

    from sqlalchemy import event

    event.listen(engine, "connect", lambda raw, _record: raw.execute(f"PRAGMA max_page_count={limit + 100}"))
    engine.dispose()
    with pytest.raises(Unreachable, match="full"):
        for number in range(1000):
            store.tell(made(f"g{number + 2}", prompt="long " * 1000))
    assert number > 0
    count = store.overview().generations
    assert len(store.recent(1000)) == count >= 1
    store.close()
    assert store.tell(made("afterwards")), "room again"


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Unreachable):
        Store(tmp_path / "learning.sqlite", RULES).version()
    tmp_path.chmod(0o700)


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        Store(tmp_path, RULES).version()
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable):
        Store(tmp_path / "file" / "learning.sqlite", RULES).version()


# --------------------------------------------------------------------------- addresses


@pytest.mark.parametrize("where", ["mysql://a@b/c", "sqlite://", "oracle://x", "://", "http://localhost/db"])
def test_an_address_of_no_database_is_refused(where: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Store(where, RULES).version()
    assert caught.value.code == "learning_address"


def test_passwords_are_never_shown() -> None:
    store = Store("postgresql://me:secret@127.0.0.1:1/studio?password=secret2&sslpassword=secret3", RULES)
    begun = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        store.version()
    assert time.monotonic() - begun < 5
    assert "secret" not in str(caught.value) + store.address and "127.0.0.1" in store.address


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"pip install -r requirements-postgres\.txt"):
        Store("postgres://me@nowhere/x", RULES).version()


def test_sqlite_by_address(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/own.sqlite", RULES)
    assert store.tell(made()) and (tmp_path / "own.sqlite").exists()


# --------------------------------------------------------------------------- a server in trouble


@pytest.fixture
def own_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], None]]:
    server = request.getfixturevalue("server")
    yield server
    if not _runs(server):
        server.start()


def _runs(server: object) -> bool:
    return bool(list(server.folder.glob(".s.PGSQL.*[0-9]"))) and (server.folder / "data" / "postmaster.pid").exists()


def test_an_unplugged_server(own_server: object, new_database: Callable[[str], str], tmp_path: Path) -> None:
    store, journal = Store(new_database("postgres"), RULES), Journal(tmp_path)
    store.tell(made())
    own_server.stop()
    event = rated(5)
    with pytest.raises(Unreachable):
        store.tell(event)
    with pytest.raises(Unreachable):
        store.tallies(["*"])
    assert journal.postpone(event)
    with pytest.raises(Unreachable):
        journal.replay(store)
    own_server.start()
    assert journal.replay(store) == 1 and store.overview().rated == 1
    store.close()


def test_a_server_locked_by_another_program(new_database: Callable[[str], str]) -> None:
    where = new_database("postgres")
    store = Store(where, RULES, patience_s=0.3)
    store.tell(made())
    other = Database(where)

    def hold(connection: object) -> None:
        connection.execute(text("LOCK TABLE meta"))
        with pytest.raises(Unreachable, match="lock"):
            store.tell(rated(5))

    other.write(hold)
    assert store.tell(rated(5))
    store.close(), other.close()


def test_the_files_of_a_store_can_be_copied(path: Path, tmp_path: Path) -> None:
    store = Store(path, RULES)
    store.tell(made())
    store.close()
    shutil.copy(path, tmp_path / "copy.sqlite")
    assert Store(tmp_path / "copy.sqlite", RULES).find("g1"), "closed, all lies in the file itself"
