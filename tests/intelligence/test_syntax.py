from __future__ import annotations

import random
import time

import pytest
from pack.intelligence.syntax import rewrite
from pack.plan import LoraUse

LONG = 20_000


def keys(written):
    return [reason.key for reason in written.reasons]


def weights(written):
    return {text.strip(" ,"): round(weight, 3) for text, weight in written.segments if text.strip(" ,")}


@pytest.mark.parametrize(
    "text",
    [
        "a cat",
        "(a cat:1.2), a (dog)",
        "((a cat))",
        r"ganyu \(genshin impact\)",
        "((a:1.2) b:1.3)",
        "embedding:easynegative, a cat",
        "cats & dogs: best of\nfriends",
        "un gato, ¿qué tal?",
    ],
)
def test_comfyui_text_is_kept_letter_by_letter(text):
    written = rewrite(text)
    assert written.text == text
    assert not [key for key in keys(written) if key != "read.embedding"]


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("[a cat]", "(a cat:0.91)"),
        ("[[a cat]], dog", "(a cat:0.83), dog"),
        ("{a cat}", "(a cat:1.05)"),
        ("{{a cat}} [b]", "(a cat:1.1) (b:0.91)"),
        ("((a cat)), [b]", "(a cat:1.21), (b:0.91)"),
        ("(a (b:1.5):1.2) [c]", "(a:1.2) (b:1.8) (c:0.91)"),
        (r"\[a\] {b}", "[a] (b:1.05)"),
        (r"[x \(y\)]", r"(x \(y\):0.91)"),
        ("a cat BREAK a dog", "a cat, a dog"),
        ("a cat AND a dog", "a cat, a dog"),
        ("a cat :1.2 AND a dog :0.8", "(a cat :1.2), (a dog:0.8)".replace(" :1.2", ":1.2")),
        ("{red|blue} car", "red car"),
        ("{2$$red|blue} {0.5::big|small} car", "red big car"),
        ("{a|{b|c}} d", "a d"),
        ("[cat|dog] in a hat", "cat, dog in a hat"),
        ("[a cat:a dog:0.7]", "a cat"),
        ("[a cat:a dog:0.2]", "a dog"),
        ("[a dog:0.9] run", "a dog run"),
        ("[a dog::0.1] run", "a dog run"),
        ("__animals/big_cat__ here", "big cat here"),
        ("<embed:bad_hands> x", "embedding:bad_hands x"),
        ("a cat :)", r"a cat :\)"),
        ("(a cat", r"\(a cat"),
        ("a\x00 cat\x07", "a cat"),
    ],
)
def test_foreign_syntax_becomes_what_comfyui_implements(pasted, text):
    written = rewrite(pasted)
    assert written.text == text
    assert written.reasons, "nothing changes without a reason"


def test_native_weights_count_as_in_comfyui():
    assert weights(rewrite("((a)), (b:1.4), ((c:1.2))")) == {"a": 1.21, "b": 1.4, "c": 1.2}


def test_pasted_weights_multiply_as_in_a1111():
    assert weights(rewrite("((c:1.2)) [d]")) == {"c": 1.32, "d": 0.909}


def test_loras_leave_the_text_and_keep_their_strengths():
    written = rewrite(
        "a cat <lora:ink:0.8:0.6><lyco:b c:0.5> <lora:plain> <lora:n:te=0.3:unet=0.7> <lora:far:900> <lora:odd:nan>"
    )
    assert written.text == "a cat"
    assert written.loras == (
        LoraUse("ink", 0.8, 0.6),
        LoraUse("b c", 0.5, 0.5),
        LoraUse("plain", 1.0, 1.0),
        LoraUse("n", 0.7, 0.3),
        LoraUse("far", 20.0, 20.0),
        LoraUse("odd", 1.0, 1.0),
    )
    assert keys(written).count("read.lora_taken") == 6


def test_embeddings_are_listed_and_no_words():
    written = rewrite("(embedding:easy-negative:1.2), Embedding:other, a cat")
    assert written.embeddings == ("easy-negative", "other")
    assert "embedding:other" in written.text
    assert "easy" not in "".join(text for text, _ in written.segments)


def test_generation_data_is_taken_apart():
    written = rewrite(
        "a cat, (fur:1.2)\nNegative prompt: [blurry], (bad <lora:x:1>)\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
    )
    assert written.text == "a cat, (fur:1.2)"
    assert written.negative == "(blurry:0.91), (bad:1.1)"
    assert written.loras == ()
    settings = next(reason for reason in written.reasons if reason.key == "read.settings_dropped")
    assert "Euler a" in settings.values["settings"]
    assert {"read.negative_found", "read.lora_in_negative"} <= set(keys(written))


def test_generation_data_on_one_line():
    written = rewrite("a cat. Negative prompt: blurry Steps: 20, Sampler: Euler")
    assert (written.text, written.negative) == ("a cat.", "blurry")


def test_capitals_are_no_operators_in_a_shouted_prompt():
    assert rewrite("A CAT AND A DOG BREAK DANCING").text == "A CAT AND A DOG BREAK DANCING"


def test_alternatives_are_listed():
    (reason,) = rewrite("{red|blue|green} car").reasons
    assert reason.key == "read.choice"
    assert reason.values == {"kept": "red", "others": "blue, green"}


def test_rewriting_is_stable():
    for pasted in ("((a)), [b] {c|d} <lora:x:1>", "a AND b :0.5 BREAK (c", "[a:b:0.5] :)"):
        once = rewrite(pasted).text
        assert rewrite(once).text == once


def test_too_deep_for_comfyui_is_flattened():
    written = rewrite("(" * 500 + "a" + ")" * 500)
    assert written.text == "(a:10)"


def nasty():
    half = LONG // 2
    yield from ("(" * LONG, ")" * LONG, "([{" * (LONG // 3), "{a|" * (LONG // 3), " " * LONG + "AND", "\\" * LONG)
    yield from (left * half + "a" + right * half for left, right in ("()", "[]", "{}"))
    yield from (
        "<lora:" * (LONG // 6),
        "<lora:" + "a:" * half,
        "__a" * (LONG // 3),
        "embedding:" * (LONG // 10),
        "a AND " * (LONG // 6),
    )
    yield from (
        "[" + "a|" * half + "]",
        "[" + "a:" * half + "0.5]",
        "(a:1.1" * (LONG // 6),
        "\ud800\x00" * half,
        "Steps: 1," * (LONG // 9),
    )
    dice = random.Random(7)
    yield "".join(dice.choice("()[]{}|:\\ab12., \nAND") for _ in range(LONG))
    yield "".join(chr(dice.randrange(0x110000)) for _ in range(LONG // 4))


@pytest.mark.parametrize("text", list(nasty()), ids=range(21))
def test_no_text_is_slow_or_fatal(text):
    begin = time.thread_time()
    written = rewrite(text)
    assert time.thread_time() - begin < 4
    assert len(written.reasons) < 100
    written.text.encode("utf-8")


def test_a_hundred_thousand_brackets():
    begin = time.thread_time()
    assert len(rewrite("([{" * 33_333).text) >= 100_000 - 1
    assert time.thread_time() - begin < 10
