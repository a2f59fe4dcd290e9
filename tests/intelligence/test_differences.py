"""What sets two pictures apart, in words."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pack.intelligence.differences import _SETTINGS, Difference, differences, word_pieces
from pack.plan import Estimate, Generation, LoraChoice, LoraUse, Priority

from .test_learn import plan

WORDS = Path(__file__).parents[2] / "locales"
INK, GLOW = LoraUse("styles/ink.safetensors", 0.6, 0.6), LoraUse("glow.safetensors", 0.4, 0.5)


def made(seed: int | None = 7, **changes: object) -> Generation:
    return Generation(replace(plan(), **{"loras": (), **changes}), seed, "id")


def by_name(a: Generation, b: Generation, language: str = "en") -> dict[str, Difference]:
    return {row.what: row for row in differences(a, b, language)}


def test_the_same_plan_and_seed_differ_in_nothing():
    assert differences(made(), made()) == ()


def test_another_seed_is_the_only_row_and_keeps_every_digit():
    rows = differences(made(seed=2**64 - 1), made(seed=3))
    assert [(row.what, row.a, row.b) for row in rows] == [("seed", "18446744073709551615", "3")]


def test_settings_that_differ_are_rows_in_words_of_the_language():
    settings = made().plan.settings
    other = made(settings=replace(settings, steps=settings.steps + 5, cfg=6.25, width=832, height=1216, tiled_decode=True))
    found = by_name(made(), other, "es")
    assert found["steps"].label == "Pasos" and found["steps"].b == str(settings.steps + 5)
    assert found["cfg"].b == "6.25" and found["size"].b == "832×1216"
    assert (found["tiled_decode"].a, found["tiled_decode"].b) == ("no", "sí")
    assert by_name(made(), other)["steps"].label == "Steps"


def test_loras_are_rows_by_file_and_absence_is_empty():
    one = made(loras=(LoraChoice(INK), LoraChoice(GLOW)))
    two = made(
        loras=(
            LoraChoice(replace(INK, strength_model=0.8, strength_clip=0.8)),
            LoraChoice(replace(GLOW, name="other.safetensors")),
        )
    )
    found = by_name(one, two)
    assert (found[f"lora:{INK.name}"].label, found[f"lora:{INK.name}"].a, found[f"lora:{INK.name}"].b) == (
        "LoRA ink",
        "0.6",
        "0.8",
    )
    assert (found[f"lora:{GLOW.name}"].a, found[f"lora:{GLOW.name}"].b) == ("0.4 / 0.5", "")
    assert (found["lora:other.safetensors"].a, found["lora:other.safetensors"].b) == ("", "0.4 / 0.5")
    assert by_name(made(loras=(LoraChoice(INK),)), made(loras=(LoraChoice(INK),))) == {}


def test_model_prompt_priority_and_cost_are_told():
    before = made().plan
    after = made(
        models=replace(before.models, checkpoint="folder/other_v2.safetensors"),
        request=replace(before.request, prompt="a wolf", priority=Priority.SPEED),
        negative="blurry, text",
        estimate=Estimate(seconds=12.34, vram_bytes=3 * 1024**3),
    )
    found = by_name(made(estimate=Estimate()), after)
    assert found["model"].b == "other_v2" and found["priority"].b == "speed"
    assert found["time"].a == "" and found["time"].b == "12.3 s" and found["memory"].b == "3.0 GiB"
    assert [piece.kind for piece in found["prompt"].pieces] and found["negative"].pieces
    assert next(iter(found)) == "prompt"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("a red fox in snow", "a blue fox in deep snow"),
        ("", "a fox"),
        ("  two  spaces, and\na line", "two spaces, and a line"),
        ("x " * 300, "x " * 299 + "y"),
        ("zorro rojo, acuarela", "lobo gris, óleo"),
    ],
)
def test_pieces_put_together_are_both_texts(a, b):
    pieces = word_pieces(a, b)
    words = lambda kinds: " ".join("".join(piece.text for piece in pieces if piece.kind in kinds).split())  # noqa: E731
    assert words(("same", "removed")) == " ".join(a.split()) and words(("same", "added")) == " ".join(b.split())


def test_only_the_words_that_changed_are_marked():
    pieces = word_pieces("a red fox in snow", "a blue fox in deep snow")
    assert [(piece.kind, piece.text.strip()) for piece in pieces if piece.kind != "same"] == [
        ("removed", "red"),
        ("added", "blue"),
        ("added", "deep"),
    ]


def test_every_row_has_words_and_every_word_is_used():
    settings = {"size", *_SETTINGS}
    rows = {"prompt", "prompt_used", "negative", "model", "vae", "second", "text_encoders", "weight_dtype", "family"}
    expected = rows | settings | {"lora", "triggers", "priority", "seed", "time", "memory", "yes", "no"}
    for language in ("en", "es"):
        assert json.loads((WORDS / language / "differences.json").read_text("utf-8")).keys() == expected


def test_a_plan_that_never_ran_has_no_seed():
    assert [(row.what, row.a) for row in differences(made(seed=None), made(seed=0))] == [("seed", "")]


def test_very_long_texts_are_set_apart_in_no_time_and_still_whole():
    a, b = " ".join(["a fox"] * 4000), "the same: " + " ".join(["a fox"] * 2000 + ["in snow"] + ["a fox"] * 2000)
    started = time.process_time()
    pieces = word_pieces(a, b)
    assert time.process_time() - started < 1  # one by one it takes minutes
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == b
    assert "".join(piece.text for piece in pieces if piece.kind != "added").split() == a.split()
    same = " ".join(["a fox"] * 4000)
    assert [piece.kind for piece in word_pieces(same, same)] == ["same"]
    assert [piece.kind for piece in word_pieces(same, f"{same} in snow")] == ["same", "added"]
