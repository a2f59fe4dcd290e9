"""Preview images of what hubs offer: fetched once, kept as pictures of our own making, counted with the answers."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import warnings
from pathlib import Path

from ..files import write_whole
from .answers import Answers, Asked
from .refusals import Refused
from .web import Web

MAX_BYTES = 8_000_000
MAX_PIXELS = 64_000_000  # unpacked 256 MB at most
SIDE = 512  # pixels of the longer side
QUALITY = 80
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


class Previews:
    """The images kept by ``answers``, fetched through ``web``."""

    def __init__(self, answers: Answers, web: Web) -> None:
        self._answers, self._web = answers, web
        self._lock = threading.Lock()

    def stored(self, url: str) -> Path | None:
        """The picture of this address, where it is already here."""
        key = key_of(url)
        path = self._answers.preview_path(key)
        return path if path.exists() and self._answers.get("", Asked.PREVIEW, key) else None

    def fetch(self, hub: str, url: str) -> Path:
        """The picture of this address as WebP, at most 512 pixels wide and high. Raises ``Unreachable``,
        ``NotFound``, or ``Refused``, also where what came is no picture."""
        with self._lock:
            return self.stored(url) or self._fetch(hub, url)

    def _fetch(self, hub: str, url: str) -> Path:
        raw, _ = self._web.bytes(hub, url, MAX_BYTES)
        picture = as_webp(raw)
        if picture is None:
            raise Refused("preview_no_image", hub=hub)
        key = key_of(url)
        # The entry comes first: a picture without one would never be counted or cleared.
        self._answers.put("", Asked.PREVIEW, key, None, len(picture))
        path = self._answers.preview_path(key)
        write_whole(path, picture)
        return path


def key_of(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:32]


def as_webp(raw: bytes) -> bytes | None:
    """The picture in ``raw``, made anew so that nothing but pixels is kept; ``None`` where there is none."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                image.draft("RGB", (SIDE, SIDE))
                upright = ImageOps.exif_transpose(image)
                upright.thumbnail((SIDE, SIDE))
                made = io.BytesIO()
                upright.convert("RGBA" if "A" in upright.getbands() else "RGB").save(made, "WEBP", quality=QUALITY)
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError, Warning):
        return None
    return made.getvalue()
