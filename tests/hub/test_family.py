import pytest
from pack.data.families import families
from pack.hub.family import HUB, METADATA, NAME, Clues, distillation_said, family_of, prediction_said, purpose, refine
from pack.plan import Prediction


def test_the_hub_decides_before_the_metadata_before_the_name():
    clues = Clues(hub="Illustrious", metadata="ponyDiffusionV6XL.safetensors", name="noobai_style.safetensors")
    assert family_of("sdxl", clues) == ("illustrious", HUB)
    clues = Clues(metadata="ponyDiffusionV6XL.safetensors", name="noobai_style.safetensors")
    assert family_of("sdxl", clues) == ("pony", METADATA)
    assert family_of("sdxl", Clues(name="styles/noobai_style.safetensors")) == ("noobai", NAME)


def test_without_a_word_the_architecture_stands_for_itself_with_little_confidence():
    family, confidence = family_of("sdxl", Clues(name="mystery.safetensors"))
    assert family == "sdxl" and confidence < NAME


def test_a_hub_that_speaks_of_another_architecture_is_not_believed():
    assert family_of("sd15", Clues(hub="Pony", name="x.safetensors"))[0] == "sd15"


def test_the_architecture_by_its_own_word_names_no_descendant():
    clues = Clues(name="pony_x.safetensors", spec="sdxl_base_v1-0 stable-diffusion-xl-v1-base/lora")
    assert family_of("sdxl", clues)[0] == "pony"


@pytest.mark.parametrize("architecture", sorted({row.architecture for row in families().values()}))
def test_every_architecture_has_a_family(architecture):
    family, confidence = family_of(architecture, Clues(name="x.safetensors"))
    assert families()[family].architecture == architecture and 0 < confidence <= 1


@pytest.mark.parametrize("row", families().values(), ids=lambda row: row.id)
def test_every_hub_name_of_a_row_leads_to_its_architecture(row):
    for base in row.base_models:
        family, confidence = family_of(row.architecture, Clues(hub=base, name="x"))
        assert confidence == HUB and families()[family].architecture == row.architecture


def test_unknown_architectures_have_none():
    assert family_of(None, Clues(hub="Pony")) == (None, 0.0)
    assert family_of("nothing", Clues(hub="Pony")) == (None, 0.0)


def test_measured_v_prediction_picks_the_variant():
    clues = Clues(hub="NoobAI", name="x")
    chosen = family_of("sdxl", clues, Prediction.V)[0]
    assert families()[chosen].prediction is Prediction.V
    assert families()[family_of("sdxl", clues, Prediction.EPS)[0]].prediction is Prediction.EPS


def test_the_number_of_weights_tells_sizes_apart():
    large, medium = (family_of("sd3", Clues(name="model"), Prediction.FLOW, int(size * 1e9))[0] for size in (8.1, 2.5))
    assert "large" in large and "medium" in medium


def test_v_prediction_is_read_from_names_and_metadata():
    assert prediction_said(Clues(name="noobaiXL_vPred10.safetensors")) is Prediction.V
    assert prediction_said(Clues(name="v2-1_768-ema.safetensors")) is Prediction.V
    assert prediction_said(Clues(name="vivid_prediction_free.safetensors")) is None


def test_models_for_another_purpose_are_told():
    assert purpose(Clues(name="flux1-kontext-dev.safetensors")) == "editing"
    assert purpose(Clues(name="qwen_image_edit_2509.safetensors")) == "editing"
    assert purpose(Clues(name="sd_xl_base_inpainting_0.1.safetensors")) == "inpainting"
    assert purpose(Clues(name="creditable_filler.safetensors")) is None


def test_words_tell_equal_shapes_apart():
    assert refine("flux", Clues(name="chroma_style.safetensors")) == "chroma"
    assert refine("flux", Clues(name="monochrome.safetensors")) == "flux"
    assert refine("sd15", Clues(name="sdxl_vae.safetensors"), "refine_vae") == "sdxl"
    assert refine("sd15", Clues(name="vae-ft-mse-840000.safetensors"), "refine_vae") == "sd15"


def test_distillations_are_read_from_every_word():
    assert distillation_said("sdxl", Clues(name="dreamshaperXL_lightning.safetensors")) == "lightning"
    assert distillation_said("sd15", Clues(title="LCM LoRA")) == "lcm"
    assert distillation_said("sdxl", Clues(name="plain.safetensors")) is None
    assert distillation_said(None, Clues(name="lcm")) is None
