import pytest
from pack.hub.strength import UNKNOWN, number, strength_in_text


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("Use 0.6-0.8 for best results", (0.6, 0.7, 0.8)),
        ("Recommended weight: 0.5 ~ 1", (0.5, 0.75, 1.0)),
        ("strength between 0.4 and 0.6", (0.4, 0.5, 0.6)),
        ("works best at 0,7 to 0,9", (0.7, 0.8, 0.9)),
        ("Weight 0.75 is fine", (None, 0.75, None)),
        ("<lora:inkstyle_v2:0.8> ink", (None, 0.8, None)),
        ("Usar con un peso de 0.6 a 0.8", (0.6, 0.7, 0.8)),
        ("Use 20-30 steps, CFG 5-7", UNKNOWN),
        ("Use 1 to 2 steps", UNKNOWN),
        ("trained on 512x512, version 1.5", UNKNOWN),
        ("Use it 50% to 80% of the time", UNKNOWN),
        ("strength -2 to 2", UNKNOWN),
        ("released 2023-08-01, use it", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_what_authors_write(text, strength):
    assert strength_in_text(text) == strength


def test_long_text_is_read_in_no_time():
    import time

    start = time.thread_time()
    strength_in_text("use 0.5.5.5 weight " * 20_000)
    assert time.thread_time() - start < 2


@pytest.mark.parametrize(
    ("value", "expected"), [(0.8, 0.8), ("0.8", 0.8), (0, None), (None, None), ("x", None), ("nan", None), (999, None)]
)
def test_numbers_of_tools(value, expected):
    assert number(value) == expected
