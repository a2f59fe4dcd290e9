"""The contact sheet: a batch's pictures side by side with what sets them apart."""

from __future__ import annotations

import io
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest, sentence

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 16_000_000
MOST_SIDE = 12_000  # pixels; beyond it viewers and browsers give up
LARGEST, SMALLEST = 768, 96  # pixels of a cell's longer side
GAP = 12
PAPER, INK, PALE, FAULT = (250, 250, 248), (28, 28, 30), (226, 226, 222), (150, 30, 20)


@dataclass(frozen=True)
class Cell:
    """One picture: a PIL image, a PNG's bytes or its path; ``None`` where there is none yet, or ``problem`` says why.
    ``column`` and ``row`` are the labels of a grid's axes; ``mark`` stands out beside the label ("★ 82 %")."""

    label: str
    picture: Any = None
    column: str = ""
    row: str = ""
    mark: str = ""
    problem: str = ""


def sheet(cells: Sequence[Cell], columns: int | None = None, language: str = "en") -> Image.Image:
    """A grid of columns and rows where the cells have such labels and no number of ``columns`` is given, with the rest below;
    else all in the order given. At most 16 megapixels. Raises ``BadRequest`` for an empty list."""
    from PIL import Image, ImageDraw

    if not cells:
        raise BadRequest("sheet_empty", language)
    on_grid = [not columns and bool(cell.column and cell.row) for cell in cells]
    grid, others = ([cell for cell, on in zip(cells, on_grid, strict=True) if on is side] for side in (True, False))
    laid = _Layout.of(grid, others, columns, _aspect(cells))
    paper = Image.new("RGB", laid.size, PAPER)
    draw = ImageDraw.Draw(paper)
    for across, name in enumerate(laid.columns):
        _centred(draw, name, (laid.left(across), GAP), laid.width, laid.text)
    for down, name in enumerate(laid.rows):
        _wrapped(draw, name, (GAP, laid.top(down) + laid.height // 2 - laid.text), laid.margin - GAP, laid.text, 4)
    for cell, (across, down) in laid.places:
        _draw(paper, draw, cell, (laid.left(across), laid.top(down)), laid, language)
    return paper


# --------------------------------------------------------------------------- where things go


@dataclass(frozen=True)
class _Layout:
    """Pixels: ``width`` × ``height`` of a picture, ``text`` the height of letters, ``margin`` left for the row labels."""

    places: tuple[tuple[Cell, tuple[int, int]], ...]
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    across: int
    down: int
    width: int
    height: int

    @staticmethod
    def of(grid: Sequence[Cell], others: Sequence[Cell], columns: int | None, aspect: float) -> _Layout:
        names, rows = (_axis([getattr(cell, axis) for cell in grid]) for axis in ("column", "row"))
        across = len(names) or columns or math.ceil(math.sqrt(len(others) / min(max(aspect, 0.5), 2)))
        across = max(1, min(across, len(grid) or len(others)))
        places = [(cell, (names.index(cell.column), rows.index(cell.row))) for cell in grid]
        start = len(rows)
        places += [(cell, (number % across, start + number // across)) for number, cell in enumerate(others)]
        down = start + math.ceil(len(others) / across)
        return _largest(_Layout(tuple(places), names, rows, across, down, 0, 0), aspect)

    @property
    def text(self) -> int:
        return max(13, min(self.width, self.height) // 16)

    @property
    def caption(self) -> int:
        """Height of the label below a picture: two lines."""
        return int(self.text * 2.9)

    @property
    def margin(self) -> int:
        return GAP + (self.text * 6 if self.rows else 0)

    @property
    def head(self) -> int:
        return GAP + (int(self.text * 1.8) if self.columns else 0)

    @property
    def size(self) -> tuple[int, int]:
        return self.left(self.across), self.top(self.down)

    def left(self, across: int) -> int:
        return self.margin + across * (self.width + GAP)

    def top(self, down: int) -> int:
        return self.head + down * (self.height + self.caption + GAP)


def _axis(labels: Sequence[str]) -> tuple[str, ...]:
    """Each label once; those of one setting ("CFG 5", "CFG 6.5") by its number, others in order of appearance."""
    names = tuple(dict.fromkeys(labels))
    found = [re.fullmatch(r"(.*?)(-?\d+(?:\.\d+)?)", name) for name in names]
    numbers = {name: float(match[2]) for name, match in zip(names, found, strict=True) if match}
    one_setting = len({match[1] for match in found if match}) == 1 and len(numbers) == len(names)
    return tuple(sorted(names, key=lambda name: numbers[name])) if one_setting else names


def _largest(empty: _Layout, aspect: float) -> _Layout:
    """The layout with the largest pictures that stays within the limits."""
    for side in range(LARGEST, SMALLEST - 1, -16):
        width, height = (side, round(side / aspect)) if aspect >= 1 else (round(side * aspect), side)
        laid = replace(empty, width=max(1, width), height=max(1, height))
        if laid.size[0] * laid.size[1] <= MOST_PIXELS and max(laid.size) <= MOST_SIDE:
            break
    return laid


def _aspect(cells: Sequence[Cell]) -> float:
    """Width ÷ height of the first picture there is; a cell is never thinner than 1 to 4."""
    from PIL import Image

    for cell in cells:
        if isinstance(cell.picture, Image.Image):
            return _bounded(cell.picture.size)
        if cell.picture is not None and (size := _size(cell.picture)):
            return _bounded(size)
    return 1.0


def _bounded(size: tuple[int, int]) -> float:
    return min(4.0, max(0.25, size[0] / max(1, size[1])))


def _size(source: Any) -> tuple[int, int] | None:
    picture = _opened(source)
    return picture.size if picture else None


def _opened(source: Any) -> Any:
    from PIL import Image

    if isinstance(source, Image.Image):
        return source
    try:
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # a broken PNG is a SyntaxError
        return None


# --------------------------------------------------------------------------- drawing


def _draw(paper: Any, draw: Any, cell: Cell, at: tuple[int, int], laid: _Layout, language: str) -> None:
    picture = _fitted(cell.picture, laid)
    if picture is None:
        _placeholder(draw, cell, at, laid, language)
    else:
        spare = (laid.width - picture.width) // 2, (laid.height - picture.height) // 2
        paper.paste(picture, (at[0] + spare[0], at[1] + spare[1]))
    below = at[0], at[1] + laid.height + laid.text // 4
    said = "  ".join(part for part in (cell.mark, cell.label) if part)
    _wrapped(draw, said, below, laid.width, laid.text, 2)


def _fitted(source: Any, laid: _Layout) -> Any:
    picture = _opened(source) if source is not None else None
    if picture is None:
        return None
    try:
        small = picture.convert("RGB")
    except (OSError, SyntaxError):  # cut off in the middle
        return None
    factor = min(laid.width / small.width, laid.height / small.height)
    return small.resize((max(1, round(small.width * factor)), max(1, round(small.height * factor))))


def _placeholder(draw: Any, cell: Cell, at: tuple[int, int], laid: _Layout, language: str) -> None:
    draw.rectangle((*at, at[0] + laid.width - 1, at[1] + laid.height - 1), fill=PALE)
    waiting = "sheet.unreadable" if cell.picture is not None else "sheet.waiting"
    said = cell.problem or sentence("terminal", waiting, language, {})
    lines = max(2, int(laid.height / (laid.text * 1.25)) - 1)
    inside = at[0] + GAP, at[1] + laid.text
    _wrapped(draw, said, inside, laid.width - 2 * GAP, laid.text, lines, FAULT if cell.problem else INK)


def _centred(draw: Any, text: str, at: tuple[int, int], width: int, height: int) -> None:
    line = _lines(text, width, height, 1)[0]
    spare = max(0, width - int(_font(height).getlength(line)))
    draw.text((at[0] + spare // 2, at[1]), line, font=_font(height), fill=INK)


def _wrapped(
    draw: Any, text: str, at: tuple[int, int], width: int, height: int, most: int, ink: tuple[int, int, int] = INK
) -> None:
    for number, line in enumerate(_lines(text, width, height, most)):
        draw.text((at[0], at[1] + int(number * height * 1.25)), line, font=_font(height), fill=ink)


def _lines(text: str, width: int, height: int, most: int) -> list[str]:
    """``text`` in lines of at most ``width`` pixels; what does not fit in ``most`` of them ends in an ellipsis."""
    lines = [""]
    for word in _drawable(text).split():
        for piece in _pieces(word, width, height):
            longer = f"{lines[-1]} {piece}".strip()
            if lines[-1] and _font(height).getlength(longer) > width:
                lines.append(piece)
            else:
                lines[-1] = longer
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and _font(height).getlength(f"{last}…") > width:
        last = last[:-1]
    return [*lines[: most - 1], f"{last}…"]


def _pieces(word: str, width: int, height: int) -> list[str]:
    """A word too long for a line, cut where the line ends."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and _font(height).getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


# --------------------------------------------------------------------------- letters


@lru_cache(maxsize=16)
def _font(height: int) -> Any:
    """Pillow's own font lacks accents; matplotlib, which the pack needs anyway, brings one that has them."""
    from PIL import ImageFont

    named = (_named_font(name, height) for name in (_dejavu(), "DejaVuSans.ttf", "Arial.ttf"))
    return next((font for font in named if font is not None), None) or ImageFont.load_default(size=height)


def _named_font(name: str, height: int) -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(name, height)
    except OSError:
        return None


def _dejavu() -> str:
    found = find_spec("matplotlib")
    places = list(found.submodule_search_locations or ()) if found else []
    return str(Path(places[0], "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")) if places else ""


def _drawable(text: str) -> str:
    """What the font lacks without its accent, else as a question mark."""
    return "".join(_letter(letter) for letter in unicodedata.normalize("NFC", text))


@lru_cache(maxsize=4096)
def _letter(letter: str) -> str:
    if letter.isspace() or _has(letter):
        return letter
    bare = unicodedata.normalize("NFKD", letter)[0]
    return bare if _has(bare) else "?"


def _has(letter: str) -> bool:
    """Whether the font draws something else than what stands for a letter it lacks."""
    if not letter.isprintable():
        return False
    font = _font(24)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\U0010fffd")) or letter == "\U0010fffd"
