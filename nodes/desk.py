"""The hubs as this ComfyUI knows them: one desk over its model folders, telling browsers what happens."""

from __future__ import annotations

import threading
from functools import cache

from ..errors import UserError
from ..hub.desk import Desk
from ..hub.download import Download
from ..plan import Machine
from . import host, runs
from .shelf import shelf

_making = threading.Lock()  # the worker and the server's threads may ask at once


def desk() -> Desk:
    """The desk; made at first use, which also goes on with downloads that an earlier run left unfinished. Raises
    ``BadRequest`` where the settings cannot be read."""
    with _making:
        return _desk()


@cache
def _desk() -> Desk:
    made = Desk(host.data_folder(), shelf().registry, busy=host.is_sampling)
    made.downloads.listeners.append(_tell)
    made.downloads.wake()
    return made


def machine() -> Machine:
    """This machine, for judging what fits it."""
    return host.machine(runs.seconds_per_step(), runs.peak_factors())


def _tell(download: Download) -> None:
    host.broadcast("download", download.told(host.language("auto")))


class Recognition:
    """The recognition of local files, at most one at a time, in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._state: dict[str, object] = {"running": False, "done": 0, "total": 0, "name": "", "message": None}

    def state(self) -> dict[str, object]:
        """``running``, ``done`` of ``total`` files, the ``name`` it is at, the last report and trouble as ``message``."""
        return dict(self._state)

    def start(self, refresh: bool = False, updates: bool = False) -> dict[str, object]:
        """Begin, or find it running. New files are looked up in idle time from now on."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                if not desk().options.recognise:
                    desk().change_options({"recognise": True})
                self._stop.clear()
                self._state = {"running": True, "done": 0, "total": 0, "name": "", "message": None}
                self._thread = threading.Thread(target=self._run, args=(refresh, updates), name="iig-recognise", daemon=True)
                self._thread.start()
        return self.state()

    def stop(self) -> dict[str, object]:
        """Let it end after the block it is at; what is known stays known."""
        self._stop.set()
        return self.state()

    def _run(self, refresh: bool, updates: bool) -> None:
        try:
            shelf().look().join()
            report = desk().recognise(self._stop.is_set, self._follow, refresh)
            newer = desk().find_newer(self._stop.is_set, self._follow).trouble if updates else ()
            trouble = dict.fromkeys(str(fault.in_language(host.language("auto"))) for fault in (*report.trouble, *newer))
            told = {"hashed": report.hashed, "identified": report.identified, "complete": report.complete}
            self._state = {**self._state, **told, "message": " ".join(trouble) or None}
        except UserError as fault:
            host.log.warning("%s", fault)
            self._state = {**self._state, "message": str(fault.in_language(host.language("auto")))}
        finally:
            self._state = {**self._state, "running": False}
            host.broadcast("recognition", self.state())

    def _follow(self, done: int, total: int, name: str) -> None:
        self._state = {**self._state, "done": done, "total": total, "name": name}
        if not done % 10:
            host.broadcast("recognition", self.state())


@cache
def recognition() -> Recognition:
    return Recognition()
