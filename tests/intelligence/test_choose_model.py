import pytest
from pack.data import table
from pack.data.families import families
from pack.errors import BadRequest, MissingModel
from pack.intelligence.choose_model import choose_model
from pack.plan import Analysis, Constraints, Dialect, Kind, LoraUse, ModelFile, Priority, Request, Taste
from pack.tests.shelf import checkpoint, complete_set, diffusion, gpu, library, lora, parts_of

REALISTIC = checkpoint("juggernautXL_v9.safetensors", tags=("photorealistic", "realism"))
ANIME = checkpoint("animagineXL.safetensors", tags=("anime",))
PAINTED = checkpoint("dreampaint.safetensors", tags=("painting", "artistic"))


def choose(*files, style="none", content="other", dialect=Dialect.PROSE, machine=None, taste=None, **asked):
    analysis = Analysis("x", "x", style=style, content=content, dialect=dialect)
    return choose_model(Request("x", **asked), analysis, library(*files), taste or Taste(), machine or gpu())


def keys(reasons):
    return [reason.key for reason in reasons]


@pytest.mark.parametrize(
    ("style", "name"), [("photo", "juggernautXL_v9"), ("anime", "animagineXL"), ("oil_painting", "dreampaint")]
)
@pytest.mark.parametrize("reverse", [False, True])
def test_style_decides_among_models_of_one_family(style, name, reverse):
    files = (REALISTIC, ANIME, PAINTED)
    chosen = choose(*(files[::-1] if reverse else files), style=style)
    assert chosen.file.name == f"{name}.safetensors"
    assert len(chosen.alternatives) == 2 and "model.best" in keys(chosen.reasons)


def test_a_familys_leaning_counts():
    plain, tags = checkpoint("one.safetensors", "sdxl"), checkpoint("two.safetensors", "illustrious")
    assert choose(plain, tags, style="anime", dialect=Dialect.TAGS).file is tags
    assert choose(plain, tags, style="photo").file is plain


def test_speed_prefers_few_steps_and_quality_does_not():
    slow, fast = checkpoint("dream.safetensors"), checkpoint("dream_lightning.safetensors", distillation="lightning")
    assert choose(slow, fast, priority=Priority.SPEED).file is fast
    assert choose(slow, fast, priority=Priority.QUALITY).file is slow


def test_the_machine_decides_when_a_model_is_far_too_large():
    small, large = (
        checkpoint("small.safetensors", "sd15", part_bytes={"unet": 1_700_000_000}),
        diffusion("huge.safetensors", "flux2_dev", gib=60),
    )
    files = (small, large, *parts_of("flux2_dev"))
    assert choose(*files, machine=gpu(4), priority=Priority.LOW_VRAM).file is small
    assert choose(*files, machine=gpu(80), style="photo").file is large


def test_likings_and_sureness_break_ties():
    one, two = checkpoint("aaa.safetensors"), checkpoint("bbb.safetensors")
    assert choose(one, two).file is one
    assert choose(one, two, taste=Taste(1, {}, {"bbb.safetensors": (1.0, 9)})).file is two
    unsure = checkpoint("aaa.safetensors", confidence=0.2)
    chosen = choose(unsure, two)
    assert chosen.file is two
    assert "model.unsure" in keys(choose(unsure).reasons)


def test_fixed_loras_pull_the_model_to_their_family():
    pony, plain = checkpoint("pony.safetensors", "pony"), checkpoint("real.safetensors", "sdxl", tags=("photo",))
    flux = diffusion("flux1-dev.safetensors", "flux_dev")
    files = (pony, plain, flux, *parts_of("flux_dev"), lora("f.safetensors", "flux_dev"))
    chosen = choose(*files, style="anime", loras=(LoraUse("f.safetensors", 1, 1),))
    assert chosen.file is flux


@pytest.mark.parametrize(
    "name",
    [
        "photo/Juggernaut.safetensors",
        "photo\\Juggernaut.safetensors",
        "juggernaut",
        "JUGGERNAUT.SAFETENSORS",
        "photo/juggernaut",
    ],
)
def test_named_checkpoint_is_found_by_any_spelling(name):
    wanted = checkpoint("photo/Juggernaut.safetensors")
    chosen = choose(ANIME, wanted, style="anime", checkpoint=name)
    assert chosen.file is wanted and keys(chosen.reasons)[0] == "model.named"


def test_a_name_several_files_answer_to_lists_them():
    with pytest.raises(BadRequest) as refused:
        choose(checkpoint("a/model.safetensors"), checkpoint("b/model.safetensors"), checkpoint="model")
    assert "a/model.safetensors, b/model.safetensors" in str(refused.value)
    assert choose(checkpoint("model.safetensors"), checkpoint("b/model.safetensors"), checkpoint="model.safetensors")


def test_a_missing_name_lists_near_ones_in_the_persons_language():
    with pytest.raises(MissingModel, match=r"juggernautXL_v9\.safetensors"):
        choose(REALISTIC, ANIME, checkpoint="juggernaut_xl")
    with pytest.raises(MissingModel, match="Nombres más parecidos"):
        choose(REALISTIC, checkpoint="juggernaut_xl", language="es")


def test_a_damaged_file_is_refused_by_name_and_never_chosen():
    broken = checkpoint("broken.safetensors", problem="file_truncated")
    with pytest.raises(BadRequest, match="incomplete"):
        choose(broken, ANIME, checkpoint="broken")
    assert choose(broken, ANIME).file is ANIME


def test_an_empty_library_says_where_to_put_a_model():
    with pytest.raises(MissingModel, match="models/checkpoints"):
        choose()
    with pytest.raises(MissingModel, match="still running"):
        choose_model(Request("x"), Analysis("x", "x"), library(complete=False), Taste(), gpu())


def test_a_file_of_unknown_family_is_asked_about():
    stranger = ModelFile(Kind.CHECKPOINT, "stranger.safetensors", 10, parts=frozenset({"unet"}))
    with pytest.raises(BadRequest, match="sdxl"):
        choose(stranger, checkpoint="stranger")
    measured = ModelFile(Kind.CHECKPOINT, "m.safetensors", 10, architecture="sd15")
    assert choose(measured, checkpoint="m").family.id == "sd15"


def test_special_models_are_used_only_by_name_and_with_a_warning():
    inpainting = checkpoint("sdxl_inpainting.safetensors", family=None)
    with pytest.raises(MissingModel):
        choose(inpainting)
    assert keys(choose(inpainting, checkpoint="sdxl_inpainting").warnings) == ["warn.model_special"]


def test_blocked_models_are_not_chosen():
    limits = Constraints(blocked_tags=("Anime",), blocked_ids=("dreampaint.safetensors",))
    assert choose(REALISTIC, ANIME, PAINTED, style="anime", constraints=limits).file is REALISTIC
    assert choose(REALISTIC, ANIME, checkpoint="animagineXL", constraints=limits).file is ANIME


def test_families_of_newer_hosts_are_left_out_on_old_ones():
    files = complete_set("z_image_turbo")
    assert choose(*files, machine=gpu(host_version="0.33.0")).family.id == "z_image_turbo"
    with pytest.raises(MissingModel):
        choose(*files, machine=gpu(host_version="0.3.64"))
    with pytest.raises(BadRequest, match="needs ComfyUI"):
        choose(*files, machine=gpu(host_version="0.3.64"), checkpoint="z_image_turbo")


def test_a_refiner_is_never_chosen_alone():
    with pytest.raises(MissingModel):
        choose(checkpoint("refiner.safetensors", "sdxl_refiner"))


# --------------------------------------------------------------------------- parts


def test_missing_parts_are_named_with_file_and_folder():
    with pytest.raises(MissingModel) as missing:
        choose(diffusion("flux1-dev.safetensors", "flux_dev"), checkpoint="flux1-dev")
    text = str(missing.value)
    for part in (
        "clip_l.safetensors → models/text_encoders",
        "t5xxl_fp16.safetensors → models/text_encoders",
        "ae.safetensors → models/vae",
    ):
        assert part in text


def test_an_incomplete_model_is_passed_over_for_a_complete_one():
    chosen = choose(diffusion("flux1-dev.safetensors", "flux_dev"), ANIME, style="photo")
    assert chosen.file is ANIME and "model.incomplete" in keys(chosen.reasons)


def test_checkpoints_without_text_encoder_take_local_ones():
    bare = checkpoint("sd3.5_large.safetensors", "sd35_large", parts=frozenset({"unet", "vae"}))
    models = choose(bare, *parts_of("sd35_large")).models
    assert models.checkpoint == bare.name and len(models.text_encoders) == 3


def test_other_copies_of_a_part_are_recognised():
    files = [diffusion("flux1-dev.safetensors", "flux_dev")]
    files += [
        ModelFile(Kind.TEXT_ENCODER, name, size)
        for name, size in (("sub/clip_l.safetensors", 1), ("t5xxl_fp8_e4m3fn.safetensors", 5))
    ]
    files += [ModelFile(Kind.VAE, "flux_vae.safetensors", 1)]
    models = choose(*files).models
    assert (
        models.text_encoders == ("sub/clip_l.safetensors", "t5xxl_fp8_e4m3fn.safetensors")
        and models.vae == "flux_vae.safetensors"
    )


def test_low_vram_takes_the_smaller_text_encoder():
    small = ModelFile(Kind.TEXT_ENCODER, "t5xxl_fp8_e4m3fn.safetensors", 5)
    files = (diffusion("flux1-dev.safetensors", "flux_dev"), small, *parts_of("flux_dev"))
    assert choose(*files).models.text_encoders[1] == "t5xxl_fp16.safetensors"
    assert choose(*files, priority=Priority.LOW_VRAM).models.text_encoders[1] == small.name


def test_the_two_halves_of_a_model_go_together():
    chosen = choose(*complete_set("wan22"))
    assert (chosen.models.diffusion_model, chosen.models.second) == (
        "wan22_high_noise.safetensors",
        "wan22_low_noise.safetensors",
    )
    with pytest.raises(MissingModel, match="low_noise"):
        choose(diffusion("wan22_high_noise.safetensors", "wan22"), *parts_of("wan22"))


def test_refiner_joins_its_own_base_at_quality_only():
    refiner = checkpoint("sd_xl_refiner_1.0.safetensors", "sdxl_refiner")
    assert choose(checkpoint(), refiner, priority=Priority.QUALITY).models.second == refiner.name
    assert choose(checkpoint(), refiner).models.second is None
    assert choose(REALISTIC, refiner, priority=Priority.QUALITY).models.second is None


# --------------------------------------------------------------------------- VAE


def vae(name, architecture="sdxl"):
    return ModelFile(Kind.VAE, name, 160_000_000, architecture=architecture)


def test_the_baked_vae_is_used_and_explained():
    chosen = choose(ANIME)
    assert chosen.models.vae is None and "vae.baked" in keys(chosen.reasons)


def test_a_half_precision_safe_vae_is_preferred_for_sdxl():
    chosen = choose(ANIME, vae("sdxl_vae.safetensors"), vae("sdxl_vae_fp16_fix.safetensors"))
    assert chosen.models.vae == "sdxl_vae_fp16_fix.safetensors" and "vae.fp16_safe" in keys(chosen.reasons)
    bare = checkpoint("bare.safetensors", parts=frozenset({"unet", "clip"}))
    assert choose(bare, vae("sdxl_vae.safetensors"), vae("fixed-fp16-sdxl.vae.safetensors")).models.vae.startswith("fixed-fp16")


def test_a_checkpoint_without_vae_takes_the_best_local_match():
    bare = checkpoint("bare.safetensors", parts=frozenset({"unet", "clip"}))
    assert choose(bare, vae("ae.safetensors", "flux"), vae("sdxl_vae.safetensors")).models.vae == "sdxl_vae.safetensors"
    assert choose(bare, vae("unnamed.safetensors", "sdxl")).models.vae == "unnamed.safetensors"
    with pytest.raises(MissingModel, match=r"sdxl_vae\.safetensors → models/vae"):
        choose(bare, vae("ae.safetensors", "flux"))


def test_preview_decoders_never_draw_the_final_picture_unless_named():
    preview = vae("taesdxl_sdxl_vae.safetensors", "taesd")
    bare = checkpoint("bare.safetensors", parts=frozenset({"unet", "clip"}))
    with pytest.raises(MissingModel):
        choose(bare, preview)
    named = choose(bare, preview, vae="taesdxl_sdxl_vae")
    assert named.models.vae == preview.name and keys(named.warnings) == ["warn.preview_vae"]


def test_a_named_vae_of_another_family_is_kept_with_a_warning():
    chosen = choose(ANIME, vae("ae.safetensors", "flux"), vae="ae")
    assert chosen.models.vae == "ae.safetensors" and keys(chosen.warnings) == ["warn.vae_family"]


def test_every_architecture_has_its_vae():
    assert {row.architecture for row in families().values()} == set(table("settings")["vae"])


def test_tendencies_and_families_name_the_same_rows():
    assert set(table("tendencies")["family"]) == set(families()) - {"sdxl_refiner"}
