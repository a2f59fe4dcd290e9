"""Bytes out of Hugging Face's Xet storage (huggingface.co/docs/xet): many chunks at once where plain HTTPS is one line.

The ``hf_xet`` package fetches them, in a process of its own: in ours a wait of its could not be ended (releases
before 1.8 even hold the interpreter meanwhile), and its threads, log files and buffers would stay in ComfyUI.
Whatever goes wrong there, plain HTTPS brings the rest.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests

from ..errors import Unreachable
from .addresses import is_listed, origin_of
from .refusals import Refused
from .stream import BLOCK_BYTES, BLOCKS, PATIENCE_S, blocks_of
from .tokens import VARIABLES
from .web import AGENT, READ_TIMEOUT_S, Web

HUB = "huggingface"
PUBLIC_ADDRESS = "https://huggingface.co"  # mirrors pass on what it says, its own address included
SMALLEST_BYTES = 16_000_000  # for less, another process and two more questions cost more than they bring
STALL_S = 2 * READ_TIMEOUT_S
LOOK_S = 0.2  # between two looks at whether to stop
LARGEST_TOKEN_BYTES = 100_000
TOKEN_MARGIN_S = 60.0  # hf_xet itself gives a token up 30 s before its end
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_SCRIPT = Path(__file__).with_name("xet_process.py")

_log = logging.getLogger(__name__)


class XetLost(Exception):
    """Xet gave up; what came before is kept and plain HTTPS can go on from there."""


@dataclass(frozen=True)
class XetFile:
    """What the storage calls a file, and where the hub gives out a key to it for a short time."""

    hash: str
    token_address: str


@dataclass(frozen=True)
class Access:
    """The storage's address and the key to it; ``expires`` in seconds since 1970."""

    endpoint: str
    token: str
    expires: int


@dataclass
class Xet:
    """Xet for one transfer, tried once. ``used`` says that bytes came this way, ``running`` that they do now."""

    web: Web
    hub: str
    stop: Callable[[], bool]
    untried: bool = True
    used: bool = False
    running: bool = False

    def blocks(self, start: int, total: int | None, response: requests.Response) -> Iterator[memoryview]:
        """The file from ``start`` on, over Xet where that is to be had, else as ``response`` brings it. A block is
        overwritten ``BLOCKS`` blocks later. Raises ``XetLost`` when Xet ends amid the file, and what the connection
        raises."""
        done = start
        try:
            self.running = True
            for block in self._over_xet(start, total, response):
                if not self.used:
                    response.close()
                self.used = True
                done += len(block)
                yield block
        except (XetLost, OSError, Refused, Unreachable) as fault:
            _log.info("Xet: %s; plain HTTPS instead", fault)
            if done > start or self.stop():
                raise XetLost(str(fault)) from fault
        finally:
            self.running = False
        if done == start:
            yield from blocks_of(response)

    def give_up(self) -> None:
        """No Xet for the rest of this transfer."""
        self.untried = self.used = False

    def _over_xet(self, start: int, total: int | None, response: requests.Response) -> Iterator[memoryview]:
        file = self._file(response) if self.untried and total and total - start >= SMALLEST_BYTES else None
        packages = _packages() if file else None
        if not (file and packages and total):
            return
        self.untried = False
        done = start
        while done < total:
            access, before = self._access(file), done
            order = {"packages": packages, "agent": AGENT, "hash": file.hash, "start": done, "size": total}
            try:
                for block in _read({**order, **asdict(access)}, total - done, self.stop):
                    done += len(block)
                    yield block
            except XetLost:
                if done == before or self.stop() or time.time() < access.expires - TOKEN_MARGIN_S:
                    raise
                _log.debug("Xet: the key ran out; asking for another")

    def _file(self, response: requests.Response) -> XetFile | None:
        """What the hub's own answer, the first of all redirects, says of the file."""
        options = self.web.options
        first = next(iter(response.history), response)
        base = next((base for base in options.bases(HUB) if origin_of(base) == origin_of(first.url)), None)
        named = first.headers.get("X-Xet-Hash", "")
        route = first.links.get("xet-auth", {}).get("url") or first.headers.get("X-Xet-Refresh-Route")
        if self.hub != HUB or not options.xet or base is None or not route or not _HASH.fullmatch(named):
            return None
        if route.startswith(f"{PUBLIC_ADDRESS}/"):
            route = base + route.removeprefix(PUBLIC_ADDRESS)
        return XetFile(named.lower(), urljoin(f"{base}/", route))

    def _access(self, file: XetFile) -> Access:
        """A key to the storage, asked for with our own, which stays between us and the hub."""
        told, _ = self.web.bytes(self.hub, file.token_address, LARGEST_TOKEN_BYTES)
        try:
            held = json.loads(told)
            access = Access(str(held["casUrl"]).rstrip("/"), str(held["accessToken"]), int(held["exp"]))
        except (ValueError, KeyError, TypeError, RecursionError) as fault:
            raise XetLost("no readable key to the storage") from fault
        options = self.web.options
        if not is_listed(access.endpoint, options.hosts(self.hub), options.origins(self.hub)):
            raise XetLost(f"{urlsplit(access.endpoint).hostname} is none of the hub's hosts")
        return access


def _packages() -> str | None:
    """The folder that ``hf_xet`` lies in, found without importing it."""
    found = find_spec("hf_xet")
    places = list(found.submodule_search_locations or ()) if found else []
    return str(Path(places[0]).parent) if places else None


def _read(order: dict[str, object], count: int, stop: Callable[[], bool]) -> Iterator[memoryview]:
    """``count`` bytes from a process that was given ``order``. Raises ``XetLost`` where there are fewer or more."""
    with _running(order) as (process, said), _watched(process, stop) as watch:
        assert process.stdout
        for memory in cycle([memoryview(bytearray(BLOCK_BYTES)) for _ in range(BLOCKS)]):
            got = watch.fill(process.stdout, memory[: min(count, BLOCK_BYTES)])
            if not got:
                break
            count -= got
            yield memory[:got]
        if count or watch.fill(process.stdout, memoryview(bytearray(1))) or process.wait(STALL_S):
            raise XetLost(_last_word(said))


@contextmanager
def _running(order: dict[str, object]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """The process and what it complains of; killed, and its scratch folder gone, when the block is left."""
    scratch = tempfile.TemporaryDirectory(prefix="intelligent-generation-", ignore_cleanup_errors=True)
    with scratch, open(Path(scratch.name) / "complaints", "w+b") as said:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            bufsize=0,
            env=_environment(scratch.name),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        try:
            assert process.stdin
            with process.stdin as orders:
                orders.write(json.dumps(order).encode())  # as an argument any user of this machine could read it
            yield process, said
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _environment(scratch: str) -> dict[str, str]:
    """Ours without our keys; what the client logs and stages lies in a folder of this run."""
    keys = {name for names in VARIABLES.values() for name in names}
    kept = {name: value for name, value in os.environ.items() if name not in keys}
    return kept | {"HF_HOME": scratch, "HF_XET_CACHE": scratch}


@contextmanager
def _watched(process: subprocess.Popen[bytes], stop: Callable[[], bool]) -> Iterator[_Watch]:
    """Ends a wait for the process, which nothing else can, when it is to stop or has stalled."""
    watch, over = _Watch(), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            if stop() or watch.waited_s() > STALL_S:
                process.kill()
                return

    thread = threading.Thread(target=look, name="iig-xet", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


class _Watch:
    """How long a read has been waiting."""

    def __init__(self) -> None:
        self._since: float | None = None

    def waited_s(self) -> float:
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def fill(self, pipe: IO[bytes], memory: memoryview) -> int:
        """Bytes read into ``memory``: all it has room for, fewer where they come slowly, 0 at the end."""
        count, deadline = 0, time.monotonic() + PATIENCE_S
        while count < len(memory) and (not count or time.monotonic() < deadline):
            self._since = time.monotonic()
            got: int = pipe.readinto(memory[count:])  # type: ignore[attr-defined]
            self._since = None
            if not got:
                break
            count += got
        return count


def _last_word(said: IO[bytes]) -> str:
    """The kind of error that the process ended with; its text may hold signed addresses."""
    said.seek(0)
    lines = said.read(1 << 20).decode("utf-8", "replace").strip().splitlines()
    kind = lines[-1].partition(":")[0] if lines else ""
    return kind if re.fullmatch(r"[\w.]{1,80}", kind) else "the process ended early"
