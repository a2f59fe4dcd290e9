"""What a plan gives up after the memory ran out."""

from dataclasses import replace

import pytest
from pack.data.families import families
from pack.intelligence.analyze import analyze
from pack.intelligence.explain import render
from pack.intelligence.relief import relieve, was_relieved
from pack.intelligence.residuals import after_overflow, peak_factors
from pack.intelligence.revise import Place, Revision, revise
from pack.pipeline import make_plan
from pack.plan import GIB, Fixed, Machine, Mode, ModelFile, Offload, Plan, Precision, Relief, Request, Stage, Taste
from pack.tests.shelf import checkpoint, complete_set, gpu, library

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


@pytest.mark.parametrize(
    ("machine", "given_up"),
    [(gpu(80), "8-bit weights"), (gpu(80, dynamic_vram=True), "a smaller picture")],
    ids=["weights lie there", "weights are streamed"],
)
def test_what_would_not_help_where_it_ran_out_is_not_given_up(machine, given_up):
    """Seen on an H200: memory that ran out while sampling was answered by a tiled decode, and ran out again."""
    place = Place(SHELF, machine)
    plan = make_plan(Request("a quiet harbour"), analyze("a quiet harbour"), SHELF, Taste(), machine)
    assert relieve(plan, place).settings.tiled_decode
    relieved = relieve(plan, place, Stage.SAMPLE)
    assert not relieved.settings.tiled_decode and given_up in render(relieved.warnings[0])
    assert relieve(plan, place, Stage.DECODE).settings.tiled_decode


def test_nothing_is_left_to_give_up_in_the_end():
    last = ladder(planned())[-1]
    assert relieve(last, PLACE) is None


def test_a_model_the_library_does_not_know_can_still_be_drawn_cheaper():
    relieved = relieve(planned(), Place(library(), MACHINE))
    assert relieved.settings.tiled_decode


def made(machine: Machine, *files: ModelFile, **asked) -> tuple[Plan, Place]:
    shelf = library(*(files or (checkpoint(),)))
    return make_plan(Request("a quiet harbour", **asked), analyze("a quiet harbour"), shelf, Taste(), machine), Place(
        shelf, machine
    )


def relieved_after_overflow(machine: Machine, *files: ModelFile, **asked) -> tuple[Plan, Plan]:
    """A plan, and what is queued once it ran out of memory and that was noted: in this order."""
    plan, place = made(machine, *files, **asked)
    learnt = replace(machine, peak_factors=peak_factors(after_overflow({}, plan)))
    relieved = relieve(plan, Place(place.library, learnt))
    assert learnt.peak_factors[plan.family] > 1 and relieved is not None
    return plan, relieved


def said(plan: Plan, decision: str) -> list[str]:
    return [reason.key for reason in plan.reasons if reason.decision == decision]


def sides(plan: Plan) -> tuple[int, int]:
    return plan.settings.width, plan.settings.height


@pytest.mark.parametrize("gib", [12, 24])
def test_what_the_overflow_taught_does_not_make_every_step_look_useless(gib):
    plan, relieved = relieved_after_overflow(gpu(gib))
    assert plan.memory is Offload.NONE and relieved.estimate.relief == (Relief.TILED,)
    assert relieved.models.weight_dtype is Precision.DEFAULT and relieved.memory is Offload.NONE
    assert "vram.measured" in said(relieved, "vram")


@pytest.mark.parametrize("machine", [gpu(6), gpu(6, dynamic_vram=True)])
def test_a_plan_that_fills_the_gpu_with_weights_is_measured_by_its_working_memory(machine):
    plan, relieved = relieved_after_overflow(machine)
    assert "vram.streamed" in said(plan, "vram") and not plan.settings.tiled_decode
    assert relieved.settings.tiled_decode and relieved.models.weight_dtype is Precision.DEFAULT
    assert sides(relieved) == sides(plan)


@pytest.mark.parametrize("device", ["mps", "cpu"])
def test_where_memory_is_shared_no_strategy_is_tried(device):
    plan, place = made(Machine(device, 24 * GIB, 24 * GIB))
    steps = []
    while (following := relieve(plan, place)) is not None:
        plan = following
        steps.append(plan)
    assert 2 < len(steps) < 10 and all(step.memory is Offload.NONE for step in steps)
    assert Relief.SMALLER in steps[-1].estimate.relief and Relief.AGGRESSIVE not in steps[-1].estimate.relief


def test_a_smaller_picture_has_the_shape_of_a_bucket_and_says_why():
    plan, place = made(gpu(12, dynamic_vram=True), memory=Offload.NONE)
    wide = revise(plan, Revision(settings=replace(plan.settings, width=1216, height=832, tiled_decode=True)), place)
    for before, after in ((plan, (768, 768)), (wide, (912, 624))):
        last = before
        while sides(last) == sides(before):
            last = relieve(last, place)
        assert sides(last) == after and said(last, "size") == ["size.memory"]
        reason = next(reason for reason in last.reasons if reason.decision == "size")
        assert render(reason).startswith(f"Reduced from {before.settings.width}×")


def test_a_picture_that_keeps_its_shape_is_told_by_its_pixels():
    plan, place = made(gpu(24), has_image=True)
    while plan.settings.width == 1024:
        plan = relieve(plan, place)
    assert said(plan, "size") == ["size.memory_image"]


def test_the_verdict_names_all_that_was_given_up():
    plan, relieved = relieved_after_overflow(gpu(8))
    assert plan.estimate.relief == (Relief.BALANCED,)
    verdict = next(reason for reason in relieved.reasons if reason.key == "vram.fits_with")
    assert verdict.values["reliefs"] == " + ".join(relief.value for relief in relieved.estimate.relief)
    assert Relief.TILED in relieved.estimate.relief and "vram.fits" not in said(relieved, "vram")


def test_a_plan_of_which_only_steps_changed_still_fits_with_what_it_gave_up():
    plan, place = made(gpu(8))
    changed = revise(plan, Revision(settings=replace(plan.settings, steps=11)), place)
    assert changed.estimate.relief == plan.estimate.relief == (Relief.BALANCED,)
    assert "vram.fits_with" in said(plan, "vram") and "vram.fits_with" in said(changed, "vram")


def test_the_aggressive_strategy_takes_the_place_of_the_balanced_one():
    plan, place = made(gpu(8))
    while plan.memory is not Offload.AGGRESSIVE:
        plan = relieve(plan, place)
    assert Relief.AGGRESSIVE in plan.estimate.relief and Relief.BALANCED not in plan.estimate.relief


def test_choices_are_blamed_only_where_there_are_some():
    """What would help a variation that does not fit is not held against a person who fixed nothing."""
    large = {"width": 2048, "height": 2048}
    plan, place = made(gpu(8))
    grown = revise(plan, Revision(settings=replace(plan.settings, **large)), place)
    assert grown.estimate.fits is False and grown.estimate.advice == () and "vram.advice" not in said(grown, "vram")
    fixed, place = made(gpu(4), memory=Offload.NONE)
    assert "vram.advice" in said(fixed, "vram")
    again = revise(fixed, Revision(settings=replace(fixed.settings, steps=11)), place)
    assert Relief.AGGRESSIVE in again.estimate.advice and "vram.advice" in said(again, "vram")
    manual, place = made(gpu(4), mode=Mode.MANUAL)
    again = revise(manual, Revision(settings=replace(manual.settings, steps=11)), place)
    assert again.estimate.advice == manual.estimate.advice != ()


def test_the_loader_of_four_text_encoders_keeps_them_where_they_are():
    """QuadrupleCLIPLoader has no choice of device; DualCLIPLoader has."""
    names = [name for name, row in families().items() if len(row.text_encoders) == 4]
    for name, moves in ((names[0], False), ("flux_dev", True)):
        files = complete_set(name)
        plan, place = made(gpu(24, dynamic_vram=False), *files)
        small = Place(place.library, gpu(4))
        aggressive = revise(replace(plan, memory=Offload.NONE), Revision(memory=Offload.AGGRESSIVE), small)
        assert len(plan.models.text_encoders) == (2 if moves else 4)
        assert aggressive.models.encoder_on_cpu is moves
        assert ("vram.encoder_on_cpu" in said(aggressive, "vram")) is moves
