"""Which language model reads prompts, as the person set it: a JSON file in the data folder; environment variables win over
it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import BadRequest
from .files import write_whole

FILE = "reading.json"
DEFAULT_URL = "http://127.0.0.1:11434"
MOST_CHARACTERS = 300
VARIABLES = {"url": "OLLAMA_HOST", "model": "INTELLIGENT_GENERATION_OLLAMA_MODEL"}


@dataclass(frozen=True)
class ReadingOptions:
    """The Ollama server's address, and the model to ask there; an empty one is the first that can read prompts."""

    url: str = DEFAULT_URL
    model: str = ""

    @property
    def shown_url(self) -> str:
        """The address without name and password, which the environment's may hold."""
        scheme, marked, rest = self.url.rpartition("://")
        return f"{scheme}{marked}{rest.rpartition('@')[2]}"


def read_options(folder: Path, environ: Mapping[str, str] = os.environ) -> ReadingOptions:
    """The options in ``folder`` under those of the environment. Raises ``BadRequest`` for a file that cannot be read."""
    said = {name: environ.get(variable, "").strip() for name, variable in VARIABLES.items()}
    held = _held(folder)
    return ReadingOptions(**{**_checked(held), **{name: text for name, text in said.items() if text}})


def change_options(folder: Path, changes: Mapping[str, Any]) -> ReadingOptions:
    """Write ``changes`` over what the file holds; nothing is written where one of them does not fit. Raises
    ``BadRequest``."""
    changed = ReadingOptions(**{**_checked(_held(folder)), **_checked(changes)})
    write_whole(folder / FILE, json.dumps(asdict(changed), indent=2) + "\n")
    return changed


def _held(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as fault:
        raise BadRequest("reading_settings_unreadable", path=str(path), problem=str(fault)) from fault
    if not isinstance(held, dict):
        raise BadRequest("reading_settings_unreadable", path=str(path), problem="JSON")
    return held


def _checked(values: Mapping[str, Any]) -> dict[str, str]:
    """The values as they are kept: an empty address is the usual one. Raises ``BadRequest``."""
    known = [each.name for each in fields(ReadingOptions)]
    if unknown := sorted(values.keys() - set(known)):
        raise BadRequest("not_a_choice", value=", ".join(unknown)[:80], choices=", ".join(known))
    kept = {name: _line(name, value) for name, value in values.items()}
    if "url" in kept:
        kept["url"] = kept["url"].rstrip("/") or DEFAULT_URL
        if not _is_address(kept["url"]):
            raise BadRequest("ollama_address_refused", address=ReadingOptions(kept["url"]).shown_url[:80])
    return kept


def _line(name: str, value: Any) -> str:
    text = value.strip() if isinstance(value, str) else None
    if text is None or len(text) > MOST_CHARACTERS or not text.isprintable():
        raise BadRequest("reading_value_refused", name=name, most=MOST_CHARACTERS)
    return text


def _is_address(url: str) -> bool:
    """http or https to a host, with nothing secret in it."""
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment) and " " not in url
    return parts.scheme in ("http", "https") and bool(parts.hostname) and has_port and plain
