"""Asking the hubs many questions in a row: at the pace they bear, no more once one is out of reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import Enum

from ..errors import Unreachable, UserError
from ..offers import Offer
from .refusals import NotFound, Refused
from .remembering import Remembering

LONGEST_WAIT_S = 120.0  # a hub that asks for more is left alone until the next time
FIRST_PACE_S = 0.5
LONGEST_PACE_S = 8.0
SLICE_S = 0.2

Stop = Callable[[], bool]
Sleep = Callable[[float], None]


class Word(Enum):
    """What became of a question that brought no offer: the hub does not know, or nobody could be asked."""

    UNKNOWN = "unknown"
    UNANSWERED = "unanswered"


class Asking:
    """``sources`` by name. ``trouble`` holds what kept a source from being asked on; what it said before is still
    told. A hub that was asked too fast is asked more slowly from then on."""

    def __init__(self, sources: Mapping[str, Remembering], stop: Stop | None = None, sleep: Sleep = time.sleep) -> None:
        self._sources = dict(sources)
        self._stop, self._sleep = stop or (lambda: False), sleep
        self._pace_s: dict[str, float] = {}
        self.asked = 0
        self.trouble: dict[str, UserError] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._sources

    def ask(self, name: str, question: Callable[[Remembering], Offer | None]) -> Offer | Word:
        """The answer of one source. Waits where the hub asks for patience."""
        while not self._stop():
            source = self._sources[name]
            before = source.asked
            try:
                return question(source) or Word.UNKNOWN
            except NotFound:
                return Word.UNKNOWN
            except (Unreachable, Refused) as fault:
                if source.is_silent:
                    return Word.UNANSWERED
                self._ease(name, fault)
            finally:
                self._count(name, source.asked - before)
        return Word.UNANSWERED

    def _count(self, name: str, asked: int) -> None:
        self.asked += asked
        if asked and name in self._pace_s:
            self._wait(self._pace_s[name])

    def _ease(self, name: str, fault: UserError) -> None:
        """Wait as long as the hub wants, or stop asking it."""
        asked_s = fault.retry_after_s if isinstance(fault, Refused) and fault.passing else None
        if asked_s is None or asked_s > LONGEST_WAIT_S or self._pace_s.get(name, 0.0) >= LONGEST_PACE_S:
            self.trouble[name] = fault
            self._sources[name] = self._sources[name].silent()
            return
        self._pace_s[name] = self._pace_s.get(name, FIRST_PACE_S / 2) * 2
        self._wait(asked_s)

    def _wait(self, seconds: float) -> None:
        while seconds > 0 and not self._stop():
            self._sleep(min(SLICE_S, seconds))
            seconds -= SLICE_S
