"""What the command line writes: sentences, tables and progress, safe for any terminal."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .errors import sentence
from .routes import RETRIED

INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended
WIDEST = 40  # letters of a cell; longer ones are cut


def say(key: str, language: str, **values: object) -> str:
    """The text ``key`` of ``locales/<language>/terminal.json``."""
    return sentence("terminal", key, language, values)


def note(text: object) -> None:
    """Tell beside the output that scripts read."""
    print(printable(str(text)), file=sys.stderr, flush=True)


def tell_retry(kind: str, data: dict[str, Any]) -> None:
    """Say it where a server's message is that memory ran out and what is tried instead."""
    if kind == RETRIED:
        note(data["sentence"])


def printable(text: str) -> str:
    """Text from outside without what a terminal would obey: control characters other than line breaks."""
    return "".join(letter for letter in text if letter == "\n" or not unicodedata.category(letter).startswith("C"))


def cell(text: str, most: int = WIDEST) -> str:
    """One line of at most ``most`` letters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines, all cells but the last of a row padded to their column."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{text}{' ' * (width - _width(text))}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _width(text: str) -> int:
    """Columns on the terminal: letters of East Asian scripts take two, combining marks none."""
    return sum(0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF") for each in text)


def size(size_bytes: int | None) -> str:
    """Decimal units, as hubs show sizes."""
    if size_bytes is None:
        return "?"
    for unit, digits in ((1e9, 1), (1e6, 0), (1e3, 0)):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.{digits}f} {({1e9: 'GB', 1e6: 'MB', 1e3: 'kB'})[unit]}"
    return f"{size_bytes} B"


def is_agreed(question: str, language: str) -> bool | None:
    """The person's y or n; ``None`` where nobody sits at a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    print(printable(question), end=" ", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower()[:1] in tuple(say("yes_letters", language))


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed inside the block, which ends in order then; pressed again it ends the program."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set  # signals reach the main thread alone
        return

    def ask(_signal: int, _frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


class Line:
    """A line of the terminal that is written over; elsewhere than on a terminal a line for each ``steps``th part."""

    def __init__(self, steps: int = 10) -> None:
        self.on_terminal = sys.stderr.isatty()
        self._width = min(shutil.get_terminal_size().columns - 1, 120)
        self._steps, self._last, self._shown = steps, -1, False

    def show(self, text: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` decides what is worth a line of a log."""
        step = self._steps * done // total if total else 0
        if self.on_terminal:
            print(f"\r{cell(text, self._width):{self._width}}", end="", file=sys.stderr, flush=True)
            self._shown = True
        elif step > self._last:
            note(text)
        self._last = max(step, self._last)

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr, flush=True)
        self._shown = False
