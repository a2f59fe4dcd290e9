import json
from dataclasses import replace

import pytest
from pack.data import table
from pack.data.families import families
from pack.errors import BadRequest, MissingModel
from pack.graph import api, build
from pack.graph.recipes import RECIPES
from pack.plan import Models
from pack.tests.graph.cases import GOLDEN, SEED, cases, golden_text, lora, plan_of, with_settings

HOSTS = table("native_nodes")
PYTHON = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool, "COMBO": str}


@pytest.mark.parametrize("name", cases())
def test_graph_is_golden(name):
    """Rewrite with ``python tests/graph/golden.py`` and review the diff."""
    assert golden_text(name) == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


def test_every_golden_has_a_case_and_every_family_a_golden():
    names = {path.stem for path in GOLDEN.glob("*.json")}
    assert names == set(cases())
    assert set(families()) <= names
    assert {row.recipe for row in families().values()} == set(RECIPES)


# Older hosts ignore an input they do not know; the picture from an init image is checked on both in tests/host.
NEWER = {("ImageScaleToTotalPixels", "resolution_steps")}


def faults(nodes, host):
    """What ComfyUI's own validation would refuse; it never looks at expanded nodes."""
    known = HOSTS[host]
    for node_id, node in nodes.items():
        if node["class_type"] not in known:
            yield f"{node_id}: no class {node['class_type']}"
            continue
        fields = {field["name"]: field for field in known[node["class_type"]]["inputs"]}
        unknown = [name for name in node["inputs"] if name not in fields and (node["class_type"], name) not in NEWER]
        yield from (f"{node_id}: unknown input {name}" for name in unknown)
        for name, field in fields.items():
            if name in node["inputs"]:
                yield from (f"{node_id}.{name}: {fault}" for fault in misfits(node["inputs"][name], field, nodes, known))
            elif field["required"]:
                yield f"{node_id}: {name} is missing"


def misfits(value, field, nodes, known):
    if field["type"] not in PYTHON:
        if not isinstance(value, list):
            yield f"{value!r} is no link"
        elif value[0] in nodes and nodes[value[0]]["class_type"] in known:
            source = known[nodes[value[0]]["class_type"]]["outputs"][value[1]]["type"]
            if source != field["type"] and "*" not in (source, field["type"]):
                yield f"{source} into {field['type']}"
        return
    if type(value) is not PYTHON[field["type"]]:
        yield f"{value!r} is no {field['type']}"
    elif "choices" in field and value not in field["choices"]:
        yield f"{value!r} is no choice"
    elif not isinstance(value, str) and not field.get("min", value) <= value <= field.get("max", value):
        yield f"{value!r} is out of range"


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", cases())
def test_graph_is_what_the_host_takes(name, host):
    plan, image = cases()[name]
    if not families()[plan.family].runs_on(host):
        pytest.skip(f"{plan.family} needs {families()[plan.family].min_host}")
    assert not list(faults(build(plan, SEED, image=image).nodes, host))


def test_snapshots_hold_what_graphs_use_and_nothing_else():
    used = {node["class_type"] for plan, image in cases().values() for node in build(plan, SEED, image=image).nodes.values()}
    assert set().union(*HOSTS.values()) == used | {"SaveImage", "LoadImage"}


def test_validation_sees_what_is_wrong():
    nodes = json.loads(json.dumps(build(plan_of("sd15"), SEED).nodes))
    nodes["sampler"]["inputs"] |= {"sampler_name": "magic", "cfg": 7, "latent_image": ["checkpoint", 0], "extra": 1}
    del nodes["sampler"]["inputs"]["steps"]
    nodes["decode"]["class_type"] = "VAEDreamer"
    assert len(list(faults(nodes, "0.33.0"))) == 6


@pytest.mark.parametrize("host", HOSTS)
def test_families_above_a_host_are_really_missing_there(host):
    """``min_host`` is no excuse: such a family fails on the older host."""
    for row in families().values():
        if not row.runs_on(host) and row.clip_type not in ("lumina2", "stable_diffusion"):
            assert list(faults(build(plan_of(row.id), SEED).nodes, host)), row.id


@pytest.mark.parametrize("name", cases())
def test_only_sampler_and_noise_depend_on_the_seed(name):
    plan, image = cases()[name]
    before, after = (build(plan, seed, image=image).nodes for seed in (1, 2))
    changed = {before[node_id]["class_type"] for node_id in before if before[node_id] != after[node_id]}
    assert changed <= {"KSampler", "KSamplerAdvanced", "RandomNoise"}
    assert len(changed) == 1 and before.keys() == after.keys()


@pytest.mark.parametrize("name", cases())
def test_every_link_and_output_leads_somewhere(name):
    plan, image = cases()[name]
    graph = build(plan, SEED, prefix="7.0.0.", image=image)
    links = [value for node in graph.nodes.values() for value in node["inputs"].values() if isinstance(value, list)]
    assert all(node_id.startswith("7.0.0.") for node_id in graph.nodes)
    assert all(link[0] in graph.nodes or link == image for link in [*links, *graph.outputs.values()])
    assert set(graph.outputs) == {"image", "latent", "model", "clip", "vae", "positive", "negative"}


def test_lora_ids_follow_the_file_and_not_the_place():
    first, second = lora("a.safetensors"), lora("b.safetensors")
    ids = [
        {node_id for node_id in build(replace(plan_of("sdxl"), loras=stack), SEED).nodes if node_id.startswith("lora_")}
        for stack in ((first, second), (second, first), (first, second, first))
    ]
    assert len(ids[0]) == 2 and ids[0] == ids[1] == ids[2]


def test_near_misses_are_not_loaded():
    plan = replace(plan_of("sdxl"), loras=(replace(lora("a.safetensors"), chosen=False),))
    assert build(plan, SEED).nodes == build(plan_of("sdxl"), SEED).nodes


def test_clip_skip_only_where_the_family_has_it():
    def layers(family):
        nodes = build(with_settings(family, clip_skip=2), SEED).nodes.values()
        return [node["inputs"]["stop_at_clip_layer"] for node in nodes if node["class_type"] == "CLIPSetLastLayer"]

    assert layers("pony") == [-2]
    assert layers("flux_dev") == []


def test_zeroed_negative_where_it_has_no_effect():
    plan = replace(with_settings("sdxl", cfg=1.0), negative="ugly")
    assert build(plan, SEED).nodes["negative"]["class_type"] == "ConditioningZeroOut"
    assert build(plan_of("flux_dev"), SEED).nodes["negative"]["class_type"] == "ConditioningZeroOut"
    assert build(replace(plan, settings=replace(plan.settings, cfg=7.0)), SEED).nodes["negative"]["inputs"]["text"] == "ugly"


def test_two_stages_share_the_steps_of_the_official_templates():
    nodes = build(cases()["sdxl+refiner"][0], SEED).nodes
    first, second = nodes["sampler"]["inputs"], nodes["second_sampler"]["inputs"]
    assert (first["start_at_step"], first["end_at_step"], first["steps"]) == (0, 20, 25)
    assert (second["start_at_step"], second["add_noise"], second["return_with_leftover_noise"]) == (20, "disable", "disable")


def test_an_init_image_keeps_the_number_of_steps():
    """KSampler runs ``steps`` at any denoise; the other two samplers must be told so."""
    stage = build(with_settings("wan22", denoise=0.8), SEED, image=["1", 0]).nodes
    assert stage["sampler"]["inputs"]["steps"] - stage["sampler"]["inputs"]["start_at_step"] == 20
    late = build(with_settings("wan22", denoise=0.4), SEED, image=["1", 0]).nodes
    assert "second_sampler" not in late and late["sampler"]["inputs"]["model"] == ["second_shift", 0]
    flux2 = build(with_settings("flux2_dev", denoise=0.5), SEED, image=["1", 0]).nodes
    assert flux2["scheduler"]["inputs"]["steps"] == 40


def test_denoise_needs_an_image():
    assert build(with_settings("sd15", denoise=0.4), SEED).nodes["sampler"]["inputs"]["denoise"] == 1.0


def test_api_saves_the_picture_and_loads_the_first_one():
    nodes = api(with_settings("sd15", denoise=0.5), SEED, "lighthouse", image="sketch.png")
    assert not list(faults(nodes, "0.33.0"))
    assert nodes["save"]["inputs"] == {"images": ["decode", 0], "filename_prefix": "lighthouse"}
    assert nodes["resized"]["inputs"]["image"] == ["load_image", 0]


def test_plans_nobody_can_build_say_so():
    with pytest.raises(BadRequest, match="family dreams"):
        build(replace(plan_of("sd15"), family="dreams"), SEED)
    with pytest.raises(BadRequest, match="knit"):
        build(replace(plan_of("sd15"), recipe="knit"), SEED)
    with pytest.raises(MissingModel, match=r"Flux\.1 dev"):
        build(replace(plan_of("flux_dev"), models=Models(diffusion_model="flux.safetensors")), SEED)
