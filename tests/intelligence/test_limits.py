from pack.data.families import families
from pack.intelligence.estimate import load_of, timing_key
from pack.intelligence.limits import Limits, fit
from pack.plan import GIB, Constraints, Fixed, Priority, Settings
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
            lambda dtype: load_of(file, machine, weight_dtype=dtype),
            castable,
            few_steps,
            manual,
        ),
    )


def settings(width=1024, height=1024, steps=40, batch=1):
    return Settings(steps, 7.0, "dpmpp_2m", "karras", width, height, batch=batch)


def keys(reasons):
    return {reason.key for reason in reasons}


def test_what_fits_is_left_alone():
    made = fitted(settings())
    assert made.settings == settings() and made.weight_dtype == "default" and made.warnings == ()
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
    assert made.weight_dtype == "fp8_e4m3fn" and made.estimate.fits and made.warnings == ()


def test_a_batch_gives_way_unless_it_was_fixed():
    many = settings(batch=16)
    assert fitted(many, gib=7).settings.batch == 1
    assert fitted(many, gib=7, fixed=Fixed(batch=16)).settings.batch == 16


def test_the_picture_shrinks_only_when_it_is_what_does_not_fit():
    heavy = fitted(settings(), gib=3)
    assert (heavy.settings.width, heavy.settings.height) == (1024, 1024) and "warn.memory" in keys(heavy.warnings)
    made = fitted(settings(4096, 4096), gib=4)
    assert made.settings.width * made.settings.height < 4096 * 4096 and made.settings.width % 8 == 0
    kept = fitted(settings(4096, 4096), gib=4, fixed=Fixed(width=4096, height=4096))
    assert kept.settings.width == 4096


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
        lambda dtype: load_of(checkpoint(), gpu(4), weight_dtype=dtype),
        keeps_shape=True,
    )
    assert "size.memory_image" in keys(fit(settings(4096, 4096), image).reasons)
