"""Meaning beside words: text vectors of the LoRA library, where this machine has a model that makes them."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ..plan import Analysis, Library
from .host import data_folder, log

if TYPE_CHECKING:
    from ..intelligence.embedding import VectorStore
    from ..intelligence.ranking import Vectors, VectorTable

VARIABLE = "INTELLIGENT_GENERATION_EMBEDDING_MODEL"  # a folder, or "none"


_making = Lock()  # two threads ask at the first run


def store() -> VectorStore | None:
    """The vectors kept on this machine; ``None`` where there is no model to make them. Takes a second once."""
    with _making:
        return _store()


@cache
def _store() -> VectorStore | None:
    chosen = os.environ.get(VARIABLE, "")
    if chosen == "none":
        return None
    from ..intelligence.embedding import VectorStore, find_encoder

    encoder = find_encoder(Path(chosen) if chosen else None)
    if encoder is None:
        log.info("no text-embedding model found: LoRAs are ranked by words alone")
        return None
    return VectorStore(data_folder() / "lora_vectors.npz", encoder)


def vectors_for(analysis: Analysis, library: Library) -> Vectors | None:
    """The prompt's vector beside those of the library that are known by now."""
    kept = store()
    if kept is None:
        return None
    known = _table(library, len(kept))
    return kept.vectors(analysis, known) if len(known.names) else None


@lru_cache(maxsize=1)
def _table(library: Library, known: int) -> VectorTable:
    kept = store()
    assert kept is not None
    return kept.table(library)
