"""Plots: real pictures of the right size that show what they are given, whatever the names."""

from __future__ import annotations

import io
import warnings

import pytest
from pack.errors import BadRequest
from pack.feedback import Overview, Session, Tally
from pack.plan import GIB
from pack.plots import BLUE, NOTHING, ORANGE, PLOTS, letters, plots
from PIL import Image


def tally(kind: str, name: str, context: str, liked: float, disliked: float, stars=3.0, rated=4) -> Tally:
    return Tally(kind, name, "sdxl", context, liked, disliked, 0.8, stars, rated)


TALLIES = [
    tally("checkpoint", "one.safetensors", "*", 12, 8),
    tally("checkpoint", "one.safetensors", "style:anime", 9, 1),
    tally("lora", "$a$ ñandú 水墨.safetensors", "*", 8, 2),
    tally("lora", f"{'long_' * 40}.safetensors", "*", 3, 2, stars=None, rated=0),
]
OVERVIEW = Overview(
    generations=9,
    rated=6,
    stars=3.5,
    stars_given=(0, 1, 2, 2, 1),
    changes=(("cfg", "", "7", "5.5", 4), ("steps", "", "20", "30", 2), ("sampler", "", "euler", "dpmpp_2m", 1)),
    sessions=(Session("s", 0.0, 60.0, 9, 4),),
    runs=(("sdxl", 12.0, 6 * GIB), ("sdxl", 10.0, None), ("flux_dev", 60.0, None)),
)


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def colours(png: bytes) -> set[tuple[int, int, int]]:
    return {colour for _, colour in opened(png).getcolors(1_000_000)}


def rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


@pytest.fixture(scope="module")
def drawn() -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # letters that no font has, labels that do not fit
        return dict(plots(OVERVIEW, TALLIES, "es"))


def test_each_plot_is_a_picture_of_the_asked_size(drawn) -> None:
    assert tuple(drawn) == PLOTS
    assert {opened(png).size for png in drawn.values()} == {(900, 600)}
    assert len(set(drawn.values())) == len(PLOTS)


def test_there_is_something_on_them(drawn) -> None:
    assert all(rgb(BLUE) in colours(png) for name, png in drawn.items() if name != "time")
    assert rgb(ORANGE) in colours(drawn["changes"])


@pytest.mark.parametrize("size", [(200, 200), (333, 777), (901, 599), (1920, 1080)])
def test_any_size_a_screen_has(size: tuple[int, int]) -> None:
    one = plots(Overview(rated=1, stars=4.0, stars_given=(0, 0, 0, 1, 0)), [], size=size)
    assert [name for name, _ in one] == ["ratings"] and opened(one[0][1]).size == size


@pytest.mark.parametrize("size", [(0, 600), (900, 100_000)])
def test_no_other_size(size: tuple[int, int]) -> None:
    with pytest.raises(BadRequest) as refused:
        plots(Overview(), [], size=size)
    assert refused.value.code == "out_of_range"


def test_an_empty_store_gets_one_plot_that_says_so(drawn) -> None:
    texts = {language: plots(Overview(), [], language) for language in ("en", "es")}
    for ((name, png),) in texts.values():
        assert name == NOTHING and opened(png).size == (900, 600)
        assert len(colours(png)) > 1, "words are on it"
        assert png not in drawn.values() and rgb(BLUE) not in colours(png)
    assert texts["en"] != texts["es"]


def test_numbers_move_what_is_drawn(drawn) -> None:
    others = Overview(**{**vars(OVERVIEW), "stars_given": (3, 1, 0, 0, 2), "runs": ()})
    again = dict(plots(others, TALLIES, "es"))
    assert "time" not in again and again["ratings"] != drawn["ratings"]
    assert again["loras"] == drawn["loras"], "the same numbers give the same picture"


def test_one_plot_alone(drawn) -> None:
    assert plots(OVERVIEW, TALLIES, "es", names=("loras",)) == [("loras", drawn["loras"])]
    assert [name for name, _ in plots(OVERVIEW, [], names=("loras",))] == [NOTHING]


def test_letters_no_font_has_are_replaced_and_dollars_stay() -> None:
    assert letters("áñ¿ü ★ ↑\n x") == "áñ¿ü ★ ↑ x"
    assert letters("\U0001f98a$1\u0001") == "□\\$1□"
