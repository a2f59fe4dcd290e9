"""The rules one by one: vocabulary, style, content, complexity."""

from __future__ import annotations

import pytest
from pack.data import table
from pack.intelligence.analyze import analyze
from pack.intelligence.vocabulary import TABLES, index, spanish_rows
from pack.intelligence.words import fold, keys_of, singular
from pack.plan import Level


def test_every_row_names_known_ids():
    for name in TABLES:
        for group in table(name)["group"]:
            assert group.get("style", "none") in table("styles")
            assert group.get("content", "other") in table("contents")
            assert group.get("quality", "normal") in ("low", "normal", "high")


def test_every_style_and_content_has_labels_and_words():
    used = {entry for entries in index("en").phrases.values() for entry in entries}
    for name, row in table("styles").items():
        assert set(row["label"]) == {"en", "es"} and row["group"] in ("anime", "photo", "artistic")
        assert name == "none" or any(entry.style == name for entry in used)
    for name, row in table("contents").items():
        assert set(row["label"]) == {"en", "es"}
        assert name == "other" or any(entry.content == name for entry in used)


def test_every_spanish_row_names_an_english_one():
    unknown = {english for english, _ in spanish_rows() if " ".join(keys_of(english)) not in index("en").phrases}
    assert not unknown


@pytest.mark.parametrize(
    ("word", "expected"),
    [("horses", "horse"), ("glass", "glass"), ("cities", "city"), ("boxes", "box"), ("does", "does"), ("bus", "bus")],
)
def test_singular(word, expected):
    assert singular(word) == expected


def test_fold():
    assert fold("Mansión") == "mansion" and fold("NIÑO") == "nino"


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("a fox in Ghibli style", "anime"),
        ("un zorro en estilo de la animación de Ghibli", "anime"),
        ("a knight, oil painting", "oil_painting"),
        ("a castle made of lego bricks", "lego_clay_craft"),
        ("a robot, american comics style", "comic"),
        ("a cyberpunk alley in 3D style", "3d_render"),
        ("Van Gogh style harbour", "painting_classic"),
        ("harbour by Hokusai", "ukiyo_e"),
        ("a minimalist logo of an owl", "graphic_flat"),
        ("pencil sketch of a hand", "sketch_lineart"),
        ("two friends eating lunch in a park", "photo"),
        ("a wizard riding a dragon over a floating city", "concept_fantasy_scifi"),
        ("chinese ink painting of bamboo", "chinese_ink"),
        ("8-bit pixel art hotel", "pixel_art"),
        ("acuarela de un gato", "watercolor"),
        ("photo of a painting on a wall, 35mm", "photo"),
    ],
)
def test_style(prompt, style):
    assert analyze(prompt).style == style


@pytest.mark.parametrize(
    ("prompt", "content"),
    [
        ("a horse in front of a castle", "animal"),
        ("a bowl of soup on a table", "food"),
        ("a statue of a horse", "object"),
        ("in a forest, a girl is reading", "character"),
        ("soccer player", "character"),
        ("poster with the title 'Hello' and the slogan \"Buy now\"", "text"),
        ("view of the mountains and a lake", "landscape"),
        ("a red bus crossing a bridge", "vehicle"),
        ("a bouquet of tulips", "plant"),
        ("modern living room with a sofa", "interior"),
        ("an old lighthouse", "architecture"),
        ("infinity", "abstract"),
        ("a doohickey", "object"),
        ("a cubist painting of a horse", "art"),
        ("a pie chart", "illustration"),
        ("un plato de fideos", "food"),
        ("", "other"),
    ],
)
def test_content(prompt, content):
    assert analyze(prompt).content == content


def test_weights_decide_between_subjects():
    assert analyze("a (cat:0.5) beside, (sports car:1.5)").content == "vehicle"


def test_quality():
    assert analyze("a cat, masterpiece, 8k").quality == "high"
    assert analyze("quick sketch, low quality").quality == "low"
    assert analyze("a cat").quality == "normal"


def test_complexity_grows_with_what_is_asked():
    prompts = [
        "a cat",
        "a black cat on a roof",
        "a black cat on a roof at night, full moon, oil painting",
        "a black cat in a red coat on a roof at night, full moon, fireflies, oil painting, dramatic lighting, highly detailed, masterpiece",
    ]
    totals = [analyze(prompt).complexity.total for prompt in prompts]
    assert totals == sorted(totals)
    assert analyze(prompts[0]).complexity.level is Level.SIMPLE
    assert analyze(prompts[-1]).complexity.level is Level.COMPLEX


def test_repetition_is_not_complexity():
    assert analyze("cat, " * 300).complexity.level is not Level.COMPLEX


@pytest.mark.parametrize(
    ("prompt", "content"), [("perro", "animal"), ("amanecer", "landscape"), ("bosques", "landscape"), ("cocina", "interior")]
)
def test_one_spanish_word_is_spanish(prompt, content):
    read = analyze(prompt)
    assert (read.language, read.content) == ("es", content)


@pytest.mark.parametrize("prompt", ["horse", "a horse", "ninja", "sushi", "Goya-like horse", "xyzzy"])
def test_one_english_word_is_english(prompt):
    assert analyze(prompt).language == "en"


def test_a_birds_view_shows_no_bird():
    read = analyze("vista de pájaro de un pueblo")
    assert read.content == "landscape" and "bird" not in {concept.name for concept in read.concepts}
    assert analyze("un pájaro en una rama").content == "animal"


@pytest.mark.parametrize("prompt", ["猫が屋根の上に座っている", "女の子、猫耳", "кошка на крыше"])
def test_no_style_is_guessed_in_a_language_that_cannot_be_read(prompt):
    read = analyze(prompt)
    assert (read.language, read.style) == ("other", "none")


@pytest.mark.parametrize(
    "prompt",
    [
        "retrato de un anciano con bufanda azul, acuarela",
        "an oil painting portrait of a queen",
        "a watercolor portrait of a boy",
        "retrato al óleo de una mujer",
    ],
)
def test_a_portrait_shows_somebody_whatever_it_is_painted_with(prompt):
    assert analyze(prompt).content == "character"


def test_a_background_picture_is_not_a_room():
    assert analyze("phone wallpaper with tulips").content == "plant"
    assert analyze("fondo de pantalla con montañas").content == "landscape"
    assert analyze("girl in front of striped wallpaper").content == "character"


@pytest.mark.parametrize("prompt", ["a woman, detailed skin", "a woman, skin texture", "una mujer, piel detallada"])
def test_detailed_skin_is_detail(prompt):
    assert analyze(prompt).of("detail")


def test_spanish_plurals_lead_back_to_their_singular():
    for singular_form, plural in (("coche", "coches"), ("luz", "luces"), ("flor", "flores"), ("gato", "gatos")):
        assert [c.name for c in analyze(f"un {singular_form}").concepts] == [c.name for c in analyze(f"unos {plural}").concepts]
