"""One file from a hub to the disk: whole and proven, or not there at all.

Bytes go to ``<name>.part`` beside the target while their SHA-256 is computed; the file gets
its name only after the sum, the header and the size were compared. An interrupted transfer goes on where it
stopped as long as the hub still has the same bytes (``If-Range``, RFC 9110 §13.1.5).
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from ..errors import Unreachable, UserError
from .headers import MAX_HEADER_BYTES, SAFE_EXTENSIONS, foreign, read_header
from .part_file import keeping, part_of, place, size_of
from .refusals import NotFound, Refused
from .stream import BLOCK_BYTES, FIRST_BYTES
from .web import READ_TIMEOUT_S, Web, pause_after
from .xet import Xet, XetLost

LONGEST_PAUSE_S = 900.0  # a hub may ask a download, which nobody watches, for more patience than a search
RESERVE_BYTES = 512 * 1024**2  # left free on the disk: ComfyUI and the system need some

Progress = Callable[[int, "int | None"], None]


class Stopped(Exception):
    """The transfer was told to stop; what was fetched is kept."""


@dataclass(frozen=True)
class Patience:
    """How long a transfer bears with a hub: ``tries`` without a byte gained; a stall is fewer than
    ``least_bytes`` within ``window_s``."""

    tries: int = 6
    window_s: float = 2 * READ_TIMEOUT_S
    least_bytes: int = 64 * 1024


PATIENCE = Patience()


@dataclass(frozen=True)
class Job:
    """What to fetch and where it goes. ``sha256`` and ``size_bytes`` are what the hub says, ``None`` where it does
    not; ``largest_bytes`` is more than any file may have."""

    hub: str
    addresses: tuple[str, ...]
    target: Path
    size_bytes: int | None
    sha256: str | None
    largest_bytes: int

    @property
    def part(self) -> Path:
        return part_of(self.target)

    @property
    def extension(self) -> str:
        return self.target.suffix.lower()


@dataclass
class Transfer:
    """One run of a job. ``validator`` is the ETag or date of the bytes in the part file; ``remember`` keeps a new
    one before the first byte that belongs to it is written. ``accept`` may refuse proven bytes (sum, size) by
    raising."""

    web: Web
    job: Job
    validator: str | None
    remember: Callable[[str | None], None]
    stop: Callable[[], bool]
    on_progress: Progress
    accept: Callable[[str, int], None] = lambda sha256, size: None
    slow_down: Callable[[int], None] = lambda count: None
    patience: Patience = PATIENCE
    sleep: Callable[[float], None] = time.sleep
    resumed: bool = False

    def __post_init__(self) -> None:
        self.xet = Xet(self.web, self.job.hub, self.stop, untried=self.job.sha256 is not None)

    def run(self) -> str:
        """Fetch, prove and place the file; its SHA-256. Raises ``Stopped``, ``Unreachable``, ``Refused``, or a
        ``UserError`` that says why these bytes were not kept."""
        self._need_room(self.job.size_bytes)
        try:
            sha256 = self._proven()
            place(self.job.part, self.job.target)
        except OSError as fault:
            raise self._disk_fault(fault) from fault
        return sha256

    def _fetch_all(self) -> str:
        """Every byte, from as many requests as it takes."""
        failures, address = 0, 0
        while True:
            before = self._have()
            try:
                return self._request(self.job.addresses[address])
            except NotFound:
                address += 1  # CivitAI's own download address may be gone where the one by file id is not
                if address == len(self.job.addresses):
                    raise
            except (Unreachable, Refused) as fault:
                failures = 0 if self._have() > before else failures + 1
                pause = pause_after(fault, failures, LONGEST_PAUSE_S)
                if pause is None or failures >= self.patience.tries:
                    raise
                self._wait(pause)

    def _request(self, address: str) -> str:
        have = self._have()
        headers = {"Accept-Encoding": "identity", **self._range(have)}
        with self.web.open(self.job.hub, address, headers=headers) as response:
            if response.status_code == 416:
                return self._beyond_the_end(have, response)
            going_on = response.status_code == 206 and self._continues(have, response)
            if response.status_code == 206 and not going_on:
                self._forget()
                raise self._lost(response)
            return self._receive(have if going_on else 0, response)

    def _range(self, have: int) -> dict[str, str]:
        """A range only where a splice is impossible (validator) or would be found out (sum)."""
        if not have or not (self.validator or self.job.sha256):
            return {}
        condition = {"If-Range": self.validator} if self.validator else {}
        return {"Range": f"bytes={have}-", **condition}

    def _continues(self, have: int, response: requests.Response) -> bool:
        """Whether a partial answer starts where we are, of the same bytes as before."""
        start, _, _ = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")
        same = self.validator is None or validator_of(response.headers) in (self.validator, None)
        return start.strip() == str(have) and same

    def _beyond_the_end(self, have: int, response: requests.Response) -> str:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if total == str(have):
            return self._sum_of_part(have).hexdigest()
        self._forget()
        raise self._lost(response)

    def _receive(self, start: int, response: requests.Response) -> str:
        total = self._total(start, response)
        if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise UserError("download_encoded", name=self.job.target.name, hub=self.job.hub)
        self._need_room(total)
        self.resumed = self.resumed or start > 0
        blocks = self._blocks(start, total, response)
        # Looked at before the part file is touched: a login page costs nothing that was fetched earlier.
        first = next(blocks, memoryview(b""))
        digest = self._sum_of_part(start) if start else hashlib.sha256()
        with open(self.job.part, "r+b" if start else "wb", buffering=0) as part:
            part.seek(start)
            if not start:
                self.validator = validator_of(response.headers)
                self.remember(self.validator)
            with keeping(part, digest) as keep:
                for block in chain((first,), blocks):
                    keep(block)
        return digest.hexdigest()

    def _total(self, start: int, response: requests.Response) -> int | None:
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else self.job.size_bytes
        if total is not None and total > self.job.largest_bytes:
            raise UserError("download_too_large", name=self.job.target.name, size=gigabytes(total))
        return total

    def _blocks(self, start: int, total: int | None, response: requests.Response) -> Iterator[memoryview]:
        done, watch = start, _Watch(self.patience)
        most = self.job.largest_bytes if total is None else total
        self.on_progress(done, total)
        for block in self._line(start, total, response):
            if self.stop():
                raise Stopped
            if not done and not self.xet.running:  # what comes over Xet, its sum alone proves
                self._look_at(bytes(block[:FIRST_BYTES]), response.headers.get("Content-Type", ""))
            done += len(block)
            if done > most:
                raise UserError("download_longer_than_said", name=self.job.target.name, hub=self.job.hub)
            yield block
            self.on_progress(done, total)
            self.slow_down(len(block))
            if watch.is_stalled(len(block)):
                raise self._lost(response)
        if "Content-Length" in response.headers and done != total:
            raise self._lost(response)

    def _line(self, start: int, total: int | None, response: requests.Response) -> Iterator[memoryview]:
        try:
            yield from self.xet.blocks(start, total, response)
        except (urllib3.exceptions.HTTPError, requests.RequestException, HTTPException, OSError, XetLost) as fault:
            if self.stop():
                raise Stopped from fault
            raise self._lost(response) from fault

    def _look_at(self, block: bytes, content_type: str) -> None:
        """A login page saved as a model is the commonest broken download: found out before a byte is written."""
        problem = foreign(block, self.job.extension)
        if problem == "file_web_page" or content_type.partition(";")[0].strip().lower() in (
            "text/html",
            "application/xhtml+xml",
        ):
            raise UserError("download_is_page", name=self.job.target.name, hub=self.job.hub)
        header_bytes = int.from_bytes(block[:8], "little")
        if self.job.extension in SAFE_EXTENSIONS and (problem or header_bytes > MAX_HEADER_BYTES):
            raise UserError("download_not_safetensors", name=self.job.target.name, hub=self.job.hub)

    # ----------------------------------------------------------------------- proof

    def _proven(self) -> str:
        sha256 = self._fetch_all()
        if self.job.sha256 not in (None, sha256) and (self.resumed or self.xet.used):
            self.xet.give_up()
            self._forget()  # perhaps joined from two versions of the file: once more, from the start
            sha256 = self._fetch_all()
        fault = self._fault(sha256, self._have())
        if fault:
            self._forget()
            raise fault
        try:
            self.accept(sha256, self._have())
        except BaseException:
            self._forget()
            raise
        return sha256

    def _fault(self, sha256: str, size: int) -> UserError | None:
        """Why these bytes are not the file that was promised."""
        job, name = self.job, self.job.target.name
        if job.sha256 not in (None, sha256):
            assert job.sha256
            return UserError("download_mismatch", name=name, hub=job.hub, expected=job.sha256[:10], found=sha256[:10])
        if not job.sha256 and job.size_bytes and abs(job.size_bytes - size) > 1024:
            return UserError("download_size_differs", name=name, hub=job.hub, expected=job.size_bytes, found=size)
        if job.extension not in SAFE_EXTENSIONS:
            return None
        problem = read_header(str(job.part), job.extension, size).problem
        return UserError(problem, name=name) if problem else None

    def _sum_of_part(self, size: int) -> hashlib._Hash:
        digest, block = hashlib.sha256(), memoryview(bytearray(BLOCK_BYTES))
        with open(self.job.part, "rb", buffering=0) as part:
            while size > 0 and (count := part.readinto(block[: min(size, BLOCK_BYTES)])):
                digest.update(block[:count])
                size -= count
                if self.stop():
                    raise Stopped
        return digest

    # ----------------------------------------------------------------------- the part file

    def _have(self) -> int:
        return size_of(self.job.part)

    def _forget(self) -> None:
        """Let the bytes go first, then what was known of them: never the other way round."""
        self.job.part.unlink(missing_ok=True)
        self.validator = None
        self.remember(None)

    def _need_room(self, total: int | None) -> None:
        if total is None:
            return
        if total > self.job.largest_bytes:
            raise UserError("download_too_large", name=self.job.target.name, size=gigabytes(total))
        free = shutil.disk_usage(self.job.target.parent).free
        needed = total - self._have() + RESERVE_BYTES
        if free < needed:
            folder = str(self.job.target.parent)
            raise UserError("download_no_room", name=self.job.target.name, folder=folder, missing=gigabytes(needed - free))

    def _lost(self, response: requests.Response) -> Unreachable:
        return Unreachable("hub_unreachable", hub=self.job.hub, host=urlsplit(response.url).hostname)

    def _disk_fault(self, fault: OSError) -> UserError:
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            folder = str(self.job.target.parent)
            return UserError("download_no_room", name=self.job.target.name, folder=folder, missing=gigabytes(RESERVE_BYTES))
        if isinstance(fault, FileExistsError):
            return UserError("file_exists", path=str(self.job.target))
        return UserError("download_not_writable", folder=str(self.job.target.parent), problem=fault.strerror or str(fault))

    def _wait(self, seconds: float) -> None:
        while seconds > 0:
            if self.stop():
                raise Stopped
            self.sleep(min(seconds, 0.2))
            seconds -= 0.2


def validator_of(headers: Mapping[str, str]) -> str | None:
    """What names these bytes in ``If-Range``: a strong ETag, else the date of the last change."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


class _Watch:
    """Tells a stalled connection from a slow one."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.since, self.gained = time.monotonic(), 0

    def is_stalled(self, count: int) -> bool:
        self.gained += count
        if self.gained >= self.patience.least_bytes:
            self.since, self.gained = time.monotonic(), 0
        return time.monotonic() - self.since > self.patience.window_s
