"""One plan becomes a set to choose from: valid, distinct, in a stated order, nothing changed that was fixed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pack.data.families import families
from pack.errors import BadRequest
from pack.feedback import Strategy
from pack.intelligence.analyze import analyze
from pack.intelligence.explain import explain
from pack.intelligence.revise import Place, Revision, revise
from pack.intelligence.variations import variations
from pack.pipeline import make_plan
from pack.plan import Constraints, Fixed, LoraUse, Machine, Mode, Plan, Request, Taste, Verbosity
from pack.tests.shelf import LORAS, WORKED_EXAMPLE, checkpoint, complete_set, gpu, library, lora
from pack.values import from_json, to_json

MACHINE = gpu()
TWIN = lora("anime_style_v1.safetensors", title="Anime Style v1", tags=("anime", "style"), trigger_groups=(("old anime",),))
NUDE = lora("anime_nude.safetensors", title="Anime Nude", tags=("anime", "style"), nsfw=True)
LIBRARY = library(checkpoint(), *LORAS, TWIN, NUDE)


def planned(prompt: str = WORKED_EXAMPLE, shelf=LIBRARY, **asked) -> Plan:
    return make_plan(Request(prompt, **asked), analyze(prompt), shelf, Taste(), MACHINE)


def spread(plan: Plan, strategy: Strategy, count: int = 12, shelf=LIBRARY, **more):
    return variations(plan, strategy, count, library=shelf, machine=MACHINE, **more)


def differences(plan: Plan, other: Plan) -> set[str]:
    fields = ("settings", "loras", "prompt", "negative", "models", "family", "recipe", "distillation", "request", "proposed")
    return {name for name in fields if getattr(plan, name) != getattr(other, name)}


@pytest.mark.parametrize("strategy", list(Strategy))
def test_the_plan_comes_first_and_every_other_is_a_valid_plan_of_its_own(strategy: Strategy) -> None:
    plan = planned()
    made = spread(plan, strategy)
    assert made.items[0].plan == plan and made.items[0].seed == 0
    assert 4 < len(made.items) <= 12
    keys = {(item.seed, item.plan.settings, item.plan.prompt, tuple(c.use for c in item.plan.loras)) for item in made.items}
    assert len(keys) == len(made.items), "none is made twice"
    assert len({item.label for item in made.items}) == len(made.items), "none is called as another"
    for item in made.items:
        assert from_json(Plan, to_json(item.plan)) == item.plan
        assert differences(plan, item.plan) <= {"settings", "loras", "prompt"}
        for language in ("en", "es"):
            for line in explain(item.plan, Verbosity.TECHNICAL, language).splitlines():
                assert not line.lstrip("- ").startswith("varied."), "every reason has its sentence"


def test_seeds_follow_each_other_and_wrap_around() -> None:
    made = spread(planned(), Strategy.SEED, 3, seed=2**64 - 2)
    assert [item.seed for item in made.items] == [2**64 - 2, 2**64 - 1, 0]
    assert made.items[2].plan == made.items[0].plan


def test_settings_make_a_grid_within_the_familys_ranges() -> None:
    plan = planned()
    items = spread(plan, Strategy.PARAMETER, 13).items
    grid, others = [item for item in items if item.column], [item for item in items if not item.column]
    columns, rows = {item.column for item in grid}, {item.row for item in grid}
    assert (len(columns), len(rows), len(others)) == (4, 3, 1)
    assert [(item.column, item.row) for item in grid[:2]] == [("CFG 6.5", "steps 40"), ("CFG 5", "steps 40")]
    assert columns == {"CFG 6.5", "CFG 5", "CFG 6", "CFG 8"} and rows == {"steps 40", "steps 20", "steps 50"}
    row = families()[plan.family]
    low, high = row.cfg["anime"]
    for item in items:
        assert low <= item.plan.settings.cfg <= high
        assert 20 <= item.plan.settings.steps <= 50


def test_a_varied_setting_says_so_and_costs_what_it_costs() -> None:
    plan = planned()
    item = next(item for item in spread(plan, Strategy.PARAMETER).items if item.plan.settings.steps == 20)
    assert item.plan.estimate.seconds < plan.estimate.seconds
    reasons = [reason for reason in item.plan.reasons if reason.decision == "steps"]
    assert [(reason.key, reason.values["planned"]) for reason in reasons] == [("varied.setting", plan.settings.steps)]
    assert item.plan.proposed == plan.proposed


def test_axes_can_be_named() -> None:
    made = spread(planned(), Strategy.PARAMETER, 6, axes=("sampler", "size"))
    assert {item.plan.settings.steps for item in made.items} == {planned().settings.steps}
    assert len({(item.plan.settings.sampler, item.plan.settings.scheduler) for item in made.items}) == 3
    assert len({item.row for item in made.items}) == 2
    assert all((item.plan.settings.width, item.plan.settings.height) in families()["sdxl"].buckets for item in made.items)
    with pytest.raises(BadRequest, match="colour"):
        spread(planned(), Strategy.PARAMETER, 6, axes=("colour",))


def test_samplers_the_machine_lacks_are_not_tried() -> None:
    machine = replace(MACHINE, samplers=("dpmpp_2m", "euler"), schedulers=("karras", "normal"))
    made = variations(planned(), Strategy.PARAMETER, 50, library=LIBRARY, machine=machine, axes=("sampler",))
    assert {item.plan.settings.sampler for item in made.items} == {"dpmpp_2m", "euler"}


def test_what_the_person_fixed_stays() -> None:
    plan = planned(fixed=Fixed(steps=33, cfg=6.0, sampler="Euler a", width=832, height=1216), loras=())
    for strategy in (Strategy.PARAMETER, Strategy.LORA):
        made = spread(plan, strategy)
        assert [item.plan for item in made.items] == [plan]
        assert made.left_out == 11 and "varied.fewer" in {reason.key for reason in made.reasons}


def test_named_loras_keep_their_place_and_strength() -> None:
    plan = planned(f"{WORKED_EXAMPLE} <lora:watercolor_wash:0.4>")
    for item in spread(plan, Strategy.LORA, 30).items:
        assert LoraUse("watercolor_wash.safetensors", 0.4, 0.4) in [choice.use for choice in item.plan.loras]


def test_distilled_settings_do_not_vary() -> None:
    turbo = checkpoint("sd_xl_turbo_1.0.safetensors", distillation="turbo")
    plan = planned("a red fox", library(turbo))
    for item in spread(plan, Strategy.PARAMETER, 20, library(turbo)).items:
        changed = replace(item.plan.settings, width=plan.settings.width, height=plan.settings.height)
        assert changed == plan.settings


def test_guidance_varies_where_the_family_takes_guidance() -> None:
    shelf = library(*complete_set("flux_dev"))
    plan = planned("a photo of a red fox", shelf)
    items = spread(plan, Strategy.PARAMETER, 9, shelf).items
    assert len({item.plan.settings.guidance for item in items}) == 3
    assert {item.plan.settings.cfg for item in items} == {1.0}


# --------------------------------------------------------------------------- LoRAs


def lora_sets(plan: Plan, count: int = 30) -> list[tuple[str, ...]]:
    return [tuple(choice.use.name for choice in item.plan.loras) for item in spread(plan, Strategy.LORA, count).items]


def test_near_misses_take_the_place_of_what_they_lost_to() -> None:
    plan = planned()
    assert plan.loras[0].use.name == "anime_style_v2.safetensors"
    swapped = next(item for item in spread(plan, Strategy.LORA).items if "→" in item.label)
    assert swapped.plan.loras[0].use.name == TWIN.name
    assert "old anime" in swapped.plan.prompt and "anime style" not in swapped.plan.prompt
    assert "varied.lora_left_out" in {reason.key for miss in swapped.plan.near_misses for reason in miss.reasons}


def test_strengths_vary_within_the_card_and_one_is_left_out() -> None:
    shelf = library(checkpoint(), replace(LORAS[0], strength=(0.6, 0.8, 0.9)))
    items = spread(planned(shelf=shelf), Strategy.LORA, 30, shelf).items
    strengths = {item.plan.loras[0].use.strength_model for item in items if item.plan.loras}
    assert strengths == {0.8, 0.9, 0.6}
    assert [item.label for item in items if not item.plan.loras] == ["without anime_style_v2"]


def test_nothing_blocked_or_foreign_is_tried() -> None:
    used = {name for names in lora_sets(planned()) for name in names}
    assert NUDE.name not in used and "flux_anime.safetensors" not in used
    blocked = planned(constraints=Constraints(blocked_ids=(TWIN.name,)))
    assert all(TWIN.name not in names for names in lora_sets(blocked))


def test_the_limit_of_loras_holds() -> None:
    plan = planned(constraints=Constraints(max_loras=1))
    assert max(map(len, lora_sets(plan))) == 1


def test_an_edited_prompt_is_kept() -> None:
    plan = replace(planned(), prompt="my very own words")
    assert all("my very own words" in item.plan.prompt for item in spread(plan, Strategy.LORA).items)


# --------------------------------------------------------------------------- prompts


def test_prompts_gain_words_in_their_own_manner_and_language() -> None:
    tags = spread(planned(), Strategy.PROMPT, 4).items[1].plan.prompt
    assert tags.startswith(planned().prompt) and tags.endswith(", golden hour, warm light")
    spanish = planned("un zorro rojo en la nieve", language="es")
    item = spread(spanish, Strategy.PROMPT, 4).items[1]
    assert item.plan.prompt.endswith("con la luz cálida de la hora dorada") and item.label == "hora dorada"


def test_what_the_prompt_says_is_not_said_otherwise() -> None:
    plan = planned("a fox at night, close-up, watercolor painting")
    said = " ".join(item.plan.prompt.removeprefix(plan.prompt) for item in spread(plan, Strategy.PROMPT, 100).items)
    assert "peaceful" in said
    assert not any(word in said for word in ("golden hour", "wide shot", "photograph", "oil painting"))


def test_manual_prompts_are_left_alone() -> None:
    plan = planned("a fox", mode=Mode.MANUAL, loras=())
    assert len(spread(plan, Strategy.PROMPT).items) == 1


def test_mixed_varies_everything_in_turn() -> None:
    plan = planned()
    items = spread(plan, Strategy.MIXED, 9).items
    changed = [differences(plan, item.plan) or {"seed"} for item in items[1:5]]
    assert "loras" in changed[0]
    assert changed[1:] == [{"seed"}, {"settings"}, {"prompt"}]
    assert [item.seed for item in items if item.seed] == [1, 2]


# --------------------------------------------------------------------------- budget


def test_a_limit_of_time_takes_pictures_from_the_end() -> None:
    plan = planned()
    whole = spread(plan, Strategy.SEED, 10)
    half = spread(plan, Strategy.SEED, 10, max_seconds=whole.seconds / 2)
    assert 2 <= len(half.items) <= 5 and half.seconds <= whole.seconds / 2
    assert half.items == whole.items[: len(half.items)] and half.left_out == 10 - len(half.items)
    assert "varied.time" in {reason.key for reason in half.reasons}
    assert len(spread(plan, Strategy.SEED, 10, max_seconds=0.001).items) == 1


def test_models_load_once() -> None:
    plan = planned()
    assert spread(plan, Strategy.SEED, 10).seconds < 10 * plan.estimate.seconds


def test_measured_times_add_up() -> None:
    from pack.intelligence.estimate import timing_key

    machine = replace(MACHINE, seconds_per_step={timing_key("sdxl", planned().settings): 0.1})
    plan = make_plan(Request("a fox"), analyze("a fox"), LIBRARY, Taste(), machine)
    made = variations(plan, Strategy.SEED, 4, library=LIBRARY, machine=machine)
    assert plan.estimate.measured and made.seconds == pytest.approx(4 * plan.estimate.seconds)


@pytest.mark.parametrize("count", [0, -1, 101, True, 2.5])
def test_counts_out_of_range_are_refused(count) -> None:
    with pytest.raises(BadRequest, match="1 to 100"):
        spread(planned(), Strategy.SEED, count)
    with pytest.raises(BadRequest, match="1 a 100"):
        spread(planned(language="es"), Strategy.SEED, count)


def test_a_model_the_library_does_not_know_is_estimated_by_steps_and_pixels() -> None:
    plan = planned()
    change = Revision(settings=replace(plan.settings, steps=plan.settings.steps * 2))
    made = revise(plan, change, Place(library(), Machine()))
    assert made.estimate.seconds == pytest.approx(2 * plan.estimate.seconds)
