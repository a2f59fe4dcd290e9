"""Nodes of memory on a canvas of native ones: what passes through them arrives as it was."""

from __future__ import annotations

import pytest

from .conftest import Host

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
