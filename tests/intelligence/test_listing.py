"""Which local files a list shows, and in what order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pack.intelligence.listing import UNKNOWN, Only, Order, Use, Used, Wish, families_held, kinds_held, listed
from pack.plan import Kind

from ..shelf import checkpoint, library, lora

INK = lora("a/ink.safetensors", title="Ink", trigger_groups=(("inkstyle",),), tags=("Drawing",), mtime_ns=3, size_bytes=10)
NEON = lora("b/neon.safetensors", "flux_dev", creator="Ann", newer="7", mtime_ns=1, size_bytes=30)
BARE = lora("c/bare.safetensors", family="sdxl", nsfw=True, mtime_ns=2, size_bytes=20)
LOST = replace(lora("d/lost.safetensors"), family=None, problem="unknown_kind")
SHELF = library(checkpoint(), INK, NEON, BARE, LOST)
UNUSED = Used()


def names(used=UNUSED, **wish):
    return [file.name.split("/")[-1].split(".")[0] for file in listed(SHELF, Wish(kind=Kind.LORA, **wish), used)]


def test_all_of_a_kind_in_the_librarys_order():
    assert names() == ["ink", "neon", "bare", "lost"]


@pytest.mark.parametrize("words", [("ink",), ("inkstyle",), ("drawing", "ink"), ("a/ink",)])
def test_every_word_is_in_what_is_known_of_the_file(words):
    assert names(words=words) == ["ink"]


def test_words_that_no_file_holds_find_none():
    assert names(words=("ink", "ann")) == [] and names(words=("ann",)) == ["neon"]


def test_filters_leave_out_the_rest():
    assert names(only=frozenset({Only.TRIGGERS})) == ["ink"]
    assert names(only=frozenset({Only.NEWER})) == ["neon"]
    assert names(only=frozenset({Only.UNUSABLE})) == ["lost"]
    assert names(only=frozenset({Only.NEWER, Only.TRIGGERS})) == []
    assert names(nsfw=False) == ["ink", "neon", "lost"]
    assert names(family="flux_dev") == ["neon"] and names(family=UNKNOWN) == ["lost"]


def test_orders():
    used = Used({("lora", BARE.name): Use(9, 3.0, 2), ("lora", NEON.name): Use(1, 3.0, 5), ("checkpoint", INK.name): Use(99)})
    assert names(order=Order.NEWEST)[:3] == ["ink", "bare", "neon"]
    assert names(order=Order.SIZE)[-3:] == ["neon", "bare", "ink"]
    assert names(used, order=Order.USED)[:2] == ["bare", "neon"]
    assert names(used, order=Order.RATED)[:2] == ["neon", "bare"]  # as many stars, from more ratings


def test_the_next_page_is_not_sought_again():
    assert listed(SHELF, Wish(words=("ink",)), UNUSED) is listed(SHELF, Wish(words=("ink",)), UNUSED)
    assert listed(SHELF, Wish(words=("ink",)), UNUSED) is not listed(replace(SHELF, version="2"), Wish(words=("ink",)), UNUSED)


def test_what_there_is_is_counted():
    assert kinds_held(SHELF)["loras"] == 4 and kinds_held(SHELF)["vae"] == 0
    held = families_held(SHELF, Kind.LORA)
    assert held[0].id == "sdxl" and held[0].files == 2 and held[-1].id == UNKNOWN and held[-1].files == 1
