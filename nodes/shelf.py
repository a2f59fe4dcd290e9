"""The library of local models as nodes see it: scanned off the event loop, from the first run on."""

from __future__ import annotations

import threading
from functools import cache

from ..hub.registry import Registry
from ..plan import Library
from .host import data_folder, log, model_folders

FIRST_SCAN_WAIT_S = 20.0  # enough for some 100,000 files; a longer scan goes on while the run uses what is known
RESCAN_WAIT_S = 1.0


class Shelf:
    """One registry and the thread that keeps it fresh."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._scanned_once = False
        self._scanning: threading.Thread | None = None
        self._lock = threading.Lock()

    def library(self) -> Library:
        """What is known after a look at the disk, waiting for it a bounded time."""
        self.look().join(RESCAN_WAIT_S if self._scanned_once else FIRST_SCAN_WAIT_S)
        return self.registry.library()

    def look(self) -> threading.Thread:
        """Start a scan, or join the one that runs."""
        with self._lock:
            if self._scanning is None or not self._scanning.is_alive():
                self._scanning = threading.Thread(target=self._scan, name="iig-scan", daemon=True)
                self._scanning.start()
            return self._scanning

    def _scan(self) -> None:
        report = self.registry.scan()
        self._scanned_once = True
        log.debug("library scan: %s", report)


@cache
def shelf() -> Shelf:
    """The shelf over ComfyUI's model folders; made at first use, never at import."""
    return Shelf(Registry(data_folder() / "library.sqlite", model_folders()))
