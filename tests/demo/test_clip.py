import json
import os
from pathlib import Path

import numpy as np
import pytest
from pack.demo.clip import PLACES, PROJECTION, TOKENS, clip, clip_shapes, to_openclip
from pack.demo.colours import AMPLITUDE, WORDS, rgb
from pack.demo.sparse import Zeros


def test_colours_are_in_minus_one_to_one():
    assert rgb("ff0080").tolist() == pytest.approx([1, -1, 0.0039], abs=1e-3)


def test_words_sit_at_their_rows():
    tokens = clip().at(TOKENS)
    assert tokens[WORDS["red"][0], :4].tolist() == [AMPLITUDE, -AMPLITUDE, -AMPLITUDE, 1]
    assert np.count_nonzero(tokens[:, 3]) == len({row for row, _ in WORDS.values()}) == len(WORDS)


def test_every_token_looks_the_same_to_a_layer_norm():
    places = clip().at(PLACES).astype(np.float64)
    assert places.mean() == 0
    assert places.var(axis=1) == pytest.approx(np.full(77, (768 - 16) / 768))


def test_openclip_naming_keeps_every_number():
    weights = clip_shapes(64, 2)
    weights.at("text_model.encoder.layers.1.self_attn.k_proj.bias")[5] = 7
    weights.at(PROJECTION)[1, 2] = 3
    renamed = to_openclip(weights)
    stacked = renamed["transformer.resblocks.1.attn.in_proj_bias"]
    assert stacked.shape == (192,) and stacked[64 + 5] == 7
    assert renamed["text_projection"][2, 1] == 3
    assert renamed["transformer.resblocks.0.attn.in_proj_weight"] == Zeros((192, 64))
    assert sum(np.prod(tensor.shape) for tensor in renamed.values()) == sum(
        np.prod(tensor.shape) for tensor in weights.values()
    )


@pytest.mark.skipif("COMFYUI_PATHS" not in os.environ, reason="needs a ComfyUI's vocabulary")
def test_rows_are_those_of_the_vocabulary():
    for host in os.environ["COMFYUI_PATHS"].split(os.pathsep):
        vocabulary = json.loads((Path(host) / "comfy/sd1_tokenizer/vocab.json").read_text(encoding="utf-8"))
        assert {word: vocabulary[word + "</w>"] for word in WORDS} == {word: row for word, (row, _) in WORDS.items()}
