"""Follows one running download: its speed, whether it should stop, how fast it may be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from .download import Download

LOOK_S = 0.5  # how often a running download asks whether it still should
TELL_S = 0.25  # how often it tells of its progress
WHILE_SAMPLING_BYTES_PER_S = 16_000_000  # disk and cores belong to the picture then


class Meter:
    """``wanted`` says whether the download should go on, ``slowed`` whether it should make room; both are asked
    now and then. ``follow`` hears of progress."""

    def __init__(
        self,
        download: Download,
        wanted: Callable[[], bool],
        slowed: Callable[[], bool],
        follow: Callable[[Download], None],
    ) -> None:
        self.download = download
        self._wanted, self._slowed, self._follow = wanted, slowed, follow
        self._told, self._asked = 0.0, 0.0
        self._last: tuple[float, int] | None = None
        self._speed = 0.0
        self._stopping = self._busy = False

    def should_stop(self) -> bool:
        if time.monotonic() - self._asked > LOOK_S:
            self._stopping, self._busy = not self._wanted(), self._slowed()
            self._asked = time.monotonic()
        return self._stopping

    def slow_down(self, count: int) -> None:
        if self._busy:
            time.sleep(count / WHILE_SAMPLING_BYTES_PER_S)

    def progress(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._told < TELL_S and done != total:
            return
        if self._last is not None and now > self._last[0] and done >= self._last[1]:
            latest = (done - self._last[1]) / (now - self._last[0])
            self._speed = latest if not self._speed else 0.7 * self._speed + 0.3 * latest
        self._told, self._last = now, (now, done)
        self._follow(replace(self.download, done_bytes=done, size_bytes=total, bytes_per_s=self._speed))
