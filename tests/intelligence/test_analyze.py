from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from pack.data import table
from pack.errors import LANGUAGES, sentence
from pack.intelligence.analyze import analyze
from pack.plan import Analysis, Dialect, Level, Reader
from pack.values import from_json, to_json

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = "anime girl, magical powers, Victorian mansion, detailed, masterpiece"


def test_the_worked_example():
    read = analyze(EXAMPLE)
    assert (read.style, read.content, read.quality) == ("anime", "character", "high")
    assert read.complexity.level is Level.COMPLEX
    assert read.dialect is Dialect.TAGS and read.language == "en" and read.reader is Reader.RULES
    assert [concept.words for concept in read.of("character")] == [("girl",)]


@pytest.mark.parametrize(
    "prompt",
    [
        "anime boy, elemental magic, gothic castle, intricate, best quality",
        "chica anime, poderes mágicos, mansión victoriana, detallado, obra maestra",
        "chica anime, poderes magicos, mansion victoriana, detallado, obra maestra",
    ],
)
def test_its_likes_are_read_alike(prompt):
    read = analyze(prompt)
    assert (read.style, read.content, read.complexity.level) == ("anime", "character", Level.COMPLEX)


def test_a_plain_photo_is_simple():
    read = analyze("a photo of a horse")
    assert (read.style, read.content, read.complexity.level) == ("photo", "animal", Level.SIMPLE)
    assert read.dialect is Dialect.PROSE and read.quality == "normal"


def test_concepts_keep_words_and_weights():
    read = analyze("(a red dragon:1.4) over a castle, [fog]")
    dragon = next(concept for concept in read.concepts if concept.name == "dragon")
    fog = next(concept for concept in read.concepts if concept.name == "fog")
    assert dragon.words == ("dragon",) and dragon.weight == 1.4
    assert fog.weight == 0.909


def test_danbooru_tags():
    read = analyze("1girl, solo, looking_at_viewer, long_hair, blue_eyes, school_uniform")
    assert (read.style, read.content, read.dialect) == ("anime", "character", Dialect.TAGS)
    assert {"long hair", "blue eyes", "school uniform"} <= {concept.name for concept in read.concepts}


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("a cat on a mat", "en"),
        ("un gato sobre la mesa", "es"),
        ("gato negro, ojos verdes, bosque", "es"),
        ("a portrait of una mujer con sombrero en la playa, highly detailed, with soft light", "mixed"),
        ("eine Katze auf dem Dach mit der Sonne und dem Mond", "other"),
        ("猫が屋根の上に座っている", "other"),
        ("", "en"),
    ],
)
def test_language(prompt, language):
    assert analyze(prompt).language == language


def test_language_can_be_told():
    assert analyze("gato", language="es").language == "es"


def test_spanish_concepts_have_english_names():
    names = {concept.name for concept in analyze("una estatua de un águila y dos dragones en la torre").concepts}
    assert {"statue", "eagle", "dragon", "tower"} <= names


def test_unbelievable_input_is_read_too():
    for prompt in ("", " \n", "\x00", "((((", "🐱" * 50, "a" * 100_000, "cat, " * 20_000):
        read = analyze(prompt)
        assert read.prompt == prompt
        assert 0 <= read.complexity.total <= 1
    dice = random.Random(5)
    alphabet = "ab ,.()[]{}|:<>_\\\"'\n\t\x01ñé猫0123"
    for _ in range(200):
        read = analyze("".join(dice.choice(alphabet) for _ in range(dice.randrange(200))))
        assert read.style in table("styles") and read.content in table("contents")


def test_an_analysis_travels_as_json():
    read = analyze(EXAMPLE + ", (embedding:x:1.1) <lora:y:0.5> {a|b}")
    assert from_json(Analysis, to_json(read)) == read


@pytest.mark.parametrize(
    "prompt",
    [
        EXAMPLE,
        "",
        "x",
        "un (gato",
        "猫",
        "a [b] {c} {d|e} [f|g] [h:i:0.3] __j__ BREAK k AND l <lora:m:1> <hypernet:n:1> <embed:o> )\x00\nNegative prompt: <lora:p:1>\nSteps: 2, Sampler: q",
        "[a] [a] [a] [a] [a] [a] [a] [a] [a] [a]",
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_can_be_told(prompt, language):
    for reason in analyze(prompt).reasons:
        assert sentence("explain", reason.key, language, dict(reason.values))


def test_every_sentence_exists_in_both_languages_with_the_same_gaps():
    english, spanish = (
        {
            key: text
            for key, text in json.loads((ROOT / "locales" / language / "explain.json").read_text("utf-8")).items()
            if key.startswith("read.")
        }
        for language in LANGUAGES
    )
    assert english.keys() == spanish.keys()
    for key, text in english.items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", spanish[key])), key


def test_every_sentence_is_used_and_every_used_one_exists():
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "intelligence").glob("*.py"))
    written = json.loads((ROOT / "locales" / "en" / "explain.json").read_text("utf-8"))
    literal = set(re.findall(r'"(read\.[a-z_]+)"', sources))
    assert literal <= written.keys()
    prefixes = tuple(re.findall(r'f"(read\.[a-z_]+_){', sources))
    assert all(key in literal or key.startswith(prefixes) for key in written if key.startswith("read."))
