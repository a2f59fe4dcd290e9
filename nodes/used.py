"""How often each local model was used and how it was liked, kept up while ComfyUI runs: whoever asks waits a bounded time
and gets what is known by then."""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import TYPE_CHECKING

from ..errors import UserError
from ..intelligence.listing import UNUSED, Use, Used
from .host import log
from .recall import history

if TYPE_CHECKING:
    from ..feedback import Tally
    from ..learning.usage import Usage

PATIENCE_S = 0.1  # the first count reads a whole history, and opens its database
FRESH_S = 3.0


class Counting:
    """One count at a time, in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._counted_at = float("-inf")
        self._used = Used()
        self._usage: Usage | None = None
        self._version = -1

    def now(self) -> Used:
        with self._lock:
            thread = self._thread
            if (thread is None or not thread.is_alive()) and time.monotonic() - self._counted_at > FRESH_S:
                thread = self._thread = threading.Thread(target=self._count, name="iig-used", daemon=True)
                thread.start()
        if thread is not None:
            thread.join(PATIENCE_S)
        return self._used

    def _count(self) -> None:
        from ..learning.usage import Usage

        try:
            version, usage = history().version(), history().store().usage(self._usage or Usage())
            if (version, usage) != (self._version, self._usage):
                self._used = Used(_standings(usage, history().tallies(("lora", "checkpoint"))))
            self._version, self._usage = version, usage
        except UserError as fault:
            log.warning("%s", fault)
        self._counted_at = time.monotonic()


def _standings(usage: Usage, tallies: list[Tally]) -> dict[tuple[str, str], Use]:
    counts = {("lora", name): uses for name, uses in usage.loras.items()}
    counts |= {("checkpoint", name): uses for name, uses in usage.models.items()}
    found = {key: Use(uses) for key, uses in counts.items()}
    for tally in tallies:
        key = (tally.kind, tally.name)
        if tally.context == "*" and tally.rated and tally.stars is not None:
            before = found.get(key, UNUSED)
            rated = before.rated + tally.rated
            stars = ((before.stars or 0.0) * before.rated + tally.stars * tally.rated) / rated
            found[key] = Use(before.uses, stars, rated)
    return found


@cache
def _counting() -> Counting:
    return Counting()


def used() -> Used:
    return _counting().now()
