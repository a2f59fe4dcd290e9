from itertools import pairwise

import pytest
from pack.data.families import families
from pack.intelligence.estimate import Load, activation_bytes, budget_bytes, decode_bytes, estimate, load_of, timing_key
from pack.plan import GIB, Constraints, Machine, Precision, Settings
from pack.tests.shelf import checkpoint, diffusion, gpu, lora

CPU = Machine("cpu", 0, 16 * GIB)
MIB = 1024**2
NO_LIMIT = Constraints()


def settings(width=1024, height=1024, cfg=7.0, steps=20, **more):
    return Settings(steps, cfg, "euler", "normal", width, height, **more)


def test_activations_follow_comfyuis_formula():
    sdxl = families()["sdxl"]
    area = 2 * 128 * 128
    assert activation_bytes(sdxl, settings(), gpu()) == int(area * 2 * 0.01 * 0.8 * MIB)
    assert activation_bytes(sdxl, settings(), CPU) == int(area * 0.15 * 0.8 * MIB)
    assert activation_bytes(sdxl, settings(cfg=1.0), gpu()) == int(area / 2 * 2 * 0.01 * 0.8 * MIB)


def test_decode_is_apart_and_tiles_cap_it():
    sdxl = families()["sdxl"]
    whole = decode_bytes(sdxl, settings(), gpu())
    assert whole == 2178 * 1024 * 1024 * 2
    assert decode_bytes(sdxl, settings(tiled_decode=True), gpu()) == whole // 4
    assert decode_bytes(sdxl, settings(width=256, height=256, tiled_decode=True), gpu()) == decode_bytes(
        sdxl, settings(width=256, height=256), gpu()
    )


@pytest.mark.parametrize("family", sorted(families()))
def test_memory_grows_with_pixels_and_batch(family):
    row, load = families()[family], Load(5 * GIB, GIB, GIB // 8, 2_000_000_000)
    costs = [estimate(row, s, load, gpu(), NO_LIMIT) for s in (settings(512, 512), settings(), settings(batch=4))]
    for less, more in pairwise(costs):
        assert less.vram_bytes < more.vram_bytes and less.seconds < more.seconds
        assert less.weights_bytes == more.weights_bytes


def test_weights_follow_the_dtype_they_are_used_in():
    file = checkpoint()
    on_gpu = load_of(file, gpu())
    assert (on_gpu.diffusion_bytes, on_gpu.encoder_bytes, on_gpu.vae_bytes) == (5_135_149_760, 1_636_000_000, 167_000_000)
    assert load_of(file, CPU).diffusion_bytes == 2 * on_gpu.diffusion_bytes
    assert load_of(checkpoint(dtype="fp32"), gpu()).diffusion_bytes == on_gpu.diffusion_bytes // 2
    assert load_of(checkpoint(dtype="fp8_e4m3fn"), gpu()).diffusion_bytes == on_gpu.diffusion_bytes
    flux = diffusion("f.safetensors", "flux_dev", gib=22)
    assert load_of(flux, gpu(), weight_dtype=Precision.FP8).diffusion_bytes == 11 * GIB
    assert load_of(file, gpu(), loras=(lora("x.safetensors"),)).diffusion_bytes > on_gpu.diffusion_bytes


def test_budget_is_the_machines_or_the_persons_limit():
    assert budget_bytes(gpu(12), NO_LIMIT) == 12 * GIB
    assert budget_bytes(gpu(12), Constraints(max_vram_bytes=6 * GIB)) == 6 * GIB
    assert budget_bytes(gpu(12), Constraints(max_vram_bytes=24 * GIB)) == 12 * GIB
    assert budget_bytes(CPU, NO_LIMIT) == 16 * GIB
    assert budget_bytes(Machine("cpu", 14 * GIB, 3 * GIB), NO_LIMIT) == 14 * GIB
    assert budget_bytes(Machine(), NO_LIMIT) == 0


def test_fits_is_told_only_where_the_machine_is_known():
    row, load = families()["sdxl"], load_of(checkpoint(), gpu())
    assert estimate(row, settings(), load, gpu(12), NO_LIMIT).fits is True
    assert estimate(row, settings(), load, gpu(4), NO_LIMIT).fits is False
    assert estimate(row, settings(), load, Machine(), NO_LIMIT).fits is None


def test_measured_times_replace_the_guess():
    row, load = families()["sdxl"], load_of(checkpoint(), gpu())
    key = timing_key("sdxl", settings())
    assert key == "sdxl/2@1"
    measured = gpu(seconds_per_step={key: 0.5, "sd15/2@0.3": 0.1, "sdxl/2@oops": 9.0})
    cost = estimate(row, settings(), load, measured, NO_LIMIT)
    assert (cost.seconds, cost.measured) == (10.0, True)
    larger = estimate(row, settings(1536, 1536), load, measured, NO_LIMIT)
    assert larger.measured and larger.seconds > 20
    pair = estimate(row, settings(batch=2), load, measured, NO_LIMIT)
    assert pair.measured and 20 < pair.seconds < 22
    guess = estimate(row, settings(), load, gpu(), NO_LIMIT)
    assert not guess.measured and guess.seconds > 0


def test_runs_that_do_not_compare_are_kept_apart():
    row, load = families()["sdxl"], load_of(checkpoint(), gpu())

    def cost(of, **known):
        times = {timing_key("sdxl", run): seconds for run, seconds in known.values()}
        return estimate(row, of, load, gpu(seconds_per_step=times), NO_LIMIT)

    usual, lightning, single, draft = settings(), settings(cfg=1.0, steps=4), settings(cfg=1.0), settings(steps=8)
    assert not cost(usual, run=(lightning, 9.0)).measured and not cost(single, run=(lightning, 9.0)).measured
    assert not cost(lightning, run=(usual, 9.0)).measured and not cost(usual, run=(draft, 9.0)).measured
    assert cost(usual, run=(usual, 1.0), other=(lightning, 9.0)).seconds == 20.0
    assert 8 <= cost(draft, run=(usual, 1.0)).seconds < 9


def test_without_a_size_there_is_no_time():
    assert estimate(families()["sdxl"], settings(), Load(0, 0, 0), gpu(), NO_LIMIT).seconds is None
