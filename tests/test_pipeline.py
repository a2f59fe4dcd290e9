import dataclasses

import pytest
from pack.data.families import families
from pack.errors import BadRequest, UserError
from pack.graph import build
from pack.intelligence.analyze import analyze
from pack.intelligence.explain import explain
from pack.pipeline import make_plan
from pack.plan import (
    Analysis,
    Constraints,
    Fixed,
    LoraUse,
    Machine,
    Mode,
    Offload,
    Plan,
    Priority,
    Request,
    Settings,
    Stage,
    Taste,
    Verbosity,
)
from pack.tests.shelf import LORAS, WORKED_EXAMPLE, checkpoint, complete_set, diffusion, gpu, library, lora, parts_of
from pack.values import from_json, to_json

NOT_CHOSEN_ALONE = {"sdxl_refiner"}


def plan(text=WORKED_EXAMPLE, *files, machine=None, analysis=None, **asked) -> Plan:
    shelf = library(*(files or (checkpoint(), *LORAS)))
    return make_plan(Request(text, **asked), analysis or analyze(text), shelf, Taste(), machine or gpu())


def keys(reasons, decision=None):
    return [reason.key for reason in reasons if decision in (None, reason.decision)]


def test_worked_example():
    made = plan(priority=Priority.QUALITY)
    assert (made.analysis.style, made.analysis.content, made.analysis.complexity.level) == ("anime", "character", "complex")
    settings = made.settings
    assert (settings.steps, settings.cfg, settings.width, settings.height) == (40, 7.5, 1024, 1024)
    assert (settings.sampler, settings.scheduler) == ("dpmpp_2m", "karras")
    stack = [(choice.use.name, choice.use.strength_model) for choice in made.loras]
    assert stack == [("anime_style_v2.safetensors", 0.8), ("detail_enhancer.safetensors", 0.5)]
    assert made.warnings == ()


def test_worked_example_is_reached_by_rules_and_not_by_its_text():
    made = plan("manga boy, floating swords, ruined cathedral, intricate, best quality", priority=Priority.QUALITY)
    assert made.settings.cfg == 7.5 and made.settings.steps in (30, 35, 40)


@pytest.mark.parametrize("family", sorted(families().keys() - NOT_CHOSEN_ALONE))
@pytest.mark.parametrize("priority", list(Priority))
def test_every_family_gets_a_plan_in_which_every_setting_has_a_reason(family, priority):
    made = plan(WORKED_EXAMPLE, *complete_set(family), *LORAS, priority=priority)
    assert (made.family, made.recipe) == (family, families()[family].recipe)
    decisions = {reason.decision for reason in made.reasons}
    for field in dataclasses.fields(Settings):
        if getattr(made.settings, field.name) is not None:
            assert ("size" if field.name in ("width", "height") else field.name) in decisions, field.name
    assert build(made, 1).nodes
    assert {"model", "vae", "loras", "prompt", "negative", "vram", "time", "tip"} <= decisions
    assert set(keys(made.warnings)) <= {"warn.memory", "warn.lora_parent"}


def test_a_plan_travels_as_json_and_does_not_depend_on_anything_else():
    made = plan()
    assert from_json(Plan, to_json(made)) == made == plan()


def test_what_the_person_fixed_is_kept():
    fixed = Fixed(
        steps=17, cfg=3.3, sampler="euler", scheduler="beta", clip_skip=2, width=832, height=1216, batch=3, denoise=0.4
    )
    settings = plan(fixed=fixed, has_image=True).settings
    for name, value in vars(fixed).items():
        if value is not None:
            assert getattr(settings, name) == value, name


@pytest.mark.parametrize("family", sorted(families().keys() - NOT_CHOSEN_ALONE))
def test_manual_keeps_every_input_for_every_family(family):
    text = "one cat, (sitting:1.2)"
    fixed = Fixed(steps=11, cfg=2.0, sampler="heun", scheduler="normal", width=768, height=768)
    made = plan(text, *complete_set(family), *LORAS, mode=Mode.MANUAL, fixed=fixed, negative="dogs")
    assert made.prompt == analyze(text).text and made.negative == "dogs" and made.loras == ()
    assert (made.settings.steps, made.settings.cfg, made.settings.sampler) == (11, 2.0, "heun")
    assert (made.settings.width, made.settings.height) == (768, 768)


def test_manual_fills_what_a_graph_cannot_do_without():
    made = plan(mode=Mode.MANUAL)
    assert made.models.checkpoint == "sd_xl_base_1.0.safetensors"
    assert made.settings.steps == families()["sdxl"].steps[Priority.BALANCED]
    assert made.negative is None and made.loras == () and "prompt.manual" in keys(made.reasons)


def test_fixed_loras_are_kept_and_checked():
    stack = (LoraUse("flux_anime", 1.3, 1.0), LoraUse("watercolor_wash.safetensors", 2.0, 2.0))
    made = plan(loras=stack)
    assert [(choice.use.name, choice.use.strength_model) for choice in made.loras] == [
        ("flux_anime.safetensors", 1.3),
        ("watercolor_wash.safetensors", 2.0),
    ]
    assert {"warn.lora_family", "warn.lora_total", "warn.trigger_missing"} <= set(keys(made.warnings))
    assert plan(loras=()).loras == ()


def test_a_fixed_lora_that_is_not_there_names_near_ones():
    with pytest.raises(UserError, match="watercolor_wash"):
        plan(loras=(LoraUse("watercolour_wash", 1, 1),))


def test_loras_written_in_the_prompt_are_used_and_absent_ones_reported():
    made = plan("a train <lora:steam_locomotive:0.6> <lora:from_elsewhere:1>")
    assert made.loras[0].use == LoraUse("steam_locomotive.safetensors", 0.6, 0.6)
    assert keys(made.warnings) == ["warn.lora_missing"]
    assert "<lora" not in made.prompt


def test_a_lora_written_in_the_prompt_that_does_not_load_is_left_out_and_told():
    text = "a cat <lora:flux_anime:0.8> <lora:watercolor_wash:0.5>"
    made = plan(text, checkpoint="sd_xl_base_1.0")
    assert [choice.use.name for choice in made.loras] == ["watercolor_wash.safetensors"]
    assert keys(made.warnings) == ["warn.lora_left_out"]


def test_of_loras_of_one_name_the_one_that_loads_is_taken():
    files = (checkpoint(), lora("flux/wash.safetensors", "flux_dev"), lora("xl/wash.safetensors"))
    made = plan("a cat <lora:wash:0.8>", *files)
    assert [choice.use.name for choice in made.loras] == ["xl/wash.safetensors"] and made.warnings == ()
    with pytest.raises(BadRequest, match="a/wash"):
        plan("a cat <lora:wash:0.8>", checkpoint(), lora("a/wash.safetensors"), lora("b/wash.safetensors"))


def test_a_damaged_lora_written_in_the_prompt_is_left_out_and_told():
    broken = lora("steam_locomotive.safetensors", problem="file_truncated")
    made = plan("a train <lora:steam_locomotive:0.6>", checkpoint(), broken)
    assert made.loras == () and keys(made.warnings) == ["warn.lora_broken"]


@pytest.mark.parametrize("priority", list(Priority))
def test_the_explanation_does_not_deny_loras_of_the_prompt(priority):
    made = plan("a cat <lora:steam_locomotive:0.6>", priority=priority)
    assert [choice.use.name for choice in made.loras] == ["steam_locomotive.safetensors"]
    told = keys(made.reasons, "loras")
    assert "loras.prompt_only" in told and not {"lora.none", "lora.no_files"} & set(told)
    alone = plan("a train <lora:steam_locomotive:0.6>", checkpoint(), LORAS[3])
    assert not {"lora.none", "lora.no_files"} & set(keys(alone.reasons, "loras"))


def test_manual_decides_nothing_by_the_words_alone():
    portrait = plan("portrait of an anime girl", mode=Mode.MANUAL).settings
    assert portrait == plan("wide shot, photo of a harbour", mode=Mode.MANUAL).settings


def test_an_init_image_is_not_said_to_take_a_framing():
    made = plan("portrait of a woman", has_image=True)
    assert keys(made.reasons, "size") == ["size.image"]
    assert "896×1152" not in explain(made, Verbosity.TECHNICAL)


def test_loras_written_in_the_prompt_count_towards_the_limit():
    made = plan(WORKED_EXAMPLE + " <lora:steam_locomotive:0.6>", constraints=Constraints(max_loras=2))
    assert [choice.use.name for choice in made.loras] == ["steam_locomotive.safetensors", "anime_style_v2.safetensors"]
    again = plan(WORKED_EXAMPLE + " <lora:anime_style_v2:0.6>")
    assert [choice.use.name for choice in again.loras].count("anime_style_v2.safetensors") == 1


def test_distilled_checkpoint_changes_steps_cfg_and_sampler_together():
    made = plan(
        WORKED_EXAMPLE, checkpoint("dreamLightning_8step.safetensors", distillation="lightning"), priority=Priority.QUALITY
    )
    assert (made.distillation, made.settings.steps, made.settings.cfg) == ("lightning", 8, 1.0)
    assert made.settings.sampler == "euler" and made.negative is None
    assert "negative.idle_cfg" in keys(made.reasons) and "tradeoff.distilled" in keys(made.reasons)


def test_distillation_lora_in_the_stack_does_the_same_and_keeps_its_strength():
    files = (checkpoint(), lora("lcm_lora_sdxl.safetensors", distillation="lcm"))
    made = plan("a cat", *files, loras=(LoraUse("lcm_lora_sdxl", 1.0, 1.0),))
    assert (made.distillation, made.settings.cfg, made.settings.sampler, made.settings.steps) == ("lcm", 1.0, "lcm", 8)
    assert made.loras[0].use.strength_model == 1.0 and keys(made.warnings) == []


def test_thirty_steps_with_lightning_are_kept_with_a_warning():
    files = (checkpoint("x_lightning.safetensors", distillation="lightning"),)
    made = plan("a cat", *files, fixed=Fixed(steps=30, cfg=7.0), negative="dog")
    assert (made.settings.steps, made.settings.cfg) == (30, 7.0)
    assert {"warn.steps_distilled", "warn.cfg_distilled"} <= set(keys(made.warnings))


def test_init_image_lowers_denoise():
    assert 0 < plan(has_image=True).settings.denoise < 1
    assert plan().settings.denoise == 1
    assert plan(has_image=True, fixed=Fixed(denoise=0.25)).settings.denoise == 0.25


def test_split_models_name_their_parts_in_the_loaders_order():
    made = plan("a quiet harbour at dawn", diffusion("flux1-dev.safetensors", "flux_dev"), *parts_of("flux_dev"))
    assert made.models.diffusion_model == "flux1-dev.safetensors" and made.models.checkpoint is None
    assert made.models.text_encoders == ("clip_l.safetensors", "t5xxl_fp16.safetensors")
    assert made.models.vae == "ae.safetensors" and made.settings.guidance is not None


def test_low_vram_casts_a_split_model_to_8_bits_and_tiles_the_decode():
    files = (diffusion("flux1-dev.safetensors", "flux_dev", gib=22), *parts_of("flux_dev"))
    made = plan("a quiet harbour", *files, machine=gpu(6), priority=Priority.LOW_VRAM)
    assert made.models.weight_dtype == "fp8_e4m3fn" and made.settings.tiled_decode
    assert {"tradeoff.fp8", "tradeoff.tiles"} <= set(keys(made.reasons))


def test_a_plan_carries_how_its_models_are_held():
    files = (diffusion("flux1-dev.safetensors", "flux_dev", gib=22), *parts_of("flux_dev"))
    made = plan("a quiet harbour", *files, machine=gpu(8), priority=Priority.LOW_VRAM)
    assert (made.memory, made.estimate.fits) == (Offload.AGGRESSIVE, True)
    assert {stage.stage for stage in made.estimate.stages} == set(Stage)
    classes = {node["class_type"] for node in build(made, 1).nodes.values()}
    assert {"IIG_MemoryStrategy", "IIG_FreeMemory"} <= classes
    assert from_json(Plan, to_json(made)) == made


def test_with_memory_to_spare_or_on_a_cpu_a_graph_has_no_node_of_it():
    for machine in (gpu(24), Machine("cpu", 32 * 2**30, 32 * 2**30)):
        made = plan(machine=machine)
        classes = {node["class_type"] for node in build(made, 1).nodes.values()}
        assert made.memory is Offload.NONE and not [name for name in classes if name.startswith("IIG_")]


def test_manual_leaves_memory_to_comfyui():
    made = plan(mode=Mode.MANUAL, machine=gpu(8))
    assert made.memory is Offload.NONE and made.estimate.fits and not made.settings.tiled_decode


def test_both_halves_of_a_model_count_where_they_stay():
    files = complete_set("wan22")
    apart, together = (
        plan("a quiet harbour", *files, machine=gpu(96), memory=memory) for memory in (Offload.BALANCED, Offload.NONE)
    )
    assert together.estimate.vram_bytes > apart.estimate.vram_bytes + 12 * 2**30


def test_prompt_gets_prefix_quality_tags_and_trigger_words_once():
    made = plan(
        "1girl, watercolor",
        checkpoint("wai.safetensors", "illustrious"),
        lora(
            "wash.safetensors", "illustrious", title="Watercolor", tags=("watercolor", "style"), trigger_groups=(("wtrclr",),)
        ),
    )
    assert made.prompt.startswith("masterpiece, best quality") and made.prompt.count("wtrclr") == 1
    again = plan(made.prompt, checkpoint("wai.safetensors", "illustrious"))
    assert again.prompt.count("masterpiece") == 1


def test_emphasis_is_taken_out_where_the_encoder_reads_sentences():
    files = (diffusion("flux1-dev.safetensors", "flux_dev"), *parts_of("flux_dev"))
    made = plan("a (red:1.3) house with ((two)) doors", *files)
    assert made.prompt == "a red house with two doors"
    assert "prompt.emphasis_removed" in keys(made.reasons)
    assert ":1.3" in plan("a (red:1.3) house").prompt


@pytest.mark.parametrize(
    "text", ["\x00\x07", "(" * 3000, "a, " * 30_000, "☃" * 500, "{a|b|" * 200, "<lora:" * 300, "%s %(x)s {steps}"]
)
def test_pathological_prompts_get_a_plan(text):
    made = plan(text)
    assert from_json(Plan, to_json(made)) == made


def test_nothing_at_all_is_no_request():
    with pytest.raises(BadRequest, match="The prompt is empty"):
        plan("   ")


def test_an_analysis_without_anything_in_it_is_enough():
    assert plan(analysis=Analysis("", "")).settings.steps >= 20


def test_contradicting_constraints_are_obeyed_or_said_why_not():
    tight = Constraints(max_vram_bytes=1, max_seconds=0.1, max_pixels=1, max_steps=1, max_loras=0)
    made = plan(constraints=tight)
    assert made.settings.steps == 1 and made.loras == ()
    assert {"warn.max_vram", "warn.max_seconds", "warn.max_pixels"} <= set(keys(made.warnings))


def test_an_unknown_machine_is_no_obstacle():
    made = plan(machine=Machine())
    assert made.estimate.fits is None and made.estimate.vram_bytes > 0


def test_an_all_in_one_file_of_a_split_family_needs_nothing_beside_it():
    whole = checkpoint("flux1-dev-fp8.safetensors", "flux_dev", dtype="fp8_e4m3fn")
    made = plan("a quiet harbour", whole)
    assert made.models.checkpoint == whole.name and made.models.text_encoders == () and made.models.vae is None
    assert {node["class_type"] for node in build(made, 1).nodes.values()} >= {"CheckpointLoaderSimple"}
