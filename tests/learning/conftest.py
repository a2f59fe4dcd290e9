"""Every database the store runs on: SQLite always, PostgreSQL where there is one. A server of one's own is given by
INTELLIGENT_GENERATION_TEST_DATABASE (its user may create schemas); else an installed PostgreSQL serves a cluster of
ours in a temporary folder; else those tests are skipped, loudly."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pack.learning.store import Store

sys.path.insert(0, str(Path(__file__).parent))

from told import RULES

GIVEN = "INTELLIGENT_GENERATION_TEST_DATABASE"
MISSING = "no PostgreSQL"


class Server:
    """A PostgreSQL of the tests' own, in ``folder``, reached by a socket there; it can be stopped and started."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder, self.binaries = folder, binaries
        # PostgreSQL refuses to run as root.
        self.before = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self.before:
            shutil.chown(folder, "postgres", "postgres")
        self._do("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "tests", "-E", "UTF8", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql://tests@/postgres?host={self.folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off -c max_connections=120"
        log = str(self.folder / "log")
        self._do("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        self._do("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def _do(self, name: str, *arguments: str) -> None:
        command = [*self.before, str(self.binaries / name), *arguments]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120)
        assert done.returncode == 0, done.stderr.decode(errors="replace")


def _binaries() -> Path | None:
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return Path(installed[-1]).parent if installed else None


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL of our own, running."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip(f"{MISSING}: neither installed, nor given by {GIVEN}")
    with tempfile.TemporaryDirectory(prefix="iig-pg-", dir="/tmp") as folder:  # a socket's path has 107 characters at most
        own = Server(Path(folder), binaries)
        own.start()
        yield own
        own.stop()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> str:
    """The address of a PostgreSQL server where schemas may be made."""
    pytest.importorskip("psycopg", reason=f"{MISSING}: its driver is not installed")
    if given := os.environ.get(GIVEN):
        return given
    server: Server = request.getfixturevalue("server")
    return server.url


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes an empty database of a kind, "sqlite" or "postgres": its address."""

    def make(kind: str) -> str:
        name = f"iig_{uuid.uuid4().hex}"
        if kind == "sqlite":
            return str(tmp_path / f"{name}.sqlite")
        return _new_on_server(request, name)

    return make


def _new_on_server(request: pytest.FixtureRequest, name: str) -> str:
    import psycopg
    from sqlalchemy import make_url

    address = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql")
    given = address.render_as_string(hide_password=False)

    def do(statement: str) -> None:
        with psycopg.connect(given, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    do(f"CREATE SCHEMA {name}")  # as good as a database of its own, and made in no time
    request.addfinalizer(lambda: do(f"DROP SCHEMA {name} CASCADE"))
    return address.update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """An empty database, on either."""
    return new_database(request.param)


@pytest.fixture
def store(where: str) -> Iterator[Store]:
    opened = Store(where, RULES)
    yield opened
    opened.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if MISSING in str(report.longrepr)]
    if skipped:
        terminalreporter.section("NO POSTGRESQL", sep="!")
        terminalreporter.line(f"{len(skipped)} tests of the learning database on PostgreSQL were SKIPPED.")
        terminalreporter.line(f"Install PostgreSQL, or set {GIVEN} to a server's address, and run again.")
