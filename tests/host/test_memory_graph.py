"""Nodes of memory on a canvas of native ones: what passes through them arrives as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pack.plan import Offload, Precision
from pack.values import to_json

from .conftest import Host
from .test_auto_pipeline import ONLY_SAMPLING, split

CHECKPOINT = "toy_sd15.safetensors"


def graph(checkpoint: str, seed: int = 1) -> dict:
    return {
        "load": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "positive": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red cat", "clip": ["load", 1]}},
        "negative": {"class_type": "CLIPTextEncode", "inputs": {"text": "blue", "clip": ["load", 1]}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "sampler": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["load", 0],
                "seed": seed,
                "steps": 2,
                "cfg": 4.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "latent_image": ["latent", 0],
                "denoise": 1.0,
            },
        },
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": ["load", 2]}},
        "save": {"class_type": "SaveImage", "inputs": {"images": ["decode", 0], "filename_prefix": "memory"}},
    }


@pytest.mark.parametrize("what", ["models", "pool"])
def test_what_passes_through_fits_native_nodes(host: Host, what: str) -> None:
    plain = graph(CHECKPOINT)
    expected = host.picture(host.client.run(plain)).pixels
    plain["pass"] = {"class_type": "IIG_FreeMemory", "inputs": {"what": what, "value": ["sampler", 0], "also": ["latent", 0]}}
    plain["watch"] = {
        "class_type": "IIG_MemoryMonitor",
        "inputs": {"value": ["decode", 0], "language": "en", "verbosity": "standard"},
    }
    plain["decode"]["inputs"]["samples"] = ["pass", 0]
    plain["save"]["inputs"]["images"] = ["watch", 0]
    run = host.client.run(plain)
    assert host.picture(run).pixels == expected
    assert run.outputs["pass"]["text"] and run.outputs["watch"]["text"]


@pytest.mark.parametrize("memory", ["none", "balanced", "aggressive"])
def test_a_strategy_changes_no_picture_and_keeps_what_a_new_seed_needs(host: Host, memory: str) -> None:
    wanted = {"prompt": "a teal boat, watercolor painting", "checkpoint": "toy_sd15.safetensors"}
    as_it_is = host.picture(host.auto(**wanted, seed=1))
    held = host.picture(host.auto(**wanted, seed=1, memory=memory))
    assert held.pixels == as_it_is.pixels
    assert held.plan.memory is Offload(memory) and held.plan.request.memory is Offload(memory)
    again = [node.rsplit(".", 1)[-1] for node in host.auto(**wanted, seed=2, memory=memory).executed if ".iig." in node]
    assert set(again) - {"after_decode"} == ONLY_SAMPLING


def test_a_model_in_parts_comes_after_the_text_in_8_bits(host: Host) -> None:
    """Text encoder on the CPU, a border, then the diffusion model in int8: the picture stays nearly the same."""
    plan = split("sd35_medium", "toy_sd3.safetensors", ("toy_clip_l.safetensors",), "toy_vae_sd3.safetensors")
    plain = host.picture(host.auto(accepted_plan=to_json(plan), seed=7))
    models = replace(plan.models, weight_dtype=Precision.INT8, encoder_on_cpu=True)
    run = host.auto(accepted_plan=to_json(replace(plan, models=models, memory=Offload.AGGRESSIVE)), seed=7)
    ran = [node.rsplit(".", 1)[-1] for node in run.executed]
    assert ran.index("positive") < ran.index("border") < ran.index("diffusion_model") < ran.index("sampler")
    assert host.picture(run).mean() == pytest.approx(plain.mean(), abs=12)


def test_a_checkpoint_in_8_bits_keeps_its_loras(host: Host) -> None:
    wanted = {"prompt": "a red cat, anime style", "checkpoint": "toy_sd15.safetensors", "seed": 3}
    plan = host.picture(host.auto(**wanted)).plan
    assert plan.loras
    plain = host.picture(host.auto(accepted_plan=to_json(plan), seed=3))
    eight = replace(plan, models=replace(plan.models, weight_dtype=Precision.INT8), memory=Offload.BALANCED)
    assert host.picture(host.auto(accepted_plan=to_json(eight), seed=3)).mean() == pytest.approx(plain.mean(), abs=12)
