import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from pack.data import table
from pack.data.families import Distillation, Family, distillation_named, distillations, families, family_named, family_of_base
from pack.plan import Dialect, Level, Priority

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FACTS = json.loads((HERE / "template_settings.json").read_text(encoding="utf-8"))
ROWS = families()
GROUPS = {"default", "anime", "photo", "artistic"}
ARCHITECTURES = {"sd15", "sd20", "sdxl", "sdxl_refiner", "sd3", "flux", "flux_schnell", "flux2", "chroma", "qwen_image"}
ARCHITECTURES |= {"z_image", "hidream", "lumina2", "anima", "ernie_image", "krea2", "wan21", "wan22"}
# Columns that share a source.
SOURCED = {"min_side": "sides", "max_side": "sides", "multiple": "sides", "latent_channels": "latent", "latent_scale": "latent"}
# Numbers that order rows or are part of a name.
UNSOURCED = {"match_rank", "match"}


def has_number(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return any(map(has_number, value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@pytest.mark.parametrize("kind", ["family", "distillation"])
def test_every_number_has_a_source(kind):
    """A variant that says its own number says its own source, too."""
    for name, row in table("families")[kind].items():
        for column in row.keys() - UNSOURCED:
            if column == "samplers" or (has_number(row[column]) and row[column]):
                assert SOURCED.get(column, column) in row.get("sources", {}), f"{name}.{column}"


def test_every_source_speaks_of_something():
    for name, row in ROWS.items():
        columns = {SOURCED.get(column.name, column.name) for column in fields(Family)}
        assert set(row.sources) <= columns, name
        assert all(len(text) > 5 for text in row.sources.values())


@pytest.mark.parametrize("kind", [Family, Distillation])
def test_every_column_is_used(kind):
    """By a row, and by code or by a test: a column nobody reads is a column nobody keeps right."""
    rows = ROWS if kind is Family else distillations()
    sources = [
        path for folder in ("graph", "intelligence", "data", "hub", "nodes", "tests") for path in (ROOT / folder).rglob("*.py")
    ]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    for column in fields(kind):
        assert any(getattr(row, column.name) for row in rows.values()), column.name
        assert re.search(rf"\.{column.name}\b", code), column.name


def test_rows_are_consistent():
    for row in ROWS.values():
        assert row.architecture in ARCHITECTURES
        assert set(row.steps) == set(row.samplers) == set(Priority)
        assert row.steps[Priority.SPEED] <= row.steps[Priority.BALANCED] <= row.steps[Priority.QUALITY]
        assert "default" in row.cfg and set(row.cfg) <= GROUPS
        assert all(low <= high for low, high in row.cfg.values())
        assert row.buckets, row.id
        for width, height in row.buckets:
            assert width % row.multiple == height % row.multiple == 0
            assert row.min_side <= min(width, height) and max(width, height) <= row.max_side, (row.id, width, height)
        width, height = row.buckets[0]
        assert abs(width * height / row.native_pixels - 1) < 0.05, row.id
        assert row.multiple % row.latent_scale == 0
        assert set(row.lora_parents) <= set(ROWS) - {row.id}
        assert all(0 < factor < 1 for factor in row.lora_parents.values())
        assert not row.second_family or row.second_family in ROWS
    assert {row.architecture for row in ROWS.values()} == ARCHITECTURES


def test_one_vae_has_one_latent():
    for row in ROWS.values():
        latents = {(other.latent_channels, other.latent_scale) for other in ROWS.values() if other.vae == row.vae}
        assert len(latents) == 1, row.vae


def test_dialects_fit_their_words():
    """Quality tags belong to models trained on tags, emphasis to encoders that implement it."""
    for row in ROWS.values():
        assert row.dialect is Dialect.TAGS or not row.quality_tags, row.id
        assert row.dialect is Dialect.PROSE or row.emphasis, row.id
        assert not row.prompt_prefix or row.prompt_prefix.endswith(" "), row.id
        assert row.negative_acts or not row.negative_prefix, row.id
        assert row.memory_factor > 0 and row.label, row.id


def test_loras_cross_only_between_equal_shapes():
    """Flux.1 schnell lacks one block of dev; Chroma is pruned from schnell."""
    kin = {"flux", "flux_schnell", "chroma"}
    for row in ROWS.values():
        for parent in row.lora_parents:
            theirs = ROWS[parent].architecture
            assert theirs == row.architecture or {theirs, row.architecture} <= kin


def test_split_families_name_their_files():
    for row in ROWS.values():
        if row.recipe == "checkpoint" and not row.text_encoders:
            continue
        assert row.vae and row.text_encoders and row.clip_loader
        loaders = {1: "CLIPLoader", 2: "DualCLIPLoader", 3: "TripleCLIPLoader", 4: "QuadrupleCLIPLoader"}
        assert loaders[len(row.text_encoders)] == row.clip_loader
        for part in (*row.text_encoders, row.vae):
            assert part.folder in ("text_encoders", "vae") and part.url.startswith("https://huggingface.co/")


def test_a_part_recognises_its_own_file():
    for name, part in table("families")["part"].items():
        assert any(re.search(pattern, part["file"].lower()) for pattern in part["match"]), name


def test_parts_of_one_family_are_not_confused():
    for row in ROWS.values():
        for part in row.text_encoders:
            taken = [other.file for other in row.text_encoders if any(re.search(p, part.file.lower()) for p in other.match)]
            assert taken == [part.file], row.id


def test_first_system_bands_hold_for_its_own_families_alone():
    for name in ("sd15", "sdxl"):
        row = ROWS[name]
        assert row.complexity_steps == {Level.SIMPLE: (20, 30), Level.MODERATE: (30, 40), Level.COMPLEX: (40, 50)}
        assert row.cfg["anime"] == (5, 8) and row.cfg["photo"] == (8, 12) and row.cfg["artistic"] == (7, 10)
        assert row.samplers[Priority.SPEED][0] == "euler_ancestral"
        assert row.samplers[Priority.QUALITY] == ("dpmpp_2m", "karras")
    for row in ROWS.values():
        if row.id not in ("sd15", "sdxl", "sdxl_refiner"):
            assert not row.complexity_steps, row.id


def test_cfg_1_means_no_negative():
    for row in ROWS.values():
        highest = max(high for _, high in row.cfg.values())
        assert row.negative_acts == (highest > 1 and not row.guidance), row.id
        assert row.negative_acts or not row.negative_tags


def test_distilled_rows_need_few_steps():
    for row in ROWS.values():
        assert not row.distilled or (row.steps[Priority.QUALITY] <= 28 and row.cfg["default"] == (1, 1))


NAMES = [
    ("sdxl", "ponyDiffusionV6XL_v6StartWithThisOne.safetensors", "pony"),
    ("sdxl", "Illustrious-XL-v1.0.safetensors", "illustrious"),
    ("sdxl", "waiNSFWIllustrious_v140.safetensors", "illustrious"),
    ("sdxl", "noobaiXLNAIXL_epsilonPred11Version.safetensors", "noobai"),
    ("sdxl", "noobaiXLNAIXL_vPred10Version.safetensors", "noobai_v"),
    ("sdxl", "sd_xl_base_1.0.safetensors", "sdxl"),
    ("sd20", "v2-1_768-ema-pruned.safetensors", "sd20_v"),
    ("sd20", "v2-1_512-ema-pruned.safetensors", "sd20"),
    ("sd3", "sd3.5_large_fp8_scaled.safetensors", "sd35_large"),
    ("sd3", "sd3.5_large_turbo.safetensors", "sd35_large_turbo"),
    ("sd3", "sd3.5_medium.safetensors", "sd35_medium"),
    ("sd3", "sd3_medium_incl_clips_t5xxlfp8.safetensors", "sd3_medium"),
    ("flux", "flux1-krea-dev_fp8_scaled.safetensors", "flux_krea"),
    ("flux2", "flux-2-klein-9b.safetensors", "flux2_klein_9b"),
    ("krea2", "krea2_raw_bf16.safetensors", "krea2_raw"),
    ("wan21", "wan2.1_t2v_14B_fp16.safetensors", "wan21"),
]


@pytest.mark.parametrize("architecture, name, family", NAMES)
def test_siblings_are_told_apart_by_name(architecture, name, family):
    row, named = family_named(architecture, [name])
    assert (row.id, named) == (family, True)


@pytest.mark.parametrize(
    "architecture, name, billions, family",
    [
        ("sd3", "sd3.5.safetensors", 2.5, "sd35_medium"),
        ("sd3", "sd3.5.safetensors", 8.1, "sd35_large"),
        ("flux2", "klein_mix.safetensors", 9.0, "flux2_klein_9b"),
        ("flux2", "mymerge.safetensors", 4.0, "flux2_klein"),
        ("flux2", "flux2_dev.safetensors", 0, "flux2_dev"),
        ("flux2", "mymerge.safetensors", 500.0, "flux2_dev"),
    ],
)
def test_siblings_are_told_apart_by_size(architecture, name, billions, family):
    assert family_named(architecture, [name], int(billions * 1e9))[0].id == family


def test_official_files_name_their_family():
    for family, fact in FACTS["families"].items():
        row, named = family_named(ROWS[family].architecture, [fact["model"]])
        assert (row.id, named) == (family, True)


def test_hub_names_lead_to_their_family():
    """Names that hubs give to distilled SDXL models stay SDXL."""
    for family, row in ROWS.items():
        for name in row.base_models:
            assert family_named(row.architecture, [name])[0].id == family, name


def test_hub_and_trainer_names_are_known():
    names = [(re.sub(r"[\W_]+", "", name.lower()), row.id) for row in ROWS.values() for name in row.base_models]
    assert len({name for name, _ in names}) == len(set(names))
    known = {"SDXL 1.0": "sdxl", "stable-diffusion-xl-v1-base/lora": "sdxl", "sdxl_base_v1-0": "sdxl", "Pony": "pony"}
    known |= {"Illustrious": "illustrious", "NoobAI": "noobai", "Flux.1 D": "flux_dev", "SD 1.5": "sd15", "sd_v1": "sd15"}
    known |= {"black-forest-labs/FLUX.1-dev": "flux_dev", "Flux.1 S": "flux_schnell", "ZImageTurbo": "z_image_turbo"}
    for name, family in known.items():
        assert family_of_base(name).id == family
    assert family_of_base("Etch A Sketch") is None


def test_an_unnamed_file_is_its_architecture():
    for architecture in ARCHITECTURES:
        row, named = family_named(architecture, ["mymerge_v3.safetensors"])
        assert row.architecture == architecture and not named
    assert family_named("sdxl", ["x"])[0].id == "sdxl"
    assert family_named("telepathy", ["x"]) == (None, False)


@pytest.mark.parametrize(
    "architecture, name, expected",
    [
        ("sdxl", "Hyper-SDXL-8steps-lora.safetensors", "hyper"),
        ("sdxl", "sdxl_lightning_4step_lora.safetensors", "lightning"),
        ("sdxl", "dmd2_sdxl_4step_lora.safetensors", "dmd2"),
        ("sdxl", "dreamshaperXL_v21TurboDPMSDE.safetensors", "turbo"),
        ("sd15", "LCM_LoRA_Weights_SD15.safetensors", "lcm"),
        ("flux", "Hyper-FLUX.1-dev-8steps-lora.safetensors", "hyper_flux"),
        ("flux", "FLUX.1-Turbo-Alpha.safetensors", "turbo_flux"),
        ("qwen_image", "Qwen-Image-Lightning-8steps-V1.0.safetensors", "lightning_qwen"),
        ("qwen_image", "Wuli-Qwen-Image-2512-Turbo-LoRA-2steps-V1.0-bf16.safetensors", "turbo_qwen"),
        ("wan21", "wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise.safetensors", "lightx2v"),
        ("sdxl", "juggernautXL_v9.safetensors", None),
        ("z_image", "z_image_turbo_bf16.safetensors", None),
    ],
)
def test_distillations_are_named(architecture, name, expected):
    row = distillation_named(architecture, [name])
    assert (row and row.id) == expected


def test_distillations_name_real_architectures():
    for row in distillations().values():
        assert row.architectures and set(row.architectures) <= ARCHITECTURES
        assert row.label and row.steps and row.cfg == 1 and 0 < row.strength <= 1


def test_halves_of_a_two_part_model():
    row = ROWS["wan22"]
    assert row.half_of("wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors") == 0
    assert row.half_of("styles/ink_low_noise.safetensors") == 1
    assert row.half_of("highland.safetensors") is None
    assert ROWS["sdxl"].half_of("high_noise.safetensors") is None


@pytest.mark.parametrize("host", table("native_nodes"))
def test_every_sampler_exists_on_the_hosts(host):
    fields_of = {field["name"]: field for field in table("native_nodes")[host]["KSampler"]["inputs"]}
    pairs = [pair for row in ROWS.values() if row.runs_on(host) for pair in row.samplers.values()]
    pairs += [(row.sampler, row.scheduler) for row in distillations().values()]
    assert {sampler for sampler, _ in pairs} <= set(fields_of["sampler_name"]["choices"])
    assert {scheduler for _, scheduler in pairs} <= set(fields_of["scheduler"]["choices"])


def test_hosts():
    assert ROWS["flux2_dev"].runs_on("0.33.0") and not ROWS["flux2_dev"].runs_on("0.3.64")
    assert ROWS["sdxl"].runs_on("0.3.64")


# --------------------------------------------------------------------------- the official templates


def differences(row, fact):
    """Columns in which a row cannot give what the official template has."""
    steps = [*row.steps.values(), *(step for band in row.complexity_steps.values() for step in band)]
    low, high = row.cfg["default"]
    wanted = (fact["guidance"] or 3.5) if row.guidance else fact["cfg"]
    pairs = {(sampler, row.scheduler_node or scheduler) for sampler, scheduler in row.samplers.values()}
    checks = {
        "steps": min(steps) <= fact["steps"] <= max(steps),
        "cfg": low <= wanted <= high,
        "samplers": (fact["sampler"], fact["scheduler"]) in pairs,
        "shift": fact["shift"] == row.shift,
        "size": (fact["width"], fact["height"]) in row.buckets,
    }
    if fact["text_encoders"]:
        files = {part.file for part in row.text_encoders}
        loader = (fact["clip_loader"], fact["clip_type"], set(fact["text_encoders"]))
        checks["text_encoders"] = loader == (row.clip_loader, row.clip_type, files)
    if fact["vae"]:
        checks["vae"] = row.vae.file == fact["vae"]
    return {column for column, same in checks.items() if not same}


@pytest.mark.parametrize("family", FACTS["families"])
def test_row_gives_the_official_template_or_says_why_not(family):
    row = ROWS[family]
    assert differences(row, FACTS["families"][family]) == set(row.deliberate)
    assert FACTS["families"][family]["template"] in " ".join(row.sources.values())


@pytest.mark.parametrize("name", FACTS["distillations"])
def test_distillation_gives_the_official_template_or_says_why_not(name):
    row, fact = distillations()[name], FACTS["distillations"][name]
    base = ROWS[fact["base"]]
    checks = {
        "steps": fact["steps"] in row.steps,
        "cfg": fact["cfg"] == row.cfg,
        "sampler": fact["sampler"] == row.sampler,
        "scheduler": fact["scheduler"] in (row.scheduler, base.scheduler_node),
        "shift": row.shift in (None, fact["shift"]),
        "size": "size" in base.deliberate or (fact["width"], fact["height"]) in base.buckets,
    }
    assert {column for column, same in checks.items() if not same} == set(row.deliberate)
    assert fact["template"] in " ".join(row.sources.values())


def test_rows_without_a_template_excuse_nothing():
    assert all(family in FACTS["families"] for family, row in ROWS.items() if row.deliberate)
    assert all(name in FACTS["distillations"] for name, row in distillations().items() if row.deliberate)
