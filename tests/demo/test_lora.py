import numpy as np
import pytest
from pack.demo import lora
from pack.demo.adapters import colour_shift, colour_word_shift, embedding_sdxl
from pack.demo.shapes import SD15_FULL, SD15_NANO, SDXL
from pack.demo.sparse import F16

LAYERS = [
    lora.Target("down_blocks.0.attentions.0.proj_in", (320, 320, 1, 1)),
    lora.Target("text_model.encoder.layers.0.mlp.fc1", (3072, 768)),
]


def delta(weights, stem, algorithm):
    part = {
        name.removeprefix(stem + "."): tensor.astype(np.float64)
        for name, tensor in weights.items()
        if name.startswith(stem + ".")
    }
    if algorithm == "loha":
        product = (part["hada_w1_a"] @ part["hada_w1_b"]) * (part["hada_w2_a"] @ part["hada_w2_b"])
    elif algorithm == "lokr":
        product = np.kron(part["lokr_w1"], part["lokr_w2"].reshape(part["lokr_w2"].shape[:2]))
    else:
        up, down = part["lora_up.weight"], part["lora_down.weight"]
        product = up.reshape(up.shape[0], -1) @ down.reshape(down.shape[0], -1)
    return product


@pytest.mark.parametrize(("algorithm", "build"), [("lora", lora.low_rank), ("loha", lora.hadamard), ("lokr", lora.kronecker)])
def test_every_algorithm_changes_each_layer_in_its_shape(algorithm, build):
    weights = build(LAYERS, lora.kohya(), lora.noise(1))
    for target in LAYERS:
        change = delta(weights, lora.kohya()(target)[0], algorithm)
        assert change.shape == target.shape[:2]
        assert np.abs(change).max() > 0


def test_dora_keeps_the_length_of_the_base_rows():
    layers = [target for target in lora.targets(SD15_FULL) if target.path.endswith("attn2.to_q")][:1]
    weights = lora.dora(layers, lora.kohya(), lora.noise(1))
    (lengths,) = (tensor for name, tensor in weights.items() if name.endswith("dora_scale"))
    assert lengths.shape == (320, 1)
    assert lengths[3] > 1 and np.count_nonzero(lengths) == 1  # the one wired row


def test_names_are_those_of_the_trainers():
    unet, text = LAYERS
    assert lora.kohya()(unet)[1] == "lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight"
    assert lora.kohya("lora_te1_")(text)[0] == "lora_te1_text_model_encoder_layers_0_mlp_fc1"
    assert lora.peft(text)[2] == "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight"
    assert lora.attention_processor(unet) is None
    attention = lora.Target("mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0", (320, 320))
    assert lora.attention_processor(attention)[1].endswith("attn1.processor.to_out_lora.up.weight")


def test_targets_cover_every_transformer_once():
    paths = [target.path for target in lora.targets(SD15_FULL)]
    assert len(paths) == len(set(paths)) == 6 * 12
    assert {path.split(".")[0] for path in paths} == {"down_blocks", "mid_block", "up_blocks"}
    assert len(lora.targets(SDXL)) == 2 + 2 * 10 + 2 + 5 * 10


def test_a_colour_shift_acts_on_every_token_and_a_word_shift_on_colours_only():
    plain = np.zeros(768)
    plain[17] = 1  # the position table's pattern
    coloured = plain.copy()
    coloured[3] = 1
    for build, on_plain in ((colour_shift, True), (colour_word_shift, False)):
        weights = build(SD15_NANO, (0.5, 0.0, -0.5))
        (up,) = (tensor for name, tensor in weights.items() if "lora_up" in name)
        (down,) = (tensor for name, tensor in weights.items() if "lora_down" in name)
        shifts = [(up @ (down @ token))[:3] for token in (plain, coloured)]
        assert bool(shifts[0].any()) is on_plain
        assert shifts[1][0] > 0 > shifts[1][2] and up.dtype == F16


def test_sdxl_loras_have_the_widths_that_tell_the_family():
    (down,) = (tensor for name, tensor in colour_shift(SDXL, (1, 0, 0)).items() if "lora_down" in name)
    assert down.shape == (1, 2048)
    assert {name: tensor.shape for name, tensor in embedding_sdxl("ff0000").items()} == {
        "clip_l": (2, 768),
        "clip_g": (2, 1280),
    }
