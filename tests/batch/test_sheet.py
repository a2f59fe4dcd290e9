"""The contact sheet shows every picture with its label, whatever is missing or broken."""

from __future__ import annotations

import io

import numpy
import pytest
from pack.batch.sheet import MOST_PIXELS, Cell, _axis, _drawable, _lines, sheet
from pack.errors import BadRequest
from PIL import Image, ImageChops


def picture(colour: str = "red", size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, colour)


def has(drawn: Image.Image, colour: tuple[int, int, int]) -> int:
    """How many pixels have this very colour."""
    return sum(count for count, found in drawn.getcolors(1 << 24) if found == colour)


def centre(drawn: Image.Image, colour: tuple[int, int, int]) -> tuple[float, float]:
    down, across = numpy.nonzero((numpy.asarray(drawn) == colour).all(axis=-1))
    return float(across.mean()), float(down.mean())


COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255), "lime": (0, 255, 0), "yellow": (255, 255, 0)}


def test_a_grid_stands_where_its_labels_say() -> None:
    cells = [
        Cell("a", picture("red"), "CFG 5", "steps 20"),
        Cell("b", picture("blue"), "CFG 7", "steps 20"),
        Cell("c", picture("lime"), "CFG 5", "steps 30"),
        Cell("d", picture("yellow"), "CFG 7", "steps 30"),
    ]
    drawn = sheet(cells[::-1])  # any order
    at = {name: centre(drawn, colour) for name, colour in COLOURS.items()}
    assert at["red"][0] == at["lime"][0] and at["blue"][0] == at["yellow"][0] and at["red"][0] < at["blue"][0]
    assert at["red"][1] == at["blue"][1] < at["lime"][1] == at["yellow"][1]


def test_axes_of_numbers_are_in_their_order_others_in_that_of_appearance() -> None:
    assert _axis(["CFG 6.5", "CFG 5", "CFG 10", "CFG 5"]) == ("CFG 5", "CFG 6.5", "CFG 10")
    assert _axis(["Euler a · normal", "DPM++ 2M · Karras"]) == ("Euler a · normal", "DPM++ 2M · Karras")
    assert _axis(["1024×1024", "832×1216"]) == ("1024×1024", "832×1216")


def test_in_order_and_in_as_many_columns_as_asked() -> None:
    cells = [Cell(name, picture(name), "x", "y") for name in COLOURS]
    drawn = sheet(cells, columns=3)
    at = [centre(drawn, colour) for colour in COLOURS.values()]
    assert at[0][0] < at[1][0] < at[2][0] and at[3][0] == at[0][0] and at[3][1] > at[0][1]


def test_what_has_no_place_in_the_grid_stands_below() -> None:
    cells = [Cell("a", picture("red"), "1", "1"), Cell("b", picture("blue"), "2", "1"), Cell("c", picture("lime"))]
    drawn = sheet(cells)
    assert centre(drawn, COLOURS["lime"])[1] > centre(drawn, COLOURS["red"])[1]


def test_missing_failed_and_broken_pictures_leave_a_mark() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((256, 256), 90).save(buffer, "PNG")
    cut = buffer.getvalue()[:2000]
    for cell in (Cell("waits"), Cell("failed", problem="out of memory"), Cell("broken", b"no picture"), Cell("cut", cut)):
        drawn = sheet([cell])
        assert has(drawn, (226, 226, 222)) > 10_000, cell.label
    assert ImageChops.difference(sheet([Cell("x")]), sheet([Cell("x", problem="why")])).getbbox()


def test_bytes_and_paths_are_pictures_too(tmp_path) -> None:
    picture("blue").save(tmp_path / "a.png")
    drawn = sheet([Cell("a", tmp_path / "a.png"), Cell("b", (tmp_path / "a.png").read_bytes())])
    assert has(drawn, COLOURS["blue"]) > 2 * 500 * 500


@pytest.mark.parametrize("size", [(64, 64), (1536, 640), (640, 1536), (8000, 20)])
@pytest.mark.parametrize("count", [1, 7, 100])
def test_never_too_large(size: tuple[int, int], count: int) -> None:
    drawn = sheet([Cell(f"seed {number}", picture(size=size)) for number in range(count)])
    assert drawn.width * drawn.height <= MOST_PIXELS


def test_no_pictures_no_sheet() -> None:
    with pytest.raises(BadRequest, match="hoja"):
        sheet([], language="es")


def test_labels_keep_their_accents_and_lose_what_no_font_has() -> None:
    assert _drawable("acuarela según diseño ★ → ×") == "acuarela según diseño ★ → ×"
    assert _drawable("日本\x00") == "???"


def test_long_labels_are_cut() -> None:
    lines = _lines("word " * 200, 300, 20, 2)
    assert len(lines) == 2 and lines[1].endswith("…")
    assert all(len(line) < 60 for line in _lines("x" * 500, 300, 20, 99))


def test_marks_are_drawn() -> None:
    plain, marked = sheet([Cell("a", picture())]), sheet([Cell("a", picture(), mark="★ 82 %")])
    assert ImageChops.difference(plain, marked).getbbox()
