import pytest
from pack.data import table
from pack.data.families import distillations, families
from pack.intelligence.check import UNREAD, Draft, check
from pack.plan import Analysis, Constraints, Fixed, Kind, LoraChoice, LoraUse, ModelFile, Models, Request, Settings
from pack.tests.shelf import checkpoint, library, lora


def linted(
    family="sdxl",
    prompt="a cat",
    loras=(),
    distillation=None,
    files=(),
    models=None,
    has_image=False,
    constraints=None,
    fixed=None,
    stack=False,
    complete=True,
    analysis=UNREAD,
    **settings,
):
    known = {"steps": 30, "cfg": 7.0, "sampler": "euler", "scheduler": "normal", "width": 1024, "height": 1024, **settings}
    uses = tuple(choice.use for choice in loras)
    request = Request(
        prompt,
        fixed=fixed or Fixed(),
        has_image=has_image,
        constraints=constraints or Constraints(),
        loras=uses if stack else None,
    )
    rows = distillations()
    draft = Draft(
        request,
        families()[family],
        models or Models(checkpoint="x.safetensors"),
        Settings(**known),
        prompt,
        tuple(loras),
        rows.get(distillation or ""),
        library(*files, complete=complete),
        analysis,
    )
    return [warning.key for warning in check(draft)]


def use(name, strength=0.8, **more):
    return LoraChoice(LoraUse(name, strength, strength), **more)


def test_a_sound_plan_has_no_warning():
    assert linted() == []
    assert linted("flux_dev", cfg=1.0, guidance=3.5, steps=20) == []
    assert linted("z_image_turbo", cfg=1.0, steps=8) == []
    assert linted(distillation="lightning", cfg=1.0, steps=4) == []


@pytest.mark.parametrize(
    ("key", "case"),
    [
        ("warn.cfg_distilled", {"distillation": "lightning", "cfg": 5.0, "steps": 4}),
        ("warn.cfg_distilled", {"family": "z_image_turbo", "cfg": 4.0, "steps": 8}),
        ("warn.cfg_guidance", {"family": "flux_dev", "cfg": 3.5, "steps": 20}),
        ("warn.cfg_one", {"cfg": 1.0}),
        ("warn.guidance", {"guidance": 3.5}),
        ("warn.clip_skip", {"family": "qwen_image", "cfg": 4.0, "fixed": Fixed(clip_skip=2), "clip_skip": 2}),
        ("warn.shift", {"fixed": Fixed(shift=3.0), "shift": 3.0}),
        ("warn.steps_distilled", {"distillation": "lightning", "cfg": 1.0, "steps": 30}),
        ("warn.steps_many", {"family": "z_image_turbo", "cfg": 1.0, "steps": 30}),
        ("warn.steps_few", {"steps": 5}),
        ("warn.scheduler_node", {"family": "flux2_dev", "cfg": 1.0, "steps": 20, "fixed": Fixed(scheduler="karras")}),
        ("warn.size_large", {"width": 2048, "height": 2048}),
        ("warn.size_large", {"family": "sd15", "width": 2048, "height": 256}),
        ("warn.size_small", {"width": 512, "height": 512}),
        ("warn.denoise_zero", {"has_image": True, "denoise": 0.0}),
        ("warn.denoise_one", {"has_image": True, "denoise": 1.0}),
        ("warn.denoise_no_image", {"denoise": 0.5}),
        ("warn.no_vae", {"models": Models(diffusion_model="x.safetensors")}),
        ("warn.fixed_over_limit", {"steps": 30, "constraints": Constraints(max_steps=20)}),
        ("warn.foreign_tags", {"prompt": "score_9, score_8_up, a cat"}),
        ("warn.prompt_empty", {"prompt": " \n"}),
        ("warn.prompt_long", {"prompt": "a cat, " * 2000}),
        ("warn.library_incomplete", {"complete": False}),
    ],
)
def test_each_rule_finds_its_fault_and_nothing_else(key, case):
    assert linted(**case) == [key]


@pytest.mark.parametrize(
    ("key", "file", "choice"),
    [
        ("warn.lora_missing", None, use("a.safetensors")),
        ("warn.lora_broken", lora("a.safetensors", problem="file_truncated"), use("a.safetensors")),
        ("warn.lora_unknown", lora("a.safetensors", family="sdxl"), use("a.safetensors")),
        ("warn.lora_family", lora("a.safetensors", "flux_dev"), use("a.safetensors")),
        ("warn.lora_parent", lora("a.safetensors", "pony"), use("a.safetensors")),
        ("warn.lora_no_keys", lora("a.safetensors"), use("a.safetensors", matched_keys=0, total_keys=192)),
        ("warn.lora_total", lora("a.safetensors"), use("a.safetensors", 3.5)),
        ("warn.lora_scaled", lora("a.safetensors", distillation="lcm"), use("a.safetensors", 0.3, distillation="lcm")),
    ],
)
def test_each_lora_rule_finds_its_fault(key, file, choice):
    if key == "warn.lora_unknown":
        from dataclasses import replace

        file = replace(file, family=None)
    assert linted(loras=(choice,), files=(file,) if file else ()) == [key]


def test_trigger_words_are_missed_only_in_a_stack_the_person_fixed():
    file = lora("a.safetensors", trigger_groups=(("wtrclr", "wash"),))
    assert linted(loras=(use("a.safetensors"),), files=(file,), stack=True) == ["warn.trigger_missing"]
    assert linted(loras=(use("a.safetensors"),), files=(file,), stack=True, prompt="a cat, wtrclr") == []
    assert linted(loras=(use("a.safetensors"),), files=(file,)) == []


def test_distillations_are_not_stacked():
    two = (use("a.safetensors", 1.0, distillation="lcm"), use("b.safetensors", 1.0, distillation="lightning"))
    files = (lora("a.safetensors", distillation="lcm"), lora("b.safetensors", distillation="lightning"))
    assert "warn.distillations" in linted(loras=two, files=files, distillation="lcm", cfg=1.0, steps=8)
    merged = checkpoint("x.safetensors", distillation="lightning")
    assert "warn.distillations" in linted(loras=two[:1], files=(*files, merged), distillation="lightning", cfg=1.0, steps=8)


def test_more_loras_than_the_limit_are_kept_and_told():
    many = tuple(use(f"{name}.safetensors", 0.3) for name in "abc")
    files = tuple(lora(f"{name}.safetensors") for name in "abc")
    assert linted(loras=many, files=files, constraints=Constraints(max_loras=2)) == ["warn.fixed_over_limit"]


@pytest.mark.parametrize(
    ("family", "analysis", "expected"),
    [
        ("sdxl", Analysis("x", "x", language="es"), ["warn.prompt_language"]),
        ("flux_dev", Analysis("x", "x", language="other"), ["warn.prompt_language"]),
        ("flux_dev", Analysis("x", "x", language="mixed"), []),
        ("qwen_image", Analysis("x", "x", language="es"), []),
        ("sdxl", Analysis("x", "x", language="es", translation="x"), []),
    ],
)
def test_encoders_that_know_only_english_are_told_of(family, analysis, expected):
    cfg = {"cfg": 1.0} if family == "flux_dev" else {}
    assert linted(family, analysis=analysis, **cfg) == expected


def test_families_that_know_many_languages_are_families():
    assert set(table("tendencies")["multilingual"]) <= set(families())


def embedding(name, family):
    return ModelFile(Kind.EMBEDDING, name, 10, family=family)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (None, ["warn.embedding_missing"]),
        (embedding("sub/EasyNegative.safetensors", "sd15"), ["warn.embedding_family"]),
        (embedding("easynegative.safetensors", "sdxl"), []),
        (embedding("easynegative.safetensors", "pony"), []),
        (embedding("easynegative.safetensors", None), []),
    ],
)
def test_embeddings_of_the_prompt_are_looked_up(file, expected):
    named = Analysis("x", "x", embeddings=("easynegative",))
    assert linted(files=(file,) if file else (), analysis=named) == expected


def test_embeddings_are_not_missed_before_the_library_is_complete():
    assert linted(complete=False, analysis=Analysis("x", "x", embeddings=("a",))) == ["warn.library_incomplete"]


def test_score_tags_belong_where_they_were_trained():
    assert linted("pony", prompt="score_9, a cat", clip_skip=2) == []
