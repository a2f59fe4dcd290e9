"""Stand-ins for CivitAI, Hugging Face and their CDN on this machine: real answer shapes, switchable faults.

    with StandIn(tmp_path) as hubs:
        ink = hubs.civitai.add({"ink.safetensors": toy("ink")}, type="LORA")
        hubs.cdn.fault("*ink*", Fault(cut_at=1000), times=1)
        web = hubs.web()                      # the pack's own way to the network, led here
        hubs.cdn.asked("*ink*")[0].headers    # what was sent

Hubs send downloads on to ``hubs.cdn``, which is another origin (another port) as it is in reality.
"""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import json
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

PIECE = 1 << 20
Content = bytes | Path


def toy(salt: str = "", size: int = 4096) -> bytes:
    """A small real safetensors file; another ``salt`` gives other bytes."""
    header = json.dumps(
        {"__metadata__": {"salt": salt}, "weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    ).encode()
    pattern = hashlib.sha256(salt.encode()).digest()
    return struct.pack("<Q", len(header)) + header + (pattern * (size // len(pattern) + 1))[:size]


def login_page() -> bytes:
    return (
        b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + b"<p>Please log in.</p>" * 400 + b"</body></html>"
    )


def json_bomb(unpacked_bytes: int = 80_000_000) -> bytes:
    """A few kilobytes that unpack to far more."""
    return gzip.compress(b'{"items": ["' + b"0" * unpacked_bytes + b'"]}')


def sha256_of(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    with content.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def size_of(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


@dataclass(frozen=True)
class Asked:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Fault:
    """What goes wrong. With a ``status`` the answer is this one, whole; without, the right answer is served and
    spoilt: ``content`` other bytes, ``etag`` another ETag, ``ignore_range`` 200 to a Range, ``unsized`` chunked and
    without a length, ``unmarked`` neither ETag nor Last-Modified, ``cut_at`` the connection ends after so many
    bytes of the body, ``stall_at`` nothing comes after so many, ``drip`` pieces of so many bytes with so many
    seconds between, ``packed`` Content-Encoding gzip, ``headers`` added (``None`` takes one away)."""

    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes = b""
    content: Content | None = None
    etag: str | None = None
    ignore_range: bool = False
    unsized: bool = False
    unmarked: bool = False
    cut_at: int | None = None
    stall_at: int | None = None
    drip: tuple[int, float] | None = None
    packed: bool = False

    @classmethod
    def redirect(cls, url: str, status: int = 302) -> Fault:
        return cls(status=status, headers={"Location": url})

    @classmethod
    def busy(cls, retry_after: str | None = "1", status: int = 429) -> Fault:
        return cls(status=status, headers={"Retry-After": retry_after}, body=b'{"error":"Too many requests"}')

    @classmethod
    def login(cls) -> Fault:
        return cls(status=200, headers={"Content-Type": "text/html; charset=utf-8"}, body=login_page())

    @classmethod
    def bomb(cls, unpacked_bytes: int = 80_000_000) -> Fault:
        return cls(
            status=200, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}, body=json_bomb(unpacked_bytes)
        )


@dataclass(frozen=True)
class Answer:
    """What a server says: ``served`` files get ranges and validators, ``body`` does not."""

    status: int = 200
    body: bytes = b""
    served: Content | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""


def said(value: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), headers={"Content-Type": "application/json; charset=utf-8", **named})


class Server:
    """One origin: ``url``, ``requests`` (all that came), ``fault(pattern, …)`` for what shall go wrong."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.requests: list[Asked] = []
        self._answer, self._faults, self._lock = answer, [], threading.Lock()
        self.closing = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Connection)
        self._http.owner = self
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def fault(self, pattern: str, fault: Fault, times: int | None = None) -> None:
        """Spoil requests whose path matches, the next ``times`` of them or all; the latest fault goes first."""
        with self._lock:
            self._faults.insert(0, [pattern, fault, times])

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()

    def asked(self, pattern: str = "*") -> list[Asked]:
        return [each for each in self.requests if fnmatch.fnmatch(each.path, pattern)]

    def respond(self, asked: Asked) -> tuple[Answer, Fault | None]:
        with self._lock:
            self.requests.append(asked)
            fault = next((each for each in self._faults if fnmatch.fnmatch(asked.path, each[0]) and each[2] != 0), None)
            if fault and fault[2] is not None:
                fault[2] -= 1
        if fault and fault[1].status is not None:
            return Answer(fault[1].status, fault[1].body), fault[1]
        return self._answer(asked), fault[1] if fault else None

    def stop(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads, block_on_close, request_queue_size = True, False, 128

    def handle_error(self, request, client_address) -> None:
        """Clients that hang up are the point of many tests."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def log_message(self, *_args) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, unquote(parts.path), parse_qs(parts.query, keep_blank_values=True), headers)
        answer, fault = self.server.owner.respond(asked)
        try:
            self._serve(answer, fault or Fault(), headers)
        except OSError:
            self.close_connection = True  # the client went away

    do_HEAD = do_GET

    def _serve(self, answer: Answer, fault: Fault, asked: Mapping[str, str]) -> None:
        status, headers, body, start, stop = self._shaped(answer, fault, asked)
        headers.update({"Content-Length": str(stop - start)} if not fault.unsized else {"Transfer-Encoding": "chunked"})
        headers.update(fault.headers)
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send(body, start, stop, fault)

    def _shaped(self, answer: Answer, fault: Fault, asked: Mapping[str, str]):
        """(status, headers, body, start, stop) of the answer, ranges and validators minded."""
        if answer.served is None:
            body, headers = answer.body, dict(answer.headers)
            if fault.packed:
                body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
            return answer.status, headers, body, 0, len(body)
        body = answer.served if fault.content is None else fault.content
        etag, modified = fault.etag or answer.etag or _etag(answer.served), _modified(answer.served)
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        if not fault.unmarked:
            headers |= {"ETag": etag, "Last-Modified": modified}
        headers |= answer.headers
        if fault.packed:
            raw = body if isinstance(body, bytes) else body.read_bytes()
            packed = gzip.compress(raw)
            return 200, {**headers, "Content-Encoding": "gzip"}, packed, 0, len(packed)
        size = size_of(body)
        wanted = None if fault.ignore_range else _range(asked, size, (etag, modified))
        if wanted is None:
            return 200, headers, body, 0, size
        start, stop = wanted
        if start >= stop:
            return 416, {**headers, "Content-Range": f"bytes */{size}"}, b"", 0, 0
        return 206, {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}, body, start, stop

    def _send(self, body: Content, start: int, stop: int, fault: Fault) -> None:
        ends = [start + at for at in (fault.cut_at, fault.stall_at) if at is not None]
        end = min([stop, *ends])
        plain = not (fault.unsized or fault.drip)
        if isinstance(body, Path) and plain and hasattr(os, "sendfile"):
            self.wfile.flush()
            self._sendfile(body, start, end)
        else:
            self._write(body, start, end, fault)
        if fault.stall_at is not None and end < stop:
            self.server.owner.closing.wait(120)
        if end < stop:
            self.close_connection = True

    def _sendfile(self, path: Path, start: int, end: int) -> None:
        with path.open("rb") as file:
            while start < end:
                sent = os.sendfile(self.connection.fileno(), file.fileno(), start, min(end - start, 1 << 26))
                if not sent:
                    break
                start += sent

    def _write(self, body: Content, start: int, end: int, fault: Fault) -> None:
        piece, pause = fault.drip or (PIECE, 0.0)
        for at in range(start, end, piece):
            part = _slice(body, at, min(at + piece, end))
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if fault.unsized else part)
            if pause:
                self.wfile.flush()
                if self.server.owner.closing.wait(pause):
                    break
        if fault.unsized and fault.cut_at is None:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def _slice(body: Content, start: int, stop: int) -> bytes:
    if isinstance(body, bytes):
        return body[start:stop]
    with body.open("rb") as file:
        file.seek(start)
        return file.read(stop - start)


def _etag(content: Content) -> str:
    if isinstance(content, bytes):
        return f'"{hashlib.md5(content).hexdigest()}"'
    stat = content.stat()
    return f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"'


def _modified(content: Content) -> str:
    return formatdate(1_700_000_000 if isinstance(content, bytes) else content.stat().st_mtime, usegmt=True)


def _range(asked: Mapping[str, str], size: int, marks: tuple[str, str]) -> tuple[int, int] | None:
    """(start, stop) of the part asked for; ``None`` where the whole is due."""
    text = asked.get("range", "")
    if not text.startswith("bytes=") or "," in text or asked.get("if-range", marks[0]) not in marks:
        return None
    first, _, last = text[6:].partition("-")
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1 if last else size, size)


class Cdn:
    """Files at signed addresses, on an origin of their own."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[Content, Mapping[str, str], str]] = {}
        self.server = Server(self._answer)
        self.url, self.fault, self.asked, self.heal = self.server.url, self.server.fault, self.server.asked, self.server.heal

    def put(self, path: str, content: Content, etag: str = "", **headers: str) -> str:
        """Serve ``content`` at ``path``; its signed address."""
        self.files[path] = (content, {name.replace("_", "-"): text for name, text in headers.items()}, etag)
        return f"{self.url}{quote(path)}?X-Amz-Expires=86400&X-Amz-Signature=0123456789abcdef"

    def _answer(self, asked: Asked) -> Answer:
        if asked.path not in self.files:
            return Answer(
                404, b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", headers={"Content-Type": "application/xml"}
            )
        content, headers, etag = self.files[asked.path]
        return Answer(served=content, headers=headers, etag=etag)


def bearer(asked: Asked) -> str | None:
    return asked.headers.get("authorization", "").removeprefix("Bearer ") or None


class StandIn:
    """All of it: ``civitai``, ``red`` (civitai.red, empty at first), ``huggingface``, ``cdn``. ``folder`` holds the
    hub settings and keys."""

    def __init__(self, folder: Path) -> None:
        from standin_hubs import CivitAI, HuggingFace

        self.folder = folder
        self.cdn = Cdn()
        self.civitai, self.red, self.huggingface = CivitAI(self.cdn), CivitAI(self.cdn), HuggingFace(self.cdn)
        self.slept: list[float] = []
        self.now = 1_750_000_000.0

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_fault) -> None:
        for each in (self.cdn, self.civitai, self.red, self.huggingface):
            each.server.stop()

    def options(self, **changes):
        """The pack's options, led here."""
        from pack.hub.options import Options

        led = Options(civitai=(self.civitai.url, self.red.url), huggingface=self.huggingface.url, extra_hosts=(self.cdn.url,))
        return replace(led, **changes)

    def environ(self) -> dict[str, str]:
        """The same as environment variables, for a process of its own."""
        return {
            "INTELLIGENT_GENERATION_CIVITAI": f"{self.civitai.url},{self.red.url}",
            "INTELLIGENT_GENERATION_HUB_HOSTS": self.cdn.url,
            "HF_ENDPOINT": self.huggingface.url,
        }

    def web(self, tokens: Mapping[str, str] | None = None, **changes):
        """A ``Web`` led here that sleeps without sleeping: ``slept`` has the seconds, ``now`` is its clock."""
        from pack.hub.tokens import Tokens
        from pack.hub.web import Web

        names = {"civitai": "CIVITAI_API_KEY", "huggingface": "HF_TOKEN"}
        environ = {names[hub]: token for hub, token in (tokens or {}).items()}
        return Web(self.options(**changes), Tokens(self.folder, environ), self.sleep, lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def wait_until(happened: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Raises ``TimeoutError`` where it does not happen."""
    end = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.01)
