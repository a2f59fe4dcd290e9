"""What runs really took, and what it does to the next estimate."""

from dataclasses import replace

import pytest
from pack.intelligence.analyze import analyze
from pack.intelligence.residuals import LAST, Known, after_overflow, after_run, peak_factors, seconds_per_step
from pack.pipeline import make_plan
from pack.plan import GIB, Measured, Plan, Request, Taste
from pack.tests.shelf import checkpoint, gpu, library

TEXT = "a quiet harbour"


def planned(known: Known, gib: int = 24) -> Plan:
    """A plan by what was measured so far."""
    return make_plan(Request(TEXT), analyze(TEXT), library(checkpoint()), Taste(), gpu(gib, peak_factors=peak_factors(known)))


def test_corrections_do_not_compound():
    """However often it runs, a family that takes 1.2 times what the arithmetic says is corrected by 1.2."""
    known: Known = {}
    taken = 1.2 * planned(known).estimate.vram_bytes
    for _ in range(12):
        known = after_run(known, planned(known), Measured(20.0, int(taken)))
    assert peak_factors(known)["sdxl"] == pytest.approx(1.2, rel=0.01)
    assert planned(known).estimate.vram_bytes == pytest.approx(taken, rel=0.01)


def test_after_running_out_of_memory_the_next_plan_takes_less():
    first = planned({}, 12)
    assert first.estimate.fits and first.estimate.relief == ()
    second = planned(after_overflow({}, first), 12)
    assert second.estimate.relief and second.memory is not first.memory
    third = planned(after_overflow({}, second), 12)
    assert third.estimate.relief != first.estimate.relief


def test_what_went_well_before_does_not_outvote_it_and_what_goes_well_after_does():
    plain, known = planned({}), {}
    for _ in range(LAST):
        known = after_run(known, plain, Measured(20.0, plain.estimate.vram_bytes))
    known = after_overflow(known, planned(known, 12))
    assert peak_factors(known)["sdxl"] > 1.05
    for _ in range(LAST):
        known = after_run(known, plain, Measured(20.0, plain.estimate.vram_bytes))
    assert peak_factors(known)["sdxl"] == pytest.approx(1.0, rel=0.01)


def test_an_overflow_is_bounded():
    plan = planned({}, 48)
    known = after_overflow({}, plan)
    assert peak_factors(known)["sdxl"] == 2.0
    unknown = replace(plan, estimate=replace(plan.estimate, vram_bytes=0))
    assert after_overflow(known, unknown) == known


def test_a_batch_that_was_decoded_at_once_teaches_no_higher_peak():
    """On a GPU with room ComfyUI decodes all pictures of a batch together: 15.4 GiB of an H200 where one needs 8.8."""
    plan = planned({})
    batch = replace(plan, settings=replace(plan.settings, batch=4))
    higher, lower = (Measured(20.0, int(share * plan.estimate.vram_bytes)) for share in (1.4, 0.9))
    assert peak_factors(after_run({}, plan, higher))["sdxl"] == pytest.approx(1.4, rel=0.01)
    assert peak_factors(after_run({}, batch, higher)) == {} and seconds_per_step(after_run({}, batch, higher))
    assert peak_factors(after_run({}, batch, lower))["sdxl"] == pytest.approx(0.9, rel=0.01)
    tiled = replace(batch, settings=replace(batch.settings, tiled_decode=True))
    assert peak_factors(after_run({}, tiled, higher))["sdxl"] == pytest.approx(1.4, rel=0.01)


def test_time_is_remembered_without_a_peak():
    plan = planned({})
    known = after_run({}, plan, Measured(40.0))
    assert peak_factors(known) == {} and list(seconds_per_step(known).values()) == [40.0 / plan.settings.steps]


def test_a_plan_that_fills_what_there_is_teaches_nothing_of_other_sizes():
    """Its estimate is the budget: that less was taken does not make other plans of the family smaller."""
    for machine in (gpu(6), gpu(6, dynamic_vram=True)):
        plan = make_plan(Request(TEXT), analyze(TEXT), library(checkpoint()), Taste(), machine)
        assert "vram.streamed" in [reason.key for reason in plan.reasons]
        known = after_run({}, plan, Measured(20.0, 4 * GIB))
        assert peak_factors(known) == {} and seconds_per_step(known)


def test_what_an_overflow_raised_is_taken_back_where_weights_wait_in_ram_too():
    known: Known = after_overflow({}, planned({}, 6))
    assert peak_factors(known)["sdxl"] == pytest.approx(1.05, rel=0.01)
    for _ in range(LAST):
        known = after_run(known, planned(known, 6), Measured(20.0, 4 * GIB))
    assert peak_factors(known)["sdxl"] == 1.0
