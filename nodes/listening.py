"""Who wants to hear how full the memory is, and the one task that tells them: it lives as long as somebody listens."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

EVENT = "intelligent_generation.memory"
EVERY_S = 1.0
LONGEST_S = 60  # a lease; who listens on asks again
MOST_CLIENTS = 64
COOL_DOWN_S = 60.0  # between two looks whether something is to be given back while nothing runs


@dataclass(frozen=True)
class Lease:
    """``until`` is of the monotonic clock; sentences are sent in ``language``."""

    until: float
    language: str


class Listeners:
    """Leases by client, and the task of ComfyUI's loop that serves them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._leases: dict[str, Lease] = {}
        self._task: asyncio.Task[None] | None = None
        self._tidied = 0.0

    def lend(self, client_id: str, seconds: int, language: str) -> bool:
        """Tell ``client_id`` every second for so long; 0 ends it. False where too many listen already."""
        with self._lock:
            self._drop_ended()
            if not seconds:
                self._leases.pop(client_id, None)
                return True
            if client_id not in self._leases and len(self._leases) >= MOST_CLIENTS:
                return False
            self._leases[client_id] = Lease(time.monotonic() + seconds, language)
        _loop().call_soon_threadsafe(self._serve)
        return True

    def current(self) -> dict[str, Lease]:
        with self._lock:
            self._drop_ended()
            return dict(self._leases)

    def _drop_ended(self) -> None:
        now = time.monotonic()
        self._leases = {client_id: lease for client_id, lease in self._leases.items() if lease.until > now}

    def _serve(self) -> None:
        """Runs on the loop, so that there is never a second task."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        while leases := self.current():
            for client_id, data in (await asyncio.to_thread(self._look, leases)).items():
                _send(client_id, data)
            await asyncio.sleep(EVERY_S)

    def _look(self, leases: dict[str, Lease]) -> dict[str, dict[str, Any]]:
        from ..memory_report import figures
        from .watching import readout, tidy_if_idle

        if time.monotonic() - self._tidied > COOL_DOWN_S and tidy_if_idle():
            self._tidied = time.monotonic()
        found = readout()
        told = {language: figures(found, language) for language in {lease.language for lease in leases.values()}}
        return {client_id: told[lease.language] for client_id, lease in leases.items()}


@cache
def listeners() -> Listeners:
    return Listeners()


def _loop() -> asyncio.AbstractEventLoop:
    from server import PromptServer

    loop: asyncio.AbstractEventLoop = PromptServer.instance.loop
    return loop


def _send(client_id: str, data: dict[str, Any]) -> None:
    from server import PromptServer

    PromptServer.instance.send_sync(EVENT, data, client_id)
