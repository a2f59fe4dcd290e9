"""Hugging Face's Xet storage on this machine (huggingface.co/docs/xet: reconstruction API, xorb format), chunks
stored uncompressed, for the real ``hf_xet`` client.

    hubs.huggingface.xet = cas = Cas()       # from now on the hub names it for large files
    cas.fault("/xorbs/*", Fault(status=500)) # as with every stand-in
"""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from typing import Any

from standin import Answer, Asked, Content, Server, bearer, said

CHUNK = 1 << 16
XORB_CHUNKS = 96  # real ones hold about a thousand
HEADER = 8  # version, packed length (3 bytes), scheme, unpacked length (3 bytes)


class Cas:
    """``versions`` of the reconstruction API that it answers; keys it gave out are ``issued``, each good for
    ``lifetime_s`` and ``plans_a_key`` questions; ``spoilt`` serves chunks of the right length whose last bytes are wrong."""

    def __init__(self, versions: tuple[int, ...] = (2, 1), lifetime_s: float = 3600, plans_a_key: int = 1000) -> None:
        self.versions, self.lifetime_s, self.plans_a_key = versions, lifetime_s, plans_a_key
        self.spoilt = False
        self.issued: dict[str, list[float]] = {}  # until when, and for how many questions more
        self._files: dict[str, tuple[int, list[str]]] = {}
        self._xorbs: dict[str, bytes] = {}
        self._numbers = itertools.count(1)
        self.server = Server(self._answer)
        self.url, self.fault, self.asked, self.heal = self.server.url, self.server.fault, self.server.asked, self.server.heal

    def put(self, content: Content) -> str:
        """Keep a file; its hash here."""
        raw = content if isinstance(content, bytes) else content.read_bytes()
        step = CHUNK * XORB_CHUNKS
        named = [self._keep(raw[at : at + step]) for at in range(0, len(raw), step)]
        name = hashlib.blake2s(repr(named).encode()).hexdigest()
        self._files[name] = (len(raw), named)
        return name

    def xorb_at(self, name: str, offset: int) -> str:
        """The path of the xorb that holds this byte of a file."""
        return f"/xorbs/{self._files[name][1][offset // (CHUNK * XORB_CHUNKS)]}"

    def give_key(self) -> dict[str, Any]:
        key, expires = f"xet-key-{next(self._numbers)}", time.time() + self.lifetime_s
        self.issued[key] = [expires, self.plans_a_key]
        return {"accessToken": key, "exp": int(expires), "casUrl": self.url}

    def _keep(self, raw: bytes) -> str:
        xorb = b"".join(_chunk(raw[at : at + CHUNK]) for at in range(0, len(raw), CHUNK))
        name = hashlib.blake2s(xorb).hexdigest()
        self._xorbs[name] = xorb
        return name

    def _answer(self, asked: Asked) -> Answer:
        if found := re.fullmatch(r"/xorbs/(\w+)", asked.path):
            return self._xorb(found[1])
        found = re.fullmatch(r"/v(\d)/reconstructions/(\w+)", asked.path)
        if not found or int(found[1]) not in self.versions or found[2] not in self._files:
            return said({"error": "not found"}, 404)
        key = self.issued.get(bearer(asked) or "", [0, 0])
        key[1] -= 1
        if key[0] < time.time() or key[1] < 0:
            return said({"error": "unauthorized"}, 401)
        return self._plan(int(found[1]), *self._files[found[2]], asked.headers.get("range", f"bytes=0-{1 << 60}"))

    def _xorb(self, name: str) -> Answer:
        xorb = self._xorbs.get(name)
        if xorb is None:
            return said({"error": "not found"}, 404)
        return Answer(served=xorb[:-100] + bytes(100) if self.spoilt else xorb)

    def _plan(self, version: int, size: int, named: list[str], wanted: str) -> Answer:
        """Which chunks of which xorbs make up the bytes ``wanted``."""
        first, last = (int(each) for each in wanted.removeprefix("bytes=").split("-"))
        if first >= size:
            return said({}, 416)
        chunks = range(first // CHUNK, min(last, size - 1) // CHUNK + 1)
        terms, places = [], {}
        for index in range(chunks.start // XORB_CHUNKS, (chunks.stop - 1) // XORB_CHUNKS + 1):
            base = index * XORB_CHUNKS
            start, end = max(0, chunks.start - base), min(XORB_CHUNKS, chunks.stop - base)
            span = {"start": start, "end": end}
            length = min((base + end) * CHUNK, size) - (base + start) * CHUNK
            lies = {"start": start * (CHUNK + HEADER), "end": start * (CHUNK + HEADER) + length + (end - start) * HEADER - 1}
            terms.append({"hash": named[index], "unpacked_length": length, "range": span})
            places.setdefault(named[index], []).append((span, lies))
        told = {"offset_into_first_range": first - chunks.start * CHUNK, "terms": terms}
        return said({**told, **(self._ranges(places) if version == 2 else self._fetch_info(places))})

    def _ranges(self, places) -> dict[str, Any]:
        listed = {
            name: [{"url": self._signed(name), "ranges": [{"chunks": span, "bytes": lies}]} for span, lies in each]
            for name, each in places.items()
        }
        return {"xorbs": listed}

    def _fetch_info(self, places) -> dict[str, Any]:
        listed = {
            name: [{"range": span, "url": self._signed(name), "url_range": lies} for span, lies in each]
            for name, each in places.items()
        }
        return {"fetch_info": listed}

    def _signed(self, name: str) -> str:
        return f"{self.url}/xorbs/{name}?X-Xet-Signature=0123456789abcdef"


def _chunk(raw: bytes) -> bytes:
    length = len(raw).to_bytes(3, "little")
    return b"\0" + length + b"\0" + length + raw
