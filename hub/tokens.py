"""The keys to the hubs: from the environment or from a file only its owner can read. A key is handed out for
requests to its own hub and shown nowhere."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from ..errors import BadRequest
from .sources import hub_names

FILE = "tokens.json"
VARIABLES = {
    "civitai": ("CIVITAI_API_KEY", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN"),
    "huggingface": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
}


class Tokens:
    """The keys below ``folder``."""

    def __init__(self, folder: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._path = folder / FILE
        self._environ = environ
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Tokens({self.present()})"

    def get(self, hub: str) -> str | None:
        """The key for ``hub``, if there is one: the environment's first."""
        named = (self._environ.get(name, "").strip() for name in VARIABLES.get(hub, ()))
        return next((token for token in named if token), None) or self._held().get(hub) or _logged_in(hub)

    def present(self) -> dict[str, bool]:
        """Which hubs there is a key for; all that is ever shown of one."""
        return {hub: self.get(hub) is not None for hub in sorted({*hub_names(), *VARIABLES})}

    def set(self, hub: str, token: str | None) -> None:
        """Keep a key, or forget it. Raises ``BadRequest`` for an unknown hub or a text that can be no key."""
        if hub not in VARIABLES:
            raise BadRequest("unknown_hub", hub=hub, known=", ".join(VARIABLES))
        token = (token or "").strip()
        if token and not (8 <= len(token) <= 512 and token.isascii() and token.isprintable() and " " not in token):
            raise BadRequest("token_unreadable", hub=hub)
        with self._lock:
            held = {name: value for name, value in self._held().items() if name != hub}
            _write_private(self._path, json.dumps(held | ({hub: token} if token else {})))

    def _held(self) -> dict[str, str]:
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {name: value for name, value in held.items() if isinstance(value, str)} if isinstance(held, dict) else {}


def _logged_in(hub: str) -> str | None:
    """The key that ``hf auth login`` left on this machine."""
    if hub != "huggingface":
        return None
    from huggingface_hub import get_token

    return get_token()


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, readable by its owner alone from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(unfinished, path)
