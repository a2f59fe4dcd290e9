"""What a prompt refuses is neither read as wished nor drawn upon for LoRAs, format or complexity."""

from __future__ import annotations

import time

import pytest
from pack.data.families import families
from pack.intelligence.analyze import analyze
from pack.intelligence.matching import Wishes, question
from pack.intelligence.negative import write_negative
from pack.intelligence.recommend import recommend
from pack.intelligence.refusals import asked_part, refused_terms
from pack.intelligence.resolution import framing
from pack.plan import Kind, Library, ModelFile, Request, Settings


@pytest.mark.parametrize(
    ("prompt", "terms"),
    [
        ("a castle, no dragons", ("dragons",)),
        ("a street without any parked cars at night", ("parked cars",)),
        ("a fox, not a cartoon, not a sketch", ("cartoon", "sketch")),
        ("no text or watermark, a tree", ("text", "watermark")),
        ("no text and watermark, a tree", ("text", "watermark")),
        ("scenery, no_humans", ("humans",)),
        ("a man who isn't wearing a hat", ("hat",)),
        ("a dog instead of a cat", ("cat",)),
        ("a woman (no glasses:1.2), beach", ("glasses",)),
        ("a woman without makeup and a red dress", ("makeup",)),
    ],
)
def test_refused_things_become_terms(prompt, terms):
    assert refused_terms(prompt) == terms


@pytest.mark.parametrize(
    ("prompt", "terms"),
    [
        ("una calle sin coches ni gente", ("car", "people")),
        ("un bosque que no sea de noche", ("night",)),
        ("una casa sin ninguna ventana", ("window",)),
        ("un perro en vez de un gato", ("cat",)),
        ("una plaza, nada de texto", ("text",)),
    ],
)
def test_spanish_ones_get_their_english_names(prompt, terms):
    assert refused_terms(prompt, "es") == terms


@pytest.mark.parametrize(
    "prompt",
    [
        "a Noh mask",
        "not only a hat but also a coat",
        "a man, no one else",
        "city of sin, original sin, sin city",
        'a sign that says "no dogs"',
        "a wall saying No Dogs",
        "boku no hero academia",
        "Chanel No 5 bottle",
        "No-Face from a film",
        "a never-ending staircase",
        "forget me not flowers",
        "sin embargo, una chica",
        "a no smoking sign",
        "no, yes, not",
    ],
)
def test_words_that_only_look_like_a_refusal(prompt):
    assert refused_terms(prompt) == () and asked_part(prompt) == prompt


def test_only_what_is_refused_is_cut():
    assert asked_part("a lake without any boats at dawn").split() == ["a", "lake", ";", "at", "dawn"]
    assert asked_part("un lago sin barcos al amanecer").split() == ["un", "lago", ";", "al", "amanecer"]


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("realistic woman, no cartoon style", "photo"),
        ("mujer realista, sin estilo cómic", "photo"),
        ("a photo of a harbour, not anime, not a painting", "photo"),
        ("a knight, oil painting, no photo", "oil_painting"),
    ],
)
def test_a_refused_style_is_not_the_style(prompt, style):
    assert analyze(prompt).style == style


def test_refused_things_are_no_concepts_and_add_no_complexity():
    plain, refusing = analyze("a beach at dawn"), analyze("a beach at dawn, no people, no dogs, no umbrella")
    assert [concept.name for concept in refusing.concepts] == [concept.name for concept in plain.concepts]
    assert refusing.complexity == plain.complexity
    assert [reason.key for reason in refusing.reasons].count("read.refused") == 1
    assert analyze("a dog without a cat in a garden").content == "animal"


def test_a_refused_format_is_not_the_format():
    assert framing("not a portrait") is None
    row = framing("not a portrait, full body woman")
    assert row is not None and row[0] == "full_body"
    assert framing("retrato, que no sea un paisaje")[0] == "portrait"


LORAS = Library(
    tuple(
        ModelFile(Kind.LORA, f"{title}.safetensors", family="sdxl", title=title, tags=("style",), trigger_groups=((trigger,),))
        for title, trigger in (("Pixel Art XL", "pixel art"), ("Claymation Style", "claymation"))
    ),
    "refused",
)


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("a robot, {}pixel art", "Pixel Art XL"),
        ("a rabbit {}claymation style", "Claymation Style"),
        ("un robot, {}claymation", "Claymation Style"),
    ],
)
def test_a_lora_for_what_is_refused_is_not_chosen(prompt, title):
    cue = "sin " if prompt.startswith("un ") else "no "
    for said, wanted in (("", True), (cue, False)):
        chosen = recommend(analyze(prompt.format(said)), "sdxl", LORAS).chosen
        assert [choice.use.name for choice in chosen] == ([f"{title}.safetensors"] if wanted else [])


def test_translations_are_asked_without_what_they_refuse():
    analysis = analyze("a cat, no dogs")
    assert "dogs" not in question(analysis) and "dog" not in Wishes.of(analysis).said


def negative_of(prompt, family="sdxl", cfg=6.0):
    settings = Settings(20, cfg, "euler", "normal", 1024, 1024)
    return write_negative(Request(prompt), analyze(prompt), families()[family], settings)


def test_what_is_refused_goes_to_the_negative_with_a_reason():
    text, reasons, _ = negative_of("a street, no umbrellas")
    assert "umbrellas" in (text or "").split(", ")
    assert [reason.values["words"] for reason in reasons if reason.key == "negative.refused"] == ["umbrellas"]
    assert "umbrella" in (negative_of("una calle, sin paraguas")[0] or "").split(", ")


def test_what_is_refused_and_asked_for_is_not_forbidden():
    text = negative_of("a red umbrella, no umbrella stand")[0]
    assert "umbrella stand" in (text or "").split(", ")
    assert "red umbrella" not in (negative_of("a red umbrella, no red umbrella")[0] or "").split(", ")


def test_where_no_negative_acts_nothing_is_written():
    assert negative_of("a street, no umbrellas", "flux_dev", 1.0)[0] is None


def test_a_long_text_of_refusals_is_read_fast():
    begin = time.thread_time()
    asked_part("no hat, " * 20_000)
    asked_part("no " * 20_000)
    assert time.thread_time() - begin < 3


def test_refusals_that_are_tags_are_searched_for_as_tags_only():
    read = analyze("scenery, no_humans, no hats")
    assert "no_humans" in question(read, keep_tags=True) and "hats" not in question(read, keep_tags=True)
    assert "human" not in Wishes.of(read).said and not read.of("character")
