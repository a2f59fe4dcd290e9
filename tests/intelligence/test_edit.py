"""What a person changes in a plan: exactly that changes, what it costs follows, and taken back it is as if never done."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from pack.data.families import distillations, families
from pack.errors import LANGUAGES, BadRequest, MissingModel
from pack.graph import build
from pack.intelligence.analyze import analyze
from pack.intelligence.edit import Edits, apply_edits, as_proposed
from pack.intelligence.edit_loras import LoraEdit
from pack.intelligence.explain import explain
from pack.intelligence.following import changes_between
from pack.intelligence.question import question_hash
from pack.intelligence.revise import Place
from pack.pipeline import make_plan
from pack.plan import Fixed, LoraUse, Mode, Plan, Request, Taste, Verbosity
from pack.tests.shelf import LORAS, WORKED_EXAMPLE, checkpoint, complete_set, gpu, library, lora
from pack.values import from_json, to_json

WORDY = lora(
    "woodcut.safetensors",
    title="Woodcut",
    tags=("woodcut",),
    trigger_groups=(("w00d, old house", "manor (style)"),),
    strength=(0.3, 0.7, 0.9),
)
FOREIGN = lora("flux_ink.safetensors", family="flux_dev", title="Ink")
OTHER = lora("clay.safetensors", title="Clay", tags=("clay",), trigger_groups=(("claymation",),))
FAST = lora("lcm_lora.safetensors", title="LCM", distillation="lcm")
BROKEN = lora("torn.safetensors", title="Torn", problem="file_truncated")
SHELF = library(checkpoint(), *LORAS, WORDY, FOREIGN, OTHER, FAST, BROKEN)
PLACE = Place(SHELF, gpu())


def planned(prompt: str = WORKED_EXAMPLE, shelf=SHELF, machine=PLACE.machine, **asked) -> Plan:
    return make_plan(Request(prompt, **asked), analyze(prompt), shelf, Taste(), machine)


def stack(plan: Plan) -> tuple[LoraEdit, ...]:
    uses = [(choice.use, choice.triggers) for choice in plan.loras]
    return tuple(LoraEdit(use.name, use.strength_model, use.strength_clip, words) for use, words in uses)


def reasons(plan: Plan) -> list[str]:
    return sorted(map(repr, plan.reasons))


def assert_same(one: Plan, two: Plan) -> None:
    """Everything, and in the same order but for the sentences."""
    assert reasons(one) == reasons(two)
    assert set(map(repr, one.warnings)) == set(map(repr, two.warnings))
    assert replace(one, reasons=(), warnings=()) == replace(two, reasons=(), warnings=())


def keys(plan: Plan) -> set[str]:
    told = (*plan.reasons, *(reason for choice in (*plan.loras, *plan.near_misses) for reason in choice.reasons))
    return {reason.key for reason in told}


def is_edited(plan: Plan) -> bool:
    return any(key.startswith("edited.") for key in keys(plan))


# --------------------------------------------------------------------------- taken back


SETTINGS = (
    *("steps", "cfg", "guidance", "sampler", "scheduler", "width", "height"),
    *("shift", "clip_skip", "denoise", "batch"),
)
PLANS = [
    {},
    {"prompt": "a red fox in the snow, watercolor"},
    {"prompt": "Victorian mansion at night, photo", "fixed": Fixed(steps=12, cfg=4.0)},
    {"prompt": "clay figure of a dog", "loras": (LoraUse("clay.safetensors", 0.8, 0.5),)},
    {"prompt": "1girl, detailed background, victorian mansion", "mode": Mode.ASSISTED},
    {"machine": gpu(4)},
]


@pytest.mark.parametrize("asked", PLANS, ids=range(len(PLANS)))
@pytest.mark.parametrize("seed", range(4))
def test_edits_taken_back_leave_the_plan_as_it_was(asked: dict, seed: int) -> None:
    place = Place(SHELF, asked.get("machine", PLACE.machine))
    plan, chance = planned(**asked), random.Random(seed)
    edited = plan
    for _ in range(3):
        edited = apply_edits(edited, some_edits(edited, chance), place)
        assert edited.proposed == plan.proposed and from_json(Plan, to_json(edited)) == edited
        assert is_edited(edited) or edited == plan
        assert question_hash(edited.request, edited.family) == question_hash(plan.request, plan.family)
    back = Edits(dict.fromkeys(SETTINGS), stack(plan), plan.negative or "", plan.prompt)
    assert_same(apply_edits(edited, back, place), plan)


def some_edits(plan: Plan, chance: random.Random) -> Edits:
    settings = {
        "steps": chance.randint(1, 60),
        "cfg": chance.choice([1.0, 3.0, 9.5]),
        "width": chance.choice([512, 1000, 1536]),
    }
    settings |= {"sampler": chance.choice(["euler", "heun"]), "denoise": 0.5, "shift": 2.5, "batch": chance.choice([1, 8])}
    chosen = {name: settings[name] for name in chance.sample(sorted(settings), chance.randint(0, 4))}
    names = [choice.use.name for choice in (*plan.loras, *plan.near_misses)]
    loadable = [
        name for name in (*names, "clay.safetensors", "woodcut.safetensors", "lcm_lora.safetensors") if "flux" not in name
    ]
    picked = chance.sample(sorted(set(loadable)), chance.randint(0, min(3, len(set(loadable)))))
    words = chance.choice([None, (), ("old house",)])
    loras = tuple(LoraEdit(name, chance.choice([None, 0.3, -1.0]), chance.choice([None, 0.1]), words) for name in picked)
    negative, prompt = chance.choice([None, "", "blue"]), chance.choice([None, "my own words", f"{plan.prompt}, tail"])
    return Edits(chosen, chance.choice([None, loras]), negative, prompt)


@pytest.mark.parametrize("asked", PLANS, ids=range(len(PLANS)))
def test_no_edit_is_no_change(asked: dict) -> None:
    plan = planned(**asked)
    assert apply_edits(plan, Edits(), PLACE) is plan
    told = Edits({"steps": plan.settings.steps, "cfg": plan.settings.cfg}, stack(plan), plan.negative, plan.prompt)
    assert apply_edits(plan, told, PLACE) == plan and not is_edited(plan)


def test_the_order_of_the_list_does_not_matter_nor_how_often_it_is_sent() -> None:
    plan = planned()
    assert len(plan.loras) > 1
    assert apply_edits(plan, Edits(loras=stack(plan)[::-1]), PLACE) == plan
    edits = Edits({"steps": 9}, (LoraEdit("clay.safetensors"), *stack(plan)[1:]), "blue")
    once = apply_edits(plan, edits, PLACE)
    assert apply_edits(once, edits, PLACE) == once
    loads = [build(each, 1).nodes for each in (once, from_json(Plan, to_json(once)))]
    assert loads[0] == loads[1]


# --------------------------------------------------------------------------- settings


def test_a_setting_says_who_set_it_and_costs_what_it_costs() -> None:
    plan = planned()
    edited = apply_edits(plan, Edits({"steps": 10, "width": 1003}), PLACE)
    assert edited.settings == replace(plan.settings, steps=10, width=1000)
    assert edited.estimate.seconds < plan.estimate.seconds
    told = {reason.decision: reason for reason in edited.reasons if reason.key == "edited.setting"}
    assert told.keys() == {"steps", "size"} and told["steps"].values == {"value": 10, "planned": 40}
    assert [change.parameter for change in changes_between(as_proposed(edited), edited)] == ["steps", "size"]
    for language in LANGUAGES:
        assert "edited." not in explain(edited, Verbosity.TECHNICAL, language)


def test_warnings_follow_and_go_again() -> None:
    plan = planned()
    bad = apply_edits(plan, Edits({"cfg": 1.0, "width": 4096, "height": 4096}), PLACE)
    assert {"warn.cfg_one", "warn.size_large"} <= {warning.key for warning in bad.warnings}
    assert bad.estimate.fits is False or bad.estimate.vram_bytes > plan.estimate.vram_bytes
    assert apply_edits(bad, Edits({"cfg": None, "width": None, "height": None}), PLACE).warnings == plan.warnings


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": True},
        {"steps": 2.5},
        {"cfg": "7"},
        {"cfg": 101},
        {"cfg": float("nan")},
        {"width": 8},
        {"sampler": 3},
        {"sampler": "nope"},
        {"scheduler": "nope"},
        {"denoise": 1.5},
        {"seed": 3},
        {"tiled_decode": True},
    ],
)
def test_what_is_out_of_range_is_refused(wrong: dict) -> None:
    with pytest.raises(BadRequest):
        apply_edits(planned(), Edits(wrong), PLACE)


def test_a_sampler_may_be_called_as_people_call_it() -> None:
    assert apply_edits(planned(), Edits({"sampler": "Euler a"}), PLACE).settings.sampler == "euler_ancestral"


# --------------------------------------------------------------------------- LoRAs


def test_one_taken_out_comes_near_and_its_words_leave_the_prompt() -> None:
    plan = planned()
    out, *rest = plan.loras
    assert out.triggers and all(word in plan.prompt for word in out.triggers)
    edited = apply_edits(plan, Edits(loras=stack(plan)[1:]), PLACE)
    assert [choice.use for choice in edited.loras] == [choice.use for choice in rest]
    miss = edited.near_misses[0]
    assert miss.use == out.use and not miss.chosen and miss.reasons[0].key == "edited.lora_out"
    assert edited.prompt == WORKED_EXAMPLE
    assert edited.estimate.ram_bytes < plan.estimate.ram_bytes


def test_any_local_lora_comes_in_with_its_strength_and_words() -> None:
    edited = apply_edits(planned(), Edits(loras=(LoraEdit("woodcut"),)), PLACE)
    (choice,) = edited.loras
    assert (choice.use.name, choice.use.strength_model, choice.use.strength_clip) == ("woodcut.safetensors", 0.7, 0.7)
    assert choice.triggers == ("w00d", "old house", "manor (style)") and choice.reasons[0].key == "edited.lora_in"
    assert "w00d" in edited.prompt and r"manor \(style\)" in edited.prompt
    without = apply_edits(edited, Edits(loras=(LoraEdit("woodcut", triggers=("w00d",)),)), PLACE)
    assert "w00d" in without.prompt and "old house" not in without.prompt and "manor" not in without.prompt
    assert "edited.lora_triggers" in keys(without)


def test_words_leave_a_prompt_that_the_person_wrote_themselves() -> None:
    plan = apply_edits(planned(), Edits(loras=(LoraEdit("woodcut"),)), PLACE)
    own = apply_edits(plan, Edits(prompt="a house, w00d, old house, manor \\(style\\), at night"), PLACE)
    off = apply_edits(own, Edits(loras=(LoraEdit("woodcut", triggers=("old house",)),)), PLACE)
    assert off.prompt == "a house, old house, at night"
    on = apply_edits(off, Edits(loras=(LoraEdit("woodcut", triggers=("w00d", "old house")),)), PLACE)
    assert on.prompt.count("w00d") == 1 and "a house" in on.prompt
    sentence = apply_edits(on, Edits(prompt="the w00d house"), PLACE)
    assert apply_edits(sentence, Edits(loras=()), PLACE).prompt == "the w00d house"


def test_the_strength_is_the_persons_and_bounded_by_what_comfyui_takes() -> None:
    plan = planned()
    name = plan.loras[0].use.name
    edited = apply_edits(plan, Edits(loras=(LoraEdit(name, 1.7),)), PLACE)
    assert edited.loras[0].use == LoraUse(name, 1.7, 1.7) and "edited.lora_strength" in keys(edited)
    with pytest.raises(BadRequest):
        apply_edits(plan, Edits(loras=(LoraEdit(name, 21.0),)), PLACE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_cannot_be_loaded_is_refused_with_the_reason(language: str) -> None:
    plan = planned(language=language)
    with pytest.raises(BadRequest, match=families()["flux_dev"].label):
        apply_edits(plan, Edits(loras=(LoraEdit("flux_ink.safetensors"),)), PLACE)
    with pytest.raises(MissingModel):
        apply_edits(plan, Edits(loras=(LoraEdit("nobody.safetensors"),)), PLACE)
    with pytest.raises(BadRequest):
        apply_edits(plan, Edits(loras=(LoraEdit("torn.safetensors"),)), PLACE)
    with pytest.raises(BadRequest):
        apply_edits(plan, Edits(loras=tuple(LoraEdit(f"{number}.safetensors") for number in range(60))), PLACE)


def test_a_distillation_brings_its_settings_and_takes_them_with_it() -> None:
    plan = planned()
    fast = apply_edits(plan, Edits(loras=(*stack(plan), LoraEdit("lcm_lora.safetensors"))), PLACE)
    assert (fast.distillation, fast.settings.sampler, fast.settings.steps) == ("lcm", "lcm", distillations()["lcm"].steps[0])
    own = apply_edits(plan, Edits({"steps": 6}, (LoraEdit("lcm_lora.safetensors"),)), PLACE)
    assert own.settings.steps == 6 and own.settings.sampler == "lcm"
    assert_same(apply_edits(fast, Edits(loras=stack(plan)), PLACE), plan)


# --------------------------------------------------------------------------- prompts


def test_prompts_are_the_persons() -> None:
    plan = planned()
    edited = apply_edits(plan, Edits(negative="blue", prompt="something else"), PLACE)
    assert (edited.negative, edited.prompt) == ("blue", "something else")
    assert {"edited.negative", "edited.prompt"} <= keys(edited)
    texts = {node["inputs"].get("text") for node in build(edited, 1).nodes.values()}
    assert {"blue", "something else"} <= texts


def test_a_plan_that_says_nothing_of_what_was_proposed_takes_itself_for_it() -> None:
    old = replace(planned(), proposed=None)
    edited = apply_edits(old, Edits({"steps": 7}), PLACE)
    assert edited.proposed is not None and edited.proposed.settings == old.settings


def test_files_that_are_not_known_here_can_be_edited_all_the_same() -> None:
    plan = planned(shelf=library(*complete_set("sdxl")))
    edited = apply_edits(plan, Edits({"steps": plan.settings.steps * 2}), Place(library(), PLACE.machine))
    assert edited.estimate.seconds == pytest.approx(plan.estimate.seconds * 2)


def test_many_edits_each_on_top_of_the_last_stay_small() -> None:
    plan = planned()
    sizes = []
    for number in range(30):
        edits = Edits({"steps": 20 + number}, (LoraEdit("clay", 0.1 + number / 100),), f"n{number}")
        plan = apply_edits(plan, edits, PLACE)
        sizes.append(len(to_json(plan)))
    assert abs(sizes[-1] - sizes[0]) < 100


@pytest.mark.parametrize(
    "before", [{}, {"place": "x"}, {"why_not": 3}, {"why_not": [1], "place": 1, "planned": 1, "planned_clip": 1}]
)
def test_a_plan_that_was_tampered_with_can_be_edited_all_the_same(before: dict) -> None:
    plan = apply_edits(planned(), Edits(loras=(LoraEdit("clay"),)), PLACE)
    (choice,) = plan.loras
    odd = replace(choice, reasons=(replace(choice.reasons[0], values={"name": "clay.safetensors", **before}),))
    edited = apply_edits(replace(plan, loras=(odd,)), Edits(loras=()), PLACE)
    assert edited.loras == () and "clay.safetensors" in {each.use.name for each in edited.near_misses}
