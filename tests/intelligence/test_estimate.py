from itertools import pairwise

import pytest
from pack.data.families import families
from pack.intelligence.estimate import (
    Holding,
    Load,
    activation_bytes,
    budget_bytes,
    decode_bytes,
    estimate,
    load_of,
    timing_key,
)
from pack.plan import GIB, Constraints, Kind, Machine, ModelFile, Offload, Precision, Settings, Stage
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
        assert less.activations_bytes < more.activations_bytes and less.seconds < more.seconds
        assert less.vram_bytes <= more.vram_bytes
        assert less.weights_bytes == more.weights_bytes


def test_weights_follow_the_dtype_they_are_used_in():
    file = checkpoint()
    on_gpu = load_of(file, gpu())
    assert (on_gpu.diffusion_bytes, on_gpu.encoder_bytes, on_gpu.vae_bytes) == (5_135_149_760, 1_636_000_000, 167_000_000)
    assert load_of(file, CPU).diffusion_bytes == 2 * on_gpu.diffusion_bytes
    assert load_of(checkpoint(dtype="fp32"), gpu()).diffusion_bytes == on_gpu.diffusion_bytes // 2
    assert load_of(checkpoint(dtype="fp8_e4m3fn"), gpu()).diffusion_bytes == on_gpu.diffusion_bytes
    flux = diffusion("f.safetensors", "flux_dev", gib=22)
    assert load_of(flux, gpu(), weight_dtype=Precision.FP16).diffusion_bytes == 22 * GIB


def test_8_bits_take_half_only_of_what_is_all_matrices():
    flux, unet = diffusion("f.safetensors", "flux_dev", gib=22), checkpoint()
    for form in (Precision.FP8, Precision.INT8):
        assert load_of(flux, gpu(), weight_dtype=form).diffusion_bytes == pytest.approx(11.4 * GIB, rel=0.02)
        assert load_of(unet, gpu(), weight_dtype=form).diffusion_bytes == pytest.approx(0.57 * 5_135_149_760, rel=0.01)
        already = checkpoint(dtype="fp8_e4m3fn")
        assert load_of(already, gpu(), weight_dtype=form).diffusion_bytes == load_of(already, gpu()).diffusion_bytes


def test_text_encoders_are_held_in_16_bits_everywhere():
    encoder = ModelFile(Kind.TEXT_ENCODER, "t5.safetensors", 4 * GIB, dtype="fp32")
    for machine in (gpu(), CPU):
        assert load_of(checkpoint(), machine, (encoder,)).encoder_bytes == 2 * GIB
        assert load_of(checkpoint(), machine).encoder_bytes == 1_636_000_000
    assert load_of(checkpoint(), gpu(), encoder_dtype=Precision.INT8).encoder_bytes == pytest.approx(981_600_000, rel=0.01)


def test_loras_take_ram_and_no_room_on_the_gpu():
    plain, with_lora = (load_of(checkpoint(), gpu(), loras=stack) for stack in ((), (lora("x.safetensors"),)))
    assert with_lora.weights_bytes == plain.weights_bytes and with_lora.lora_bytes == 220_000_000
    row = families()["sdxl"]
    without, beside = (estimate(row, settings(), load, gpu(24), NO_LIMIT) for load in (plain, with_lora))
    assert beside.vram_bytes == without.vram_bytes
    assert beside.ram_bytes - without.ram_bytes == with_lora.lora_bytes + with_lora.backup_bytes > 3 * GIB
    on_cpu = [estimate(row, settings(), load, CPU, NO_LIMIT).vram_bytes for load in (plain, with_lora)]
    assert on_cpu[1] > on_cpu[0] + 3 * GIB


def test_a_controlnet_lies_beside_the_model_while_it_samples():
    control = ModelFile(Kind.CONTROLNET, "canny.safetensors", 2 * GIB, dtype="fp16")
    load = load_of(checkpoint(), gpu(), controls=(control,))
    plain = load_of(checkpoint(), gpu())
    stages = [stages_of(each, Offload.BALANCED) for each in (plain, load)]
    assert stages[1][Stage.SAMPLE].weights_bytes == stages[0][Stage.SAMPLE].weights_bytes + 2 * GIB
    assert stages[1][Stage.DECODE] == stages[0][Stage.DECODE]


def stages_of(load, offload, machine=None, **holding):
    made = Holding(offload, **holding)
    cost = estimate(families()["sdxl"], settings(), load, machine or gpu(), NO_LIMIT, made)
    return {stage.stage: stage for stage in cost.stages}


def test_what_lies_on_the_device_follows_the_strategy():
    load = load_of(checkpoint(), gpu())
    together = load.diffusion_bytes + load.encoder_bytes + load.vae_bytes
    assert {stage.weights_bytes for stage in stages_of(load, Offload.NONE).values()} == {together}
    balanced = stages_of(load, Offload.BALANCED)
    assert balanced[Stage.ENCODE].weights_bytes == load.encoder_bytes
    assert balanced[Stage.SAMPLE].weights_bytes == load.diffusion_bytes
    assert balanced[Stage.DECODE].weights_bytes == load.vae_bytes
    assert stages_of(load, Offload.BALANCED, encoder_on_cpu=True)[Stage.ENCODE].weights_bytes == 0


def test_in_shared_memory_everything_lies_together_whatever_the_strategy():
    load = load_of(checkpoint(), CPU)
    for offload in Offload:
        assert {stage.weights_bytes for stage in stages_of(load, offload, CPU).values()} == {load.weights_bytes}


def test_streamed_weights_fill_what_there_is_and_no_more():
    row, load = families()["sdxl"], load_of(checkpoint(), gpu())
    small = estimate(row, settings(tiled_decode=True), load, gpu(4), NO_LIMIT, Holding(Offload.AGGRESSIVE, streams=True))
    assert small.fits and small.vram_bytes <= 4 * GIB < estimate(row, settings(), load, gpu(4), NO_LIMIT).vram_bytes
    assert small.ram_bytes > load.weights_bytes - 3 * GIB
    tiny = estimate(row, settings(tiled_decode=True), load, gpu(1), NO_LIMIT, Holding(Offload.AGGRESSIVE, streams=True))
    assert not tiny.fits and tiny.stages[1].weights_bytes == 256 * MIB


def test_a_measured_peak_leaves_less_room_for_streamed_weights():
    row, load = families()["sdxl"], load_of(checkpoint(), gpu())
    holding, tiled = Holding(Offload.AGGRESSIVE, streams=True), settings(tiled_decode=True)
    made = [estimate(row, tiled, load, gpu(6, peak_factors={"sdxl": factor}), NO_LIMIT, holding) for factor in (1.0, 1.5)]
    assert all(each.fits for each in made) and made[1].stages[1].weights_bytes < made[0].stages[1].weights_bytes - GIB


def test_the_machine_says_what_comfyui_computes_in():
    sdxl = families()["sdxl"]
    twice = 2 * activation_bytes(sdxl, settings(), gpu())
    assert activation_bytes(sdxl, settings(), gpu(compute_bytes=4)) == pytest.approx(twice, abs=1)
    assert activation_bytes(sdxl, settings(), gpu(lean_attention=False)) == activation_bytes(sdxl, settings(), CPU)


def test_of_a_batch_one_picture_is_decoded_at_a_time_where_room_is_short():
    sdxl = families()["sdxl"]
    assert decode_bytes(sdxl, settings(batch=8), gpu()) == decode_bytes(sdxl, settings(), gpu())


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


def test_weights_that_are_fetched_at_each_step_take_time():
    row, load = families()["sdxl"], load_of(checkpoint(), gpu())
    whole = estimate(row, settings(), load, gpu(24), NO_LIMIT)
    fetched = estimate(row, settings(), load, gpu(3), NO_LIMIT, Holding(Offload.AGGRESSIVE, streams=True))
    assert whole.seconds + 4 <= fetched.seconds <= whole.seconds + 10
    measured = gpu(3, seconds_per_step={timing_key("sdxl", settings()): 1.0})
    assert estimate(row, settings(), load, measured, NO_LIMIT, Holding(Offload.AGGRESSIVE, streams=True)).seconds == 20.0


def test_an_older_comfyui_reckons_with_more_for_the_same_vae():
    qwen = families()["qwen_image"]
    old, new = (decode_bytes(qwen, settings(), gpu(host_version=version)) for version in ("0.3.64", "0.33.0"))
    assert (old, new) == (7000 * 1024 * 1024 * 2, 2200 * 1024 * 1024 * 2)
    assert decode_bytes(qwen, settings(), Machine("cuda")) == new


def test_a_refiner_is_loaded_as_it_is_with_its_own_text_encoder():
    """CheckpointLoaderSimple casts nothing; the other half of a two-part model is held as the first."""
    refiner = checkpoint("sd_xl_refiner.safetensors", "sdxl_refiner", part_bytes={"unet": 4 * GIB, "clip": 2 * GIB, "vae": 10})
    for form in Precision.DEFAULT, Precision.INT8:
        load, alone = (load_of(checkpoint(), gpu(), weight_dtype=form, second=second) for second in (refiner, None))
        assert (load.second_bytes, load.second_encoder_bytes) == (4 * GIB, 2 * GIB)
        assert load.weights_bytes == alone.weights_bytes + 6 * GIB
        assert stages_of(load, Offload.BALANCED)[Stage.ENCODE].weights_bytes == 2 * GIB
    half = diffusion("low.safetensors", "wan22", gib=10)
    load = load_of(half, gpu(), weight_dtype=Precision.INT8, second=half)
    assert load.second_bytes == load.diffusion_bytes < 6 * GIB and load.second_encoder_bytes == 0
