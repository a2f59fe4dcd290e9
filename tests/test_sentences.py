"""Sentences that count."""

from __future__ import annotations

import json

import pytest
from pack.errors import LANGUAGES, sentence
from pack.intelligence.explain import render
from pack.plan import Reason


@pytest.mark.parametrize(
    ("language", "count", "words"),
    [("en", 1, "over 1 picture."), ("en", 9, "over 9 pictures."), ("es", 1, "en 1 imagen."), ("es", 9, "en 9 imágenes.")],
)
def test_the_word_goes_with_the_number(language: str, count: int, words: str) -> None:
    reason = Reason("loras", "lora.rated", {"name": "ink", "stars": 4.6, "ratings": count})
    assert render(reason, language).endswith(words)


def test_what_fills_a_sentence_is_no_pattern() -> None:
    assert "{x:a|b}" in sentence("errors", "generation_unknown", "en", {"id": "{x:a|b}"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_that_counts_has_both_words(language: str, request: pytest.FixtureRequest) -> None:
    folder = request.config.rootpath / "locales" / language
    counted = 0
    for path in folder.glob("*.json"):
        for text in json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False).split("{"):
            _, colon, words = text.partition("}")[0].partition(":")
            if colon and "|" in words:
                one, _, many = words.partition("|")
                assert one and many and one != many, text
                counted += 1
    assert counted >= 10
