"""What an accepted plan answers, as a hash."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace

import pytest
from pack.intelligence.question import BESIDE_IT, changed_inputs, family_of, question_hash
from pack.plan import Constraints, Fixed, LoraUse, Mode, Offload, Priority, Request
from pack.tests.shelf import checkpoint, library
from pack.tests.test_pipeline import plan
from pack.values import from_json, to_json

ASKED = Request("a fox", negative="dogs", fixed=Fixed(cfg=7.0, steps=20), checkpoint="base.safetensors")
OTHERWISE = {
    "prompt": "a cat",
    "negative": None,
    "priority": Priority.SPEED,
    "checkpoint": "other.safetensors",
    "vae": "v.safetensors",
    "loras": (LoraUse("ink.safetensors", 0.8, 0.8),),
    "has_image": True,
    "memory": Offload.AGGRESSIVE,
    "constraints": Constraints(allow_nsfw=True),
    "fixed": Fixed(cfg=7.5, steps=20),
}
NAMED = {"loras": "lora_stack", "has_image": "image", "constraints": "allow_nsfw", "fixed": "cfg"}


def test_every_part_of_a_request_counts_or_is_known_not_to() -> None:
    assert {each.name for each in fields(Request)} == OTHERWISE.keys() | set(BESIDE_IT)


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_asks_for_something_else_changes_the_hash_and_is_named(name: str) -> None:
    other = replace(ASKED, **{name: OTHERWISE[name]})
    assert question_hash(other, "sdxl") != question_hash(ASKED, "sdxl")
    assert changed_inputs(ASKED, other) == changed_inputs(other, ASKED) == (NAMED.get(name, name),)


@pytest.mark.parametrize("name", [each.name for each in fields(Fixed)])
def test_every_fixed_input_counts(name: str) -> None:
    value = "karras" if name in ("sampler", "scheduler") else 64 if name in ("width", "height") else 1
    other = replace(ASKED, fixed=replace(Fixed(), **{name: value}))
    assert question_hash(other, "sdxl") != question_hash(replace(ASKED, fixed=Fixed()), "sdxl")


def test_how_it_is_asked_does_not_count_and_the_family_does() -> None:
    for beside in (replace(ASKED, language="es"), replace(ASKED, mode=Mode.ASSISTED), replace(ASKED, learning=False)):
        assert question_hash(beside, "sdxl") == question_hash(ASKED, "sdxl")
        assert changed_inputs(ASKED, beside) == ()
    assert question_hash(ASKED, "pony") != question_hash(ASKED, "sdxl")


def test_it_is_the_same_however_numbers_and_paths_are_written() -> None:
    told = question_hash(ASKED, "sdxl")
    assert question_hash(replace(ASKED, fixed=Fixed(cfg=7, steps=20)), "sdxl") == told
    assert question_hash(from_json(Request, to_json(ASKED)), "sdxl") == told
    folders = [replace(ASKED, checkpoint=name) for name in ("xl/base.safetensors", "xl\\base.safetensors")]
    assert len({question_hash(each, "sdxl") for each in folders}) == 1


def test_it_is_the_same_in_every_process_and_for_ever() -> None:
    """Workflows keep it: this very number is promised."""
    assert question_hash(ASKED, "sdxl") == PROMISED
    code = (
        "import sys; sys.path.insert(0, 'tests'); import conftest; from pack.tests.intelligence.test_question import ASKED;"
        "from pack.intelligence.question import question_hash; print(question_hash(ASKED, 'sdxl'))"
    )
    other = {**os.environ, "PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=other, check=True, timeout=60)
    assert run.stdout.strip() == PROMISED


PROMISED = "b43104bde0c03a6d18be7300dd6300e900045e5ae48c107b499a56c23cf8113a"


def test_the_family_is_what_the_library_now_knows() -> None:
    made = plan()
    assert family_of(made, library(checkpoint())) == "sdxl"
    assert family_of(made, library(checkpoint(family="pony"))) == "pony"
    assert family_of(made, library(checkpoint(family=None))) == family_of(made, library()) == made.family
