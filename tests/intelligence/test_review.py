"""A plan as it is reviewed: all of it, in both languages, with ranges that hold what is in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pack.data import table
from pack.data.families import families
from pack.errors import LANGUAGES
from pack.intelligence.edit import Edits, apply_edits
from pack.intelligence.edit_loras import LoraEdit
from pack.intelligence.question import question_hash
from pack.intelligence.review import review
from pack.intelligence.revise import Place
from pack.plan import Constraints, Fixed, Plan
from pack.tests.openapi import faults
from pack.tests.shelf import LORAS, WORKED_EXAMPLE, checkpoint, complete_set, gpu, library
from pack.tests.test_pipeline import NOT_CHOSEN_ALONE, plan
from pack.values import from_json

MACHINE = gpu()
SHELF = library(checkpoint(), *LORAS)
REVIEW = {"$ref": "#/components/schemas/Review"}


def shown(made: Plan, shelf=SHELF, language: str = "en"):
    told = review(made, shelf, language, MACHINE)
    assert not list(faults(json.loads(json.dumps(told)), REVIEW))
    assert from_json(Plan, json.dumps(told["plan"])) == made
    return told


def setting(told, name):
    return next(each for each in told["settings"] if each["name"] == name)


@pytest.mark.parametrize("family", sorted(families().keys() - NOT_CHOSEN_ALONE))
def test_every_familys_settings_lie_in_their_ranges_and_say_why(family: str) -> None:
    shelf = library(*complete_set(family), *LORAS)
    told = shown(plan(WORKED_EXAMPLE, *shelf.files), shelf)
    assert told["settings"]
    for row in told["settings"]:
        assert row["said"] or row["name"] == "height", row
        if row["choices"] is None:
            assert row["low"] <= row["value"] <= row["high"] and row["step"] > 0, row
            assert row["low"] < row["high"]
        else:
            assert row["value"] in {choice["value"] for choice in row["choices"]}, row


def test_no_setting_without_effect_is_offered() -> None:
    names = [row["name"] for row in shown(plan())["settings"]]
    assert names == ["steps", "cfg", "sampler", "scheduler", "width", "height", "clip_skip", "batch"]
    shelf = library(*complete_set("flux_dev"))
    names = [row["name"] for row in shown(plan(WORKED_EXAMPLE, *shelf.files), shelf)["settings"]]
    assert "guidance" in names and "cfg" not in names and "clip_skip" not in names
    image = shown(plan(has_image=True))
    assert "denoise" in [row["name"] for row in image["settings"]] and "width" not in [row["name"] for row in image["settings"]]


def test_what_the_person_fixed_is_marked_and_a_range_widens_to_hold_it() -> None:
    told = shown(plan(fixed=Fixed(cfg=20.0, steps=500)))
    assert setting(told, "cfg")["fixed"] and setting(told, "cfg")["high"] == 20.0
    assert setting(told, "steps")["high"] == 500 and not setting(told, "sampler")["fixed"]


def test_ranges_of_a_distilled_model_are_its_own() -> None:
    shelf = library(checkpoint("turbo.safetensors", distillation="lcm"))
    told = shown(plan(WORKED_EXAMPLE, *shelf.files), shelf)
    assert setting(told, "steps")["high"] <= 20 and setting(told, "cfg")["high"] == 2.0


@pytest.mark.parametrize("language", LANGUAGES)
def test_cards_say_it_in_the_language_asked_for_and_without_the_name(language: str) -> None:
    told = shown(plan(), language=language)
    (style, detail), miss = told["loras"], told["near_misses"][0]
    assert (
        style["on"]
        and style["said"]
        and style["why_not"] is None
        and style["triggers"] == [{"word": "anime style", "on": True}]
    )
    assert 0 < style["relevance"] <= 1 and set(style["scores"]) == {"semantic", "keyword", "popularity", "history"}
    assert style["loads"] and not miss["loads"]  # what another family's model needs is not offered
    assert not miss["on"] and "Flux" in miss["why_not"] and not any(word["on"] for word in miss["triggers"])
    for card in (style, detail, miss):
        assert not any(line.startswith(card["name"].partition(".")[0]) for line in card["said"])
    assert told["intent"]["style"] == table("styles")["anime"]["label"][language]
    assert told["negative_matters"] and told["negative"] and told["estimate"]["fits"]
    keys = ("lora.", "edited.", "warn.", "tip.", "level.", "label.")
    texts = json.dumps({name: part for name, part in told.items() if name != "plan"})
    assert not any(f'"{key}' in texts for key in keys), "every reason has its sentence"


@pytest.mark.parametrize("language", LANGUAGES)
def test_edits_are_listed_against_the_proposal(language: str) -> None:
    made = plan()
    name = made.loras[0].use.name
    edits = Edits({"steps": 11, "denoise": 0.9, "width": 832}, (LoraEdit(name, 0.4),), "blue", "mine")
    told = shown(apply_edits(made, edits, Place(SHELF, MACHINE)), language=language)
    changed = {(each["parameter"], each["subject"]): (each["proposed"], each["used"]) for each in told["changes"]}
    assert changed == {
        ("steps", ""): ("40", "11"),
        ("size", ""): ("1024x1024", "832x1024"),
        ("strength", name): ("0.8", "0.4"),
        ("lora", "detail_enhancer.safetensors"): ("0.5", ""),
        ("denoise", ""): ("1.0", "0.9"),
        ("prompt", ""): ("", told["prompt"]),
        ("negative", ""): (made.negative, "blue"),
    }
    out = next(card for card in told["near_misses"] if card["name"] == "detail_enhancer.safetensors")
    assert out["why_not"] == {"en": "You took it out.", "es": "La quitaste."}[language]
    assert shown(made)["changes"] == []


def test_it_is_made_for_the_question_and_not_for_the_answer() -> None:
    made = plan()
    told = shown(made)
    assert told["made_for"] == question_hash(made.request, "sdxl")
    assert shown(replace(made, library_version="another"))["made_for"] == told["made_for"]
    renamed = library(replace(checkpoint(), family="pony"), *LORAS)
    assert shown(made, renamed)["made_for"] == question_hash(made.request, "pony")


def test_a_plan_of_another_machine_can_be_looked_at() -> None:
    told = shown(plan(), library())
    assert told["model"]["title"] == "sd_xl_base_1.0" and not told["model"]["preview"]
    assert told["loras"][0]["triggers"] == [{"word": "anime style", "on": True}]


def test_a_warning_about_memory_is_among_the_warnings() -> None:
    tight = plan(constraints=Constraints(max_vram_bytes=2**30))
    told = shown(tight)
    assert told["estimate"]["fits"] is False and any("GiB" in warning for warning in told["warnings"])


def test_it_stays_small() -> None:
    """A plan with every near-miss travels in workflows and over the wire."""
    assert len(json.dumps(shown(plan()))) < 40_000
