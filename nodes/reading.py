"""The language model that may read prompts: Ollama where it runs, on this machine unless told otherwise."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING

from .host import stop_if_interrupted

if TYPE_CHECKING:
    from ..intelligence.ollama import OllamaReader

TIMEOUT_S = 30.0


@cache
def ollama() -> OllamaReader:
    """The reader, told by ``OLLAMA_HOST`` and ``INTELLIGENT_GENERATION_OLLAMA_MODEL``; never by a widget, so
    that a shared workflow cannot point it elsewhere."""
    from ..intelligence.ollama import OllamaReader

    return OllamaReader(
        url=os.environ.get("OLLAMA_HOST") or "http://127.0.0.1:11434",
        model=os.environ.get("INTELLIGENT_GENERATION_OLLAMA_MODEL") or None,
        timeout_s=TIMEOUT_S,
        clock=time.monotonic,
        interrupted=stop_if_interrupted,
    )
