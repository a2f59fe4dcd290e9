"""The guide: a line for what is here, one for what is missing, and the right button."""

from __future__ import annotations

import pytest
from pack.errors import LANGUAGES
from pack.intelligence.guide import Around, counts, families_found, starters, steps
from pack.plan import GIB, Kind, Library, Machine, ModelFile

GPU = Machine(device="cuda", vram_bytes=8 * GIB, ram_bytes=32 * GIB, host_version="0.33.0")
CPU = Machine(device="cpu", vram_bytes=16 * GIB, ram_bytes=16 * GIB, host_version="0.33.0")
PARTS = frozenset({"unet", "clip", "vae"})
SDXL = ModelFile(Kind.CHECKPOINT, "base.safetensors", family="sdxl", architecture="sdxl", parts=PARTS, hub_id="civitai:1@2")
LORA = ModelFile(Kind.LORA, "ink.safetensors", family="sdxl", architecture="sdxl", hub_id="civitai:3@4")
FLUX_LORA = ModelFile(Kind.LORA, "flux.safetensors", family="flux_dev", architecture="flux", hub_id="civitai:5@6")
SPOILT = ModelFile(Kind.VAE, "half.safetensors", problem="file_truncated")


def guide(*files, machine=GPU, around=Around(), language="en", complete=True):  # noqa: B008 – frozen
    found = steps(Library(tuple(files), complete=complete), machine, around, language)
    return {step.key: step for step in found}


def test_an_empty_machine_is_told_to_get_a_model():
    told = guide()
    assert (told["models"].state, told["models"].do) == ("todo", "download")
    assert "8.0 GiB" in told["models"].said and "loras" not in told and "unknown" not in told
    assert "graphics card" in guide(machine=CPU)["models"].said


def test_the_first_model_fits_the_machine():
    small = Machine(device="cuda", vram_bytes=4 * GIB, ram_bytes=8 * GIB, host_version="0.33.0")
    large = Machine(device="cuda", vram_bytes=24 * GIB, ram_bytes=64 * GIB, host_version="0.33.0")
    best = [starters(machine)[0].ref for machine in (small, GPU, large)]
    assert len(set(best)) == 3 and all(ref.startswith("huggingface:") for ref in best)


def test_offline_leads_to_the_settings_and_to_no_hub():
    told = guide(around=Around(offline=True))
    assert told["models"].do == "settings" and (told["hubs"].state, told["hubs"].do) == ("note", "settings")
    told = guide(SDXL, ModelFile(Kind.LORA, "a.safetensors"), around=Around(offline=True))
    assert told["unknown"].do == ""
    assert guide(SDXL, around=Around(offline=True))["loras"].do == ""


def test_what_is_here_is_counted():
    told = guide(SDXL, LORA, FLUX_LORA, SPOILT)
    assert told["models"].state == "good" and "1 (SDXL)" in told["models"].said
    assert told["loras"].said.startswith("LoRAs: 2, of which 1 ")
    assert told["unusable"].about == {"kind": "vae", "only": "unusable"} and "half.safetensors" in told["unusable"].said
    library = Library((SDXL, LORA, FLUX_LORA, SPOILT))
    assert counts(library) == {"checkpoints": 1, "loras": 2}
    assert [(family.id, count) for family, count in families_found(library)] == [("sdxl", 1)]


def test_without_loras_the_hubs_are_searched_for_the_models_own():
    step = guide(SDXL)["loras"]
    assert (step.do, step.about["kind"]) == ("search", "loras") and "SDXL" in step.about["base_model"]


def test_files_that_nobody_asked_about_are_to_be_recognised_once():
    stranger = ModelFile(Kind.LORA, "stranger.safetensors")
    assert guide(SDXL, stranger)["unknown"].state == "todo"
    told = guide(SDXL, stranger, around=Around(recognises=True))["unknown"]
    assert (told.state, told.do) == ("note", "recognise") and ": 1; of 1 " in told.said
    assert "unknown" not in guide(SDXL, LORA)


def test_while_the_disk_is_read_nothing_is_missing_yet():
    told = guide(complete=False)
    assert told["disk"].do == "again" and "models" not in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reader_says_what_it_reads_with_or_why_it_does_not(language):
    silent = guide(around=Around(silence="Nobody home."), language=language)["reader"]
    assert silent.said.startswith("Nobody home. ") and "ollama pull" in silent.said
    assert "qwen3:4b" in guide(around=Around(models=("qwen3:4b",)), language=language)["reader"].said
