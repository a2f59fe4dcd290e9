"""Which form weights are held in: the pure part, and int8 with its scales in the weight."""

from __future__ import annotations

import pytest
from pack.choices import Precision
from pack.memory.precision import EIGHT_BIT, Weights, available, eight_bit_form, is_quantised, settle
from pack.plan import GIB, Reason

INT8, FP8, DEFAULT = Precision.INT8, Precision.FP8, Precision.DEFAULT


@pytest.mark.parametrize(
    ("device", "torch_has_fp8", "forms"),
    [
        ("cuda", True, (INT8, FP8)),
        ("cpu", True, (INT8, FP8)),
        ("cuda", False, (INT8,)),
        ("mps", True, (INT8,)),
        ("privateuseone", True, ()),
    ],
)
def test_what_a_device_can_hold(device: str, torch_has_fp8: bool, forms: tuple[Precision, ...]) -> None:
    assert available(device, torch_has_fp8) == forms


@pytest.mark.parametrize(
    "layer",
    [
        "double_blocks.0.img_attn.qkv",
        "double_blocks.18.txt_mlp.0",
        "single_blocks.3.linear1",
        "joint_blocks.2.x_block.adaLN_modulation.1",
        "transformer_blocks.7.img_mod.1",
        "input_blocks.4.1.transformer_blocks.0.ff.net.0.proj",
        "clip_l.transformer.text_model.encoder.layers.11.mlp.fc1",
        "t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q",
        "model.layers.0.mlp.gate_proj",
    ],
)
def test_matrices_of_blocks_are_quantised(layer: str) -> None:
    assert is_quantised(layer, (1024, 768))
    assert not is_quantised(layer, (1024,))
    assert not is_quantised(layer, (1024, 32))
    assert not is_quantised(layer, (320, 320, 3, 3))


@pytest.mark.parametrize(
    "layer",
    [
        "img_in",
        "txt_in",
        "time_embed.0",
        "label_emb.0.0",
        "t_embedder.mlp.2",
        "vector_in.in_layer",
        "final_layer.linear",
        "final_layer.adaLN_modulation.1",
        "input_blocks.1.0.emb_layers.1",
        "transformer_blocks.0.norm1.linear",
        "clip_l.transformer.text_model.embeddings.token_embedding",
        "clip_l.transformer.text_projection",
    ],
)
def test_what_feeds_the_blocks_and_what_reads_them_stays(layer: str) -> None:
    assert not is_quantised(layer, (1024, 1024))


@pytest.mark.parametrize(
    ("keys", "types", "form"),
    [
        (["a.weight"], ["float16"], ""),
        (["a.weight"], ["float32", "float8_e4m3fn"], "float8_e4m3fn"),
        (["a.weight", "a.comfy_quant", "a.weight_scale"], ["float32", "int8", "uint8"], "int8"),
        (["a.weight", "a.scale_weight", "scaled_fp8"], ["float16", "float8_e5m2"], "float8_e5m2"),
        (["a.weight", ".comfy_quant"], ["float16"], "8 bits"),
        (["position_ids"], ["float16", "int64"], ""),
    ],
)
def test_files_that_are_in_eight_bits_already(keys: list[str], types: list[str], form: str) -> None:
    assert eight_bit_form(keys, types) == form


PART = "weight_dtype"


@pytest.mark.parametrize(
    ("wanted", "weights", "free_bytes", "forms", "form", "key"),
    [
        ("auto", Weights(5 * GIB), 5 * GIB, EIGHT_BIT, DEFAULT, "load.fits"),
        ("auto", Weights(5 * GIB), 5 * GIB - 1, EIGHT_BIT, INT8, "load.to_fit"),
        ("auto", Weights(5 * GIB), -GIB, (FP8,), FP8, "load.to_fit"),
        ("auto", Weights(5 * GIB), GIB, (), DEFAULT, "load.no_form"),
        ("auto", Weights(5 * GIB, "int8"), GIB, EIGHT_BIT, DEFAULT, "load.already"),
        ("fp8_e4m3fn", Weights(5 * GIB, "int8"), GIB, EIGHT_BIT, DEFAULT, "load.already"),
        ("fp8_e4m3fn", Weights(5 * GIB), 9 * GIB, EIGHT_BIT, FP8, "load.asked"),
        ("fp8_e4m3fn", Weights(5 * GIB), 9 * GIB, (INT8,), INT8, "load.instead"),
        ("int8", Weights(5 * GIB), 9 * GIB, (), DEFAULT, "load.instead"),
        ("bf16", Weights(5 * GIB), GIB, (), Precision.BF16, "load.asked"),
        ("default", Weights(5 * GIB), 0, EIGHT_BIT, DEFAULT, "load.default"),
    ],
)
def test_what_a_wish_comes_to(
    wanted: str, weights: Weights, free_bytes: int, forms: tuple[Precision, ...], form: Precision, key: str
) -> None:
    found, reason = settle(PART, wanted, weights, free_bytes, forms)
    assert (found, reason.decision, reason.key) == (form, PART, key)
    from pack.intelligence.explain import render

    for language in ("en", "es"):
        assert "{" not in render(reason, language) and render(reason, language)
        assert render(Reason("part", f"load.part.{PART}"), language)


# --------------------------------------------------------------------------- int8, packed

torch = pytest.importorskip("torch")


def matrix(outputs: int = 96, inputs: int = 128) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(outputs, inputs, generator=random) * torch.rand(outputs, 1, generator=random)


def test_a_packed_matrix_errs_by_half_a_step_at_most() -> None:
    from pack.memory.int8 import SCALE_BYTES, dequantise, quantise

    weight = matrix()
    packed = quantise(weight)
    assert packed.dtype == torch.int8 and packed.shape == (96, 128 + SCALE_BYTES)
    steps = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((dequantise(packed) - weight).abs() <= steps * 0.5001).all()
    assert float((dequantise(packed) - weight).norm() / weight.norm()) < 0.01


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_a_cast_keeps_values_and_scales(kind: str) -> None:
    from pack.memory.int8 import dequantise, quantise

    packed = quantise(matrix())
    assert (dequantise(packed.to(getattr(torch, kind))) == dequantise(packed)).all()


def test_small_changes_are_kept_on_average_where_rounding_is_random() -> None:
    from pack.memory.int8 import dequantise, quantise

    weight = matrix(64, 4096)
    small = weight.abs().amax(dim=1, keepdim=True) / 127 * 0.1
    shifts = [
        (dequantise(quantise(dequantise(quantise(weight)) + small, seed)) - dequantise(quantise(weight))) for seed in (1, 2)
    ]
    for shift in shifts:
        assert abs(float((shift.mean(dim=1, keepdim=True) / small).mean()) - 1) < 0.2
    assert not (shifts[0] == shifts[1]).all()
    assert (quantise(weight, 5) == quantise(weight, 5)).all()


def test_a_row_of_zeros_stays_zero() -> None:
    from pack.memory.int8 import dequantise, quantise

    weight = matrix()
    weight[3] = 0
    assert (dequantise(quantise(weight))[3] == 0).all() and (dequantise(quantise(weight, 1))[3].abs() < 1e-20).all()


def test_only_unrotated_int8_is_readable_here() -> None:
    import json

    from pack.memory.int8 import is_readable, told

    rotated = torch.tensor(list(json.dumps({"format": "int8_tensorwise", "convrot": True}).encode()), dtype=torch.uint8)
    assert is_readable(told()) and not is_readable(rotated)
