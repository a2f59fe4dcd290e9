"""What a plan gives up after the memory ran out."""

from pack.intelligence.analyze import analyze
from pack.intelligence.explain import render
from pack.intelligence.relief import relieve, was_relieved
from pack.intelligence.revise import Place
from pack.pipeline import make_plan
from pack.plan import GIB, Fixed, Mode, Offload, Plan, Precision, Relief, Request, Taste
from pack.tests.shelf import checkpoint, gpu, library

MACHINE = gpu(24)
SHELF = library(checkpoint())
PLACE = Place(SHELF, MACHINE)


def planned(**asked) -> Plan:
    return make_plan(Request("a quiet harbour", **asked), analyze("a quiet harbour"), SHELF, Taste(), MACHINE)


def ladder(plan: Plan) -> list[Plan]:
    steps = []
    while (following := relieve(plan, PLACE)) is not None and len(steps) < 20:
        steps.append(following)
        plan = following
    return steps


def test_each_step_gives_up_the_next_cheapest_thing():
    plan = planned()
    tiled, cast, aggressive, *smaller = ladder(plan)
    assert tiled.settings.tiled_decode and tiled.models == plan.models
    assert cast.models.weight_dtype is Precision.FP8 and cast.memory is Offload.NONE
    assert aggressive.memory is Offload.AGGRESSIVE and aggressive.settings.width == plan.settings.width
    assert smaller and smaller[0].settings.width < plan.settings.width
    assert 1 <= len(smaller) < 10 and smaller[-1].settings.width >= 512


def test_the_plan_says_that_it_was_relieved_and_keeps_the_rest():
    plan = planned()
    relieved = relieve(plan, PLACE)
    assert not was_relieved(plan) and was_relieved(relieved)
    assert (relieved.prompt, relieved.loras, relieved.request) == (plan.prompt, plan.loras, plan.request)
    assert relieved.estimate.vram_bytes <= plan.estimate.vram_bytes


def test_what_the_person_fixed_stays():
    fixed = Fixed(width=1024, height=1024)
    last = ladder(planned(fixed=fixed, memory=Offload.NONE))[-1]
    assert (last.settings.width, last.memory) == (1024, Offload.NONE)
    assert ladder(planned(mode=Mode.MANUAL))[-1].models.weight_dtype is Precision.DEFAULT


def test_a_step_that_would_not_help_is_taken_with_the_next():
    """Where sampling takes most, a tiled decode alone would fail the only retry."""
    shelf = library(checkpoint("sd_xl_big.safetensors", part_bytes={"unet": 18 * GIB, "clip": GIB, "vae": GIB // 8}))
    place = Place(shelf, gpu(20))
    plan = make_plan(Request("a quiet harbour"), analyze("a quiet harbour"), shelf, Taste(), place.machine)
    relieved = relieve(plan, place)
    assert plan.memory is Offload.BALANCED and plan.models.weight_dtype is Precision.DEFAULT
    assert relieved.settings.tiled_decode and relieved.models.weight_dtype is Precision.FP8
    said = render(relieved.warnings[0])
    assert "tiled decode + 8-bit weights" in said and "8-bit" in said
    assert relieved.estimate.relief == (Relief.BALANCED, Relief.TILED, Relief.QUANTISED)


def test_nothing_is_left_to_give_up_in_the_end():
    last = ladder(planned())[-1]
    assert relieve(last, PLACE) is None


def test_a_model_the_library_does_not_know_can_still_be_drawn_cheaper():
    relieved = relieve(planned(), Place(library(), MACHINE))
    assert relieved.settings.tiled_decode
