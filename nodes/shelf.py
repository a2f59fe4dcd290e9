"""The library of local models as nodes see it: scanned off the event loop from the first run on; text vectors
and checksums follow in idle time."""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import TYPE_CHECKING

from ..errors import UserError
from ..hub.registry import Registry
from ..plan import Library
from . import semantics
from .host import data_folder, is_sampling, log, model_folders

if TYPE_CHECKING:
    from ..intelligence.embedding import VectorStore

FIRST_SCAN_WAIT_S = 20.0  # a longer first scan goes on while the run uses what is known
RESCAN_WAIT_S = 1.0
VECTORS_WAIT_S = 2.0  # enough for a hundred new LoRAs
IDLE_BEFORE_HASHING_S = 60.0  # whole files are read for checksums: not while someone is at work
PAUSE_S = 2.0


class Shelf:
    """One registry and the threads that keep it fresh."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._scanned_once = False
        self._scanning: threading.Thread | None = None
        self._tidying: threading.Thread | None = None
        self._last_asked = 0.0
        self._lock = threading.Lock()
        self._encoding = threading.Lock()

    def library(self) -> Library:
        """What is known after a look at the disk, waiting for it a bounded time."""
        self._last_asked = time.monotonic()
        self.look().join(RESCAN_WAIT_S if self._scanned_once else FIRST_SCAN_WAIT_S)
        return self.registry.library()

    def look(self) -> threading.Thread:
        """Start a scan, or join the one that runs."""
        with self._lock:
            if self._scanning is None or not self._scanning.is_alive():
                self._scanning = threading.Thread(target=self._scan, name="iig-scan", daemon=True)
                self._scanning.start()
            return self._scanning

    def make_vectors(self, library: Library, patience_s: float = VECTORS_WAIT_S) -> None:
        """Encode LoRAs that have no vector yet, for a bounded time: a small library has them at its first run."""
        store = semantics.store()
        if store is not None and self._encoding.acquire(timeout=patience_s):
            deadline = time.monotonic() + patience_s
            try:
                store.update(library, stop=lambda: time.monotonic() > deadline)
            finally:
                self._encoding.release()

    def _scan(self) -> None:
        try:
            report = self.registry.scan()
        except UserError as error:
            log.warning("%s", error)
            return
        for note in self.registry.notes:
            log.warning("%s", note)
        self._scanned_once = True
        log.debug("library scan: %s", report)
        self._start_tidying()

    def _start_tidying(self) -> None:
        with self._lock:
            if self._tidying is None or not self._tidying.is_alive():
                self._tidying = threading.Thread(target=self._tidy, name="iig-idle", daemon=True)
                self._tidying.start()

    def _tidy(self) -> None:
        """Vectors first, since the next recommendation wants them; checksums once nobody is at work."""
        time.sleep(PAUSE_S)
        store = semantics.store()
        while store is not None and (is_sampling() or self._encode(store)):
            time.sleep(PAUSE_S)
        while time.monotonic() - self._last_asked < IDLE_BEFORE_HASHING_S:
            time.sleep(PAUSE_S)
        self._recognise()

    def _recognise(self) -> None:
        """Hash what is new and, where the person once asked for it, look it up at the hubs."""
        from .desk import desk

        try:
            options = desk().options
            desk().recognise(self._wanted, online=options.recognise and not options.offline)
        except UserError as error:
            log.warning("%s", error)

    def _encode(self, store: VectorStore) -> bool:
        with self._encoding:
            return store.update(self.registry.library(), stop=is_sampling) > 0

    def _wanted(self) -> bool:
        return is_sampling() or time.monotonic() - self._last_asked < IDLE_BEFORE_HASHING_S


_making = threading.Lock()  # the worker and the server's threads may ask at once


def shelf() -> Shelf:
    """The shelf over ComfyUI's model folders; made at first use, never at import."""
    with _making:
        return _shelf()


@cache
def _shelf() -> Shelf:
    return Shelf(Registry(data_folder() / "library.sqlite", model_folders()))
