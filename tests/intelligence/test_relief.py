"""What a plan gives up after the memory ran out."""

from pack.intelligence.analyze import analyze
from pack.intelligence.relief import relieve, was_relieved
from pack.intelligence.revise import Place
from pack.pipeline import make_plan
from pack.plan import Fixed, Mode, Offload, Plan, Precision, Request, Taste
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
