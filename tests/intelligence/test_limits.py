from functools import partial

from pack.data.families import families
from pack.intelligence.cheapest import Held, Limits
from pack.intelligence.estimate import load_of, timing_key
from pack.intelligence.limits import fit
from pack.plan import GIB, Constraints, Fixed, Machine, Offload, Precision, Priority, Relief, Settings
from pack.tests.shelf import checkpoint, diffusion, gpu


def fitted(
    settings,
    family="sdxl",
    gib=12,
    file=None,
    castable=False,
    fixed=None,
    few_steps=False,
    manual=False,
    priority=Priority.BALANCED,
    machine=None,
    casts_encoder=False,
    memory=None,
    **limits,
):
    file = file or checkpoint()
    machine = machine or gpu(gib)
    return fit(
        settings,
        Limits(
            families()[family],
            fixed or Fixed(),
            Constraints(**limits),
            machine,
            priority,
            lambda weights, texts: load_of(file, machine, weight_dtype=weights, encoder_dtype=texts),
            castable,
            few_steps,
            manual,
            casts_encoder=casts_encoder,
            memory=memory,
        ),
    )


def settings(width=1024, height=1024, steps=40, batch=1):
    return Settings(steps, 7.0, "dpmpp_2m", "karras", width, height, batch=batch)


def keys(reasons):
    return {reason.key for reason in reasons}


def test_what_fits_is_left_alone():
    made = fitted(settings())
    assert made.settings == settings() and made.held.weight_dtype == "default" and made.warnings == ()
    assert {"tiled_decode.off", "vram.fits", "time.guess"} <= keys(made.reasons)


def test_a_large_decode_is_tiled():
    made = fitted(settings(2048, 2048))
    assert made.settings.tiled_decode and "tiled_decode.on" in keys(made.reasons)
    assert (made.settings.width, made.settings.height) == (2048, 2048)


def test_low_vram_tiles_earlier():
    assert not fitted(settings(), gib=8).settings.tiled_decode
    assert fitted(settings(), gib=8, priority=Priority.LOW_VRAM).settings.tiled_decode


def test_a_memory_limit_casts_a_split_model_before_anything_else():
    file = diffusion("flux.safetensors", "flux_dev", gib=22)
    made = fitted(settings(steps=20), "flux_dev", 24, file, castable=True, max_vram_bytes=16 * GIB)
    assert made.held.weight_dtype == "fp8_e4m3fn" and made.estimate.fits and made.warnings == ()


def test_a_batch_gives_way_unless_it_was_fixed():
    many = settings(batch=16)
    assert fitted(many, gib=7).settings.batch == 1
    assert fitted(many, gib=7, fixed=Fixed(batch=16)).settings.batch == 16


def test_the_picture_shrinks_only_when_it_is_what_does_not_fit():
    heavy = fitted(settings(), gib=2)
    assert (heavy.settings.width, heavy.settings.height) == (1024, 1024) and "warn.memory" in keys(heavy.warnings)
    made = fitted(settings(4096, 4096), gib=4)
    assert made.settings.width * made.settings.height < 4096 * 4096 and made.settings.width % 8 == 0
    assert made.estimate.fits and Relief.SMALLER in made.estimate.relief and "size.memory" in keys(made.reasons)
    kept = fitted(settings(4096, 4096), gib=4, fixed=Fixed(width=4096, height=4096))
    assert kept.settings.width == 4096 and kept.estimate.fits is False
    assert Relief.SMALLER in kept.estimate.advice and "vram.advice" in keys(kept.reasons)


def test_who_has_the_memory_waits_for_no_offload():
    for priority in Priority:
        made = fitted(settings(), gib=24, priority=priority)
        assert made.held == Held() and made.estimate.relief == () and "vram.fits" in keys(made.reasons)


def test_the_cheapest_relief_that_suffices_is_taken():
    def reliefs(gib, priority=Priority.BALANCED, **more):
        made = fitted(settings(), gib=gib, priority=priority, castable=True, **more)
        assert made.estimate.fits and "vram.fits_with" in keys(made.reasons)
        return made.estimate.relief

    assert reliefs(8) == (Relief.BALANCED,)
    assert reliefs(6) == (Relief.AGGRESSIVE,)
    assert Relief.QUANTISED in reliefs(5, Priority.LOW_VRAM) and Relief.AGGRESSIVE not in reliefs(5, Priority.LOW_VRAM)
    assert reliefs(4, Priority.QUALITY) == (Relief.TILED, Relief.AGGRESSIVE)


def test_8_bits_are_the_first_of_the_machines_forms_and_only_where_there_is_one():
    flux = diffusion("flux.safetensors", "flux_dev", gib=22)
    for precision in (Precision.INT8, Precision.FP8):
        machine = gpu(8, precisions=(precision,))
        made = fitted(settings(steps=20), "flux_dev", file=flux, machine=machine, castable=True, priority=Priority.LOW_VRAM)
        assert made.held.weight_dtype is precision
        assert {"weight_dtype.int8", "weight_dtype.fp8"} & keys(made.reasons) == {
            f"weight_dtype.{precision.value[:4].rstrip('_')}"
        }
    none = fitted(settings(steps=20), "flux_dev", file=flux, machine=gpu(8, precisions=()), castable=True)
    assert none.held.weight_dtype is Precision.DEFAULT and Relief.QUANTISED not in none.estimate.relief


def test_what_is_8_bit_already_is_not_cast():
    flux = diffusion("flux.safetensors", "flux_dev", gib=12, dtype="fp8_e4m3fn")
    made = fitted(settings(steps=20), "flux_dev", 8, flux, castable=True, priority=Priority.LOW_VRAM)
    assert made.held.weight_dtype is Precision.DEFAULT and "vram.streamed" in keys(made.reasons)


def test_text_encoders_are_kept_off_the_gpu_only_where_they_do_not_fit_it_alone():
    whole = {"unet": 22 * GIB, "clip": 9 * GIB, "vae": GIB // 3}
    flux = checkpoint("flux.safetensors", "flux_dev", size_bytes=32 * GIB, part_bytes=whole, dtype="bf16")
    small, large = (fitted(settings(steps=20), "flux_dev", gib, flux) for gib in (8, 12))
    assert small.held.encoder_on_cpu and "vram.encoder_on_cpu" in keys(small.reasons)
    assert large.held.offload is Offload.AGGRESSIVE and not large.held.encoder_on_cpu
    cast = fitted(settings(steps=20), "flux_dev", 8, flux, castable=True, casts_encoder=True, priority=Priority.LOW_VRAM)
    assert cast.held.encoder_dtype is Precision.FP8 and not cast.held.encoder_on_cpu


def test_a_fixed_strategy_is_obeyed():
    for memory in Offload:
        made = fitted(settings(), gib=24, memory=memory)
        assert made.held.offload is memory and made.estimate.fits
    tight = fitted(settings(), gib=8, memory=Offload.NONE)
    assert tight.held.offload is Offload.NONE and Relief.BALANCED in tight.estimate.advice
    assert fitted(settings(), gib=24, memory=Offload.AGGRESSIVE).settings.tiled_decode


def test_where_comfyui_moves_weights_by_itself_no_strategy_is_chosen():
    flux = diffusion("flux.safetensors", "flux_dev", gib=22)
    for gib in (6, 8, 12):
        made = fitted(settings(steps=20), "flux_dev", file=flux, machine=gpu(gib, dynamic_vram=True))
        assert made.estimate.fits and made.held.offload is Offload.NONE and "vram.streamed" in keys(made.reasons)


def test_a_limit_of_the_persons_is_not_filled_with_streamed_weights():
    flux = diffusion("flux.safetensors", "flux_dev", gib=22)
    made = fitted(settings(steps=20), "flux_dev", 24, flux, max_vram_bytes=10 * GIB)
    assert made.estimate.fits is False and "warn.max_vram" in keys(made.warnings)


def test_too_little_ram_for_what_waits_there_is_avoided_or_told():
    flux = diffusion("flux.safetensors", "flux_dev", gib=22)
    short = fitted(settings(steps=20), "flux_dev", file=flux, machine=gpu(12, ram_bytes=8 * GIB), castable=True)
    assert short.held.weight_dtype is Precision.FP8 and "warn.ram" not in keys(short.warnings)
    told = fitted(settings(steps=20), "flux_dev", file=flux, machine=gpu(12, ram_bytes=8 * GIB))
    assert "warn.ram" in keys(told.warnings)


def test_a_cpu_needs_no_strategy():
    machine = Machine("cpu", 32 * GIB, 32 * GIB)
    made = fitted(settings(), machine=machine, castable=True)
    assert made.held == Held() and made.estimate.fits and made.estimate.relief == ()
    short = fitted(settings(), machine=Machine("cpu", 20 * GIB, 20 * GIB), castable=True)
    assert short.held.offload is Offload.NONE and short.estimate.relief == (Relief.TILED,)


def test_manual_changes_nothing_and_says_what_would_help():
    made = fitted(settings(4096, 4096), gib=8, manual=True)
    assert made.settings == settings(4096, 4096) and made.held == Held() and made.estimate.fits is False
    assert made.estimate.advice and made.estimate.relief == ()


def test_a_memory_limit_that_cannot_be_met_is_told():
    made = fitted(settings(), max_vram_bytes=GIB)
    assert "warn.max_vram" in keys(made.warnings) and made.estimate.fits is False


def test_a_time_limit_takes_steps_and_says_when_it_is_not_enough():
    machine = gpu(seconds_per_step={timing_key("sdxl", settings()): 1.0})
    made = fitted(settings(), machine=machine, max_seconds=25.0)
    assert made.settings.steps == 25 and made.estimate.seconds <= 25 and "steps.time" in keys(made.reasons)
    short = fitted(settings(), machine=machine, max_seconds=2.0)
    assert short.settings.steps == 10 and "warn.max_seconds" in keys(short.warnings)


def test_fixed_and_distilled_steps_are_not_taken():
    machine = gpu(seconds_per_step={timing_key("sdxl", settings()): 1.0})
    assert fitted(settings(), machine=machine, max_seconds=5.0, fixed=Fixed(steps=40)).settings.steps == 40
    assert fitted(settings(steps=8), machine=machine, max_seconds=5.0, few_steps=True).settings.steps == 8
    assert fitted(settings(), machine=machine, max_seconds=5.0, manual=True).settings.steps == 40


def test_a_picture_that_keeps_its_shape_is_not_said_to_have_sides():
    image = Limits(
        families()["sdxl"],
        Fixed(),
        Constraints(),
        gpu(4),
        Priority.BALANCED,
        lambda dtype, _: load_of(checkpoint(), gpu(4), weight_dtype=dtype),
        keeps_shape=True,
    )
    assert "size.memory_image" in keys(fit(settings(4096, 4096), image).reasons)


def test_loaders_that_cannot_move_text_encoders_are_not_said_to():
    whole = {"unet": 22 * GIB, "clip": 9 * GIB, "vae": GIB // 3}
    flux = checkpoint("flux.safetensors", "flux_dev", size_bytes=32 * GIB, part_bytes=whole, dtype="bf16")
    machine, family = gpu(8), families()["flux_dev"]

    def made(moves):
        load = partial(_load_of, flux, machine)
        limits = Limits(family, Fixed(), Constraints(), machine, Priority.BALANCED, load, encoder_moves=moves)
        return fit(settings(steps=20), limits).held.encoder_on_cpu

    assert made(True) and not made(False)


def _load_of(file, machine, weights, texts):
    return load_of(file, machine, weight_dtype=weights, encoder_dtype=texts)


def test_what_would_help_is_told_where_time_is_short_too():
    machine = gpu(8, seconds_per_step={timing_key("sdxl", settings()): 1.0})
    made = fitted(settings(), machine=machine, memory=Offload.NONE, max_seconds=30)
    assert made.settings.steps < 40 and made.estimate.fits is False
    assert Relief.BALANCED in made.estimate.advice and "vram.advice" in keys(made.reasons)
