import pytest
from pack.data import table
from pack.data.families import families
from pack.errors import BadRequest, MissingModel
from pack.intelligence.analyze import analyze
from pack.intelligence.choose_model import choose_model
from pack.plan import GIB, Analysis, Constraints, Dialect, Kind, Liking, LoraUse, Machine, ModelFile, Priority, Request, Taste
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
    assert choose(one, two, taste=Taste(1, {"bbb.safetensors": Liking(1.0, 9)})).file is two
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
        choose(REALISTIC, ANIME, checkpoint="jugernot_xl")
    with pytest.raises(MissingModel, match="Nombres más parecidos"):
        choose(REALISTIC, checkpoint="jugernot_xl", language="es")


@pytest.mark.parametrize("part", ["juggernaut", "Juggernaut XL", "naut v9", "nautxl", "jugger-naut"])
def test_a_part_of_the_name_is_enough(part):
    assert choose(ANIME, REALISTIC, PAINTED, checkpoint=part).file is REALISTIC


def test_a_part_of_the_title_is_enough_and_the_file_name_goes_first():
    titled = checkpoint("v5prn.safetensors", title="Dream Shaper XL Turbo")
    assert choose(titled, REALISTIC, checkpoint="dreamshaper turbo").file is titled
    assert choose(titled, PAINTED, checkpoint="dream").file is PAINTED


def test_a_part_that_several_names_hold_lists_them():
    with pytest.raises(BadRequest, match=r"juggernautXL_v8\.safetensors, juggernautXL_v9\.safetensors"):
        choose(REALISTIC, checkpoint("juggernautXL_v8.safetensors"), checkpoint="juggernaut")
    with pytest.raises(MissingModel):
        choose(REALISTIC, checkpoint="v9")


def test_an_unusable_file_does_not_make_a_name_ambiguous():
    pickle = checkpoint("juggernaut_v9.ckpt", problem="file_pickle")
    assert choose(REALISTIC, pickle, checkpoint="juggernaut").file is REALISTIC


@pytest.mark.parametrize("name", ["sdxl", "SDXL", "SDXL 1.0"])
def test_a_familys_name_picks_its_best_model(name):
    other = diffusion("flux1-dev.safetensors", "flux_dev")
    chosen = choose(other, *parts_of("flux_dev"), REALISTIC, ANIME, style="anime", checkpoint=name)
    assert chosen.file is ANIME and chosen.family.id == "sdxl"


@pytest.mark.parametrize("name", ["flux_dev", "Flux.1 dev", "flux.1-dev"])
def test_a_familys_label_picks_its_best_model(name):
    other = diffusion("the_one.safetensors", "flux_dev")
    assert choose(other, *parts_of("flux_dev"), REALISTIC, style="anime", checkpoint=name).file is other


def test_a_file_called_like_a_family_goes_first():
    named = checkpoint("flux_dev.safetensors")
    assert choose(named, *complete_set("flux_dev")[1:], checkpoint="flux_dev").file is named


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


UNKNOWN = ModelFile(Kind.CHECKPOINT, "stranger.safetensors", 10, parts=frozenset({"unet"}))


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (checkpoint("old.ckpt", problem="file_pickle"), r"old.*\.safetensors versions"),
        (checkpoint("short.safetensors", problem="file_truncated"), "short.safetensors is incomplete"),
        (UNKNOWN, "stranger.*set its family"),
        (checkpoint("inpaint.safetensors", family=None), "inpaint.*name one"),
        (checkpoint("refiner.safetensors", "sdxl_refiner"), "refiner.*put that model"),
        (checkpoint("blocked.safetensors", tags=("secret",)), "constraints.*blocked"),
        (diffusion("z.safetensors", "z_image_turbo"), "update ComfyUI"),
        (checkpoint("vae.safetensors", parts=frozenset({"vae"})), "vae.*No complete|No complete.*vae"),
    ],
)
def test_why_no_model_is_usable_is_told_for_each_kind_of_file(file, said):
    asked = {"machine": gpu(host_version="0.3.64"), "constraints": Constraints(blocked_tags=("secret",))}
    with pytest.raises(MissingModel, match=said) as missing:
        choose(file, **asked)
    assert missing.value.code == "none_usable"
    with pytest.raises(MissingModel) as several:
        choose(file, checkpoint("other.ckpt", problem="file_pickle"), **asked, language="es")
    assert "other" in str(several.value) and file.name.split(".")[0] in str(several.value)


# --------------------------------------------------------------------------- what matters most

FULL = checkpoint("dream.safetensors", tags=("artistic", "painting"), downloads=900_000)
TURBO = checkpoint("dreamTurbo.safetensors", tags=("artistic", "painting"), distillation="turbo", downloads=900_000)


@pytest.mark.parametrize("style", ["none", "photo", "anime", "oil_painting"])
def test_quality_takes_the_full_model_and_speed_the_fast_one(style):
    plain = checkpoint("plain.safetensors")
    assert choose(plain, TURBO, style=style, priority=Priority.QUALITY).file is plain
    assert choose(FULL, TURBO, style=style, priority=Priority.QUALITY).file is FULL
    assert choose(FULL, TURBO, style=style, priority=Priority.SPEED).file is TURBO


def test_quality_takes_a_newer_generation_before_an_older_one_of_the_style():
    older = checkpoint("painter_8.safetensors", "sd15", tags=("artistic", "painting"), downloads=2_000_000)
    newer = checkpoint("plain.safetensors")
    assert choose(older, newer, style="oil_painting", priority=Priority.QUALITY).file is newer
    assert choose(older, newer, style="oil_painting").file is older


def test_speed_does_not_give_up_the_style():
    fast = complete_set("z_image_turbo")
    drawn = checkpoint("wai.safetensors", "illustrious", tags=("anime",))
    asked = {"style": "anime", "dialect": Dialect.TAGS, "machine": gpu(24), "priority": Priority.SPEED}
    assert choose(*fast, drawn, **asked).file is drawn


WRITERS = ("qwen_image", "z_image_turbo", "flux_dev")


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "text",
    [
        "a neon sign that says OPEN",
        "a photo of a shop window with the words SALE",
        'a poster, "JAZZ NIGHT", watercolor',
        "una tarjeta de navidad con las palabras FELIZ NAVIDAD",
        "un cartel que dice FELIZ NAVIDAD",
        "FELIZ NAVIDAD",
        "a Christmas card, HAPPY NEW YEAR, snow",
    ],
)
def test_words_in_the_picture_go_to_a_model_that_can_write(writer, text):
    liked = checkpoint("juggernautXL.safetensors", tags=("photo",), downloads=900_000)
    files = (liked, TURBO, *complete_set(writer))
    chosen = choose_model(Request(text), analyze(text), library(*files), Taste(), gpu(24))
    assert chosen.family.id == writer


@pytest.mark.parametrize(
    "text",
    ["photo of a cat, BEST QUALITY, MASTERPIECE", "RAW PHOTO of a woman", "A CAT SITS ON THE ROOF OF A HOUSE", "an UHD photo"],
)
def test_shouting_is_no_writing(text):
    files = (checkpoint("juggernautXL.safetensors", tags=("photo",), downloads=900_000), *complete_set("qwen_image"))
    chosen = choose_model(Request(text), analyze(text), library(*files), Taste(), gpu(24))
    assert chosen.family.id == "sdxl"


def test_signs_nobody_reads_do_not_overrule_the_style():
    text = "1girl, city street, signs, anime"
    files = (checkpoint("wai.safetensors", "illustrious"), *complete_set("qwen_image"))
    assert choose_model(Request(text), analyze(text), library(*files), Taste(), gpu(24)).family.id == "illustrious"


def test_score_tags_speak_for_the_family_that_knows_them():
    text = "score_9, score_8_up, 1girl, anime, solo"
    files = [checkpoint(f"{family}.safetensors", family) for family in ("illustrious", "noobai", "sdxl", "pony")]
    assert choose_model(Request(text), analyze(text), library(*files), Taste(), gpu()).family.id == "pony"
    plain = "1girl, anime, solo"
    assert choose_model(Request(plain), analyze(plain), library(*files), Taste(), gpu()).family.id != "pony"


@pytest.mark.parametrize("family", ["sd15", "pony", "flux_dev"])
def test_loras_written_in_the_prompt_pull_the_model_to_their_family(family):
    text = f"a cat <lora:Watercolor_{family}:0.8>"
    other = lora(f"sub/Watercolor_{family}.safetensors", family)
    files = (REALISTIC, PAINTED, *complete_set(family), other)
    assert choose_model(Request(text), analyze(text), library(*files), Taste(), gpu(24)).family.id == family


def test_where_no_model_takes_the_loras_the_other_points_decide():
    files = (checkpoint("a_real.safetensors", tags=("photo",)), ANIME, lora("f.safetensors", "flux_dev"))
    assert choose(*files, style="anime", loras=(LoraUse("f.safetensors", 1, 1),)).file is ANIME


def test_a_plan_on_a_cpu_stays_the_same_while_a_model_is_loaded():
    files = (checkpoint("a.safetensors", dtype="fp32"), checkpoint("small.safetensors", "sd15", part_bytes={"unet": 2 * GIB}))
    free, loaded = (Machine("cpu", 14 * GIB, ram * GIB, "0.33.0") for ram in (14, 3))
    assert choose(*files, machine=free).alternatives == choose(*files, machine=loaded).alternatives


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
