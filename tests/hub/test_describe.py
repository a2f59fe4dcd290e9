import json

import pytest
from pack.data.families import families
from pack.hub.describe import top_tags
from pack.plan import Kind

SDXL = {
    "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
    "model.diffusion_model.label_emb.0.0.weight": (1280, 2816),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    "conditioner.embedders.0.transformer.text_model.embeddings.position_ids": (1, 77),
}


def only(registry, kind):
    registry.scan()
    (file,) = (file for file in registry.library().files if file.kind is kind)
    return file


def test_training_metadata_speaks_where_no_sidecar_does(registry, tree, write_model, sd15_lora):
    metadata = {
        "ss_tag_frequency": json.dumps({"10_ink": {"ink": 40, "lines ": 60}, "x": {"ink": 30, "bad": "y"}}),
        "modelspec.title": "Ink",
        "modelspec.trigger_phrase": "ink style, lines",
        "modelspec.license": "CC-BY",
        "modelspec.description": "<p>About</p>",
    }
    write_model(tree / "loras" / "a.safetensors", sd15_lora, metadata)
    file = only(registry, Kind.LORA)
    assert (file.title, file.description, file.tags) == ("Ink", "About", ("ink", "lines"))
    assert file.trigger_groups == (("ink style", "lines"),) and file.licence == {"name": "CC-BY"}


def test_sidecars_come_before_metadata_and_reach_the_library(registry, tree, write_model, sd15_lora):
    write_model(tree / "loras" / "a.safetensors", sd15_lora, {"modelspec.title": "Ink"})
    (tree / "loras" / "a.civitai.info").write_text(
        json.dumps(
            {
                "id": 2,
                "modelId": 1,
                "baseModel": "SD 1.5",
                "model": {"name": "Better", "poi": True},
                "stats": {"downloadCount": 9},
            }
        )
    )
    (tree / "loras" / "a.webp").write_bytes(b"x")
    file = only(registry, Kind.LORA)
    assert (file.title, file.downloads, file.real_person, file.hub_id) == ("Better", 9, True, "civitai:1@2")
    assert (file.family, file.preview) == ("sd15", "a.webp")


def test_a_descendant_with_v_prediction(registry, tree, write_model):
    write_model(tree / "checkpoints" / "noobaiXL_vpred10.safetensors", SDXL)
    file = only(registry, Kind.CHECKPOINT)
    assert file.prediction.value == "v" and families()[file.family].prediction.value == "v"
    assert file.parts == {"unet", "clip", "vae"} and file.architecture == "sdxl"


def test_a_model_for_another_purpose_gets_no_family(registry, tree, write_model):
    write_model(tree / "checkpoints" / "juggernaut_inpainting.safetensors", SDXL)
    file = only(registry, Kind.CHECKPOINT)
    assert (file.architecture, file.family, file.tags) == (None, None, ("inpainting",))
    assert file.usable


def test_a_distilled_checkpoint(registry, tree, write_model):
    write_model(tree / "checkpoints" / "dreamshaperXL_lightningDPMSDE.safetensors", SDXL)
    assert only(registry, Kind.CHECKPOINT).distillation == "lightning"


def test_a_misplaced_file_is_listed_with_its_reason(registry, tree, write_model, sd15_lora):
    write_model(tree / "checkpoints" / "a.safetensors", sd15_lora)
    file = only(registry, Kind.CHECKPOINT)
    assert file.problem == "belongs_in_loras" and not file.usable


@pytest.mark.parametrize("kind", Kind)
def test_every_place_a_file_can_belong_to_has_a_sentence(kind):
    from pack.errors import LANGUAGES, sentence

    if kind not in (Kind.STYLE_MODEL, Kind.UPSCALER):  # never certain enough to say
        for language in LANGUAGES:
            assert kind.value in sentence("errors", f"belongs_in_{kind.value}", language, {"name": "x"})


def test_tag_counts_of_any_shape_do_no_harm():
    assert top_tags("") == top_tags("{oops") == top_tags("[1]") == top_tags('{"a": 1}') == []
    assert top_tags('{"a": {"x": 1, "y": 2}}') == ["y", "x"]
