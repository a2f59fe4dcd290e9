import pytest
from pack.hub.lora_keys import is_lora, lora_architecture, module_width

KOHYA_UNET = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
LDM_UNET = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
TEXT = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"


def lora(module, width, out=320, style="kohya"):
    shapes = {
        "kohya": {".alpha": (), ".lora_down.weight": (4, width), ".lora_up.weight": (out, 4)},
        "dora": {".dora_scale": (out, 1), ".lora_down.weight": (4, width), ".lora_up.weight": (out, 4)},
        "peft": {".lora_A.weight": (4, width), ".lora_B.weight": (out, 4)},
        "old": {"_lora.down.weight": (4, width), "_lora.up.weight": (out, 4)},
        "loha": {".hada_w1_a": (out, 4), ".hada_w1_b": (4, width), ".hada_w2_a": (out, 4), ".hada_w2_b": (4, width)},
        "lokr": {".lokr_w1": (8, 8), ".lokr_w2_a": (out // 8, 4), ".lokr_w2_b": (4, width // 8)},
        "full": {".diff": (out, width)},
    }[style]
    return {module + suffix: {"dtype": "F16", "shape": list(shape)} for suffix, shape in shapes.items()}


CASES = {
    "kohya SD 1.5": (lora(KOHYA_UNET, 768), "sd15"),
    "kohya SD 2": (lora(KOHYA_UNET, 1024), "sd20"),
    "kohya SDXL": (lora(LDM_UNET, 2048), "sdxl"),
    "SDXL refiner": (lora(LDM_UNET, 1280), "sdxl_refiner"),
    "SDXL self-attention only": (lora("lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_k", 640), "sdxl"),
    "LoHa": (lora(KOHYA_UNET, 768, style="loha"), "sd15"),
    "LoKr": (lora(LDM_UNET, 2048, 640, "lokr"), "sdxl"),
    "DoRA": (lora(KOHYA_UNET, 768, style="dora"), "sd15"),
    "full difference": (lora(KOHYA_UNET, 768, style="full"), "sd15"),
    "peft": (lora("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", 2048, style="peft"), "sdxl"),
    "old diffusers": (
        lora("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k", 768, style="old"),
        "sd15",
    ),
    "SD 1.5 text only": (lora("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 768), "sd15"),
    "SDXL text only": (lora("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", 1280), "sdxl"),
    "kohya Flux": (lora("lora_unet_double_blocks_0_img_attn_qkv", 3072), "flux"),
    "kohya Flux with text": ({**lora(TEXT, 768), **lora("lora_unet_single_blocks_0_linear1", 3072, 21504)}, "flux"),
    "diffusers Flux": (lora("transformer.single_transformer_blocks.0.attn.to_q", 3072, style="peft"), "flux"),
    "Flux.2": (lora("diffusion_model.double_blocks.0.img_attn.qkv", 6144, style="peft"), "flux2"),
    "Flux.2 klein 4B": (lora("diffusion_model.single_blocks.0.linear1", 3072, 27648, "peft"), "flux2"),
    "diffusers Flux.2": (lora("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", 6144, style="peft"), "flux2"),
    "Chroma": (lora("lora_unet_distilled_guidance_layer_layers_0_in_layer", 5120), "chroma"),
    "kohya SD3": (lora("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536), "sd3"),
    "diffusers SD3.5": (lora("transformer.transformer_blocks.0.attn.add_k_proj", 2432, style="peft"), "sd3"),
    "Qwen-Image": (
        {
            **lora("transformer_blocks.0.attn.add_k_proj", 3072, style="peft"),
            **lora("transformer_blocks.0.img_mlp.net.0.proj", 3072, style="peft"),
        },
        "qwen_image",
    ),
    "Z-Image": (lora("diffusion_model.layers.0.attention.to_q", 3840, style="peft"), "z_image"),
    "Lumina 2": (lora("diffusion_model.layers.0.attention.qkv", 2304, style="peft"), "lumina2"),
    "HiDream": (lora("transformer.double_stream_blocks.0.block.attn1.to_q", 2560, style="peft"), "hidream"),
    "ERNIE": (lora("diffusion_model.layers.0.mlp.linear_fc2", 12288, style="peft"), "ernie_image"),
    "Krea 2": (lora("diffusion_model.blocks.0.attn.wq", 6144, style="peft"), "krea2"),
    "diffusers Krea 2": (lora("transformer.transformer_blocks.0.attn.to_gate", 6144, style="peft"), "krea2"),
    "Anima with text": (
        {**lora("lora_te_layers_0_self_attn_q_proj", 1024), **lora("lora_unet_blocks_0_self_attn_q_proj", 2048)},
        "anima",
    ),
    "Wan 2.1 14B": (lora("diffusion_model.blocks.0.cross_attn.k", 5120, style="peft"), "wan21"),
    "Wan 2.2 5B": (lora("diffusion_model.blocks.0.self_attn.q", 3072, style="peft"), "wan22"),
    "LTX video is no SDXL": (lora("diffusion_model.transformer_blocks.0.attn2.to_k", 2048, style="peft"), None),
    "unknown": (lora("something_else", 7), None),
}


@pytest.mark.parametrize("name", CASES)
def test_the_base_of_a_lora_is_measured(name):
    tensors, architecture = CASES[name]
    assert is_lora(tensors)
    assert lora_architecture(tensors) == architecture


def test_a_module_reads_and_writes_so_many_numbers():
    assert module_width(lora("m", 768, 320, "lokr"), "m") == 768
    assert module_width(lora("m", 768, 320, "lokr"), "m", out=True) == 320
    assert module_width(lora("m", 768, 320, "loha"), "m", out=True) == 320
    assert module_width({}, "m") is None


def test_other_files_are_no_loras():
    assert not is_lora({"model.diffusion_model.input_blocks.0.0.weight": {}})
    assert not is_lora({})
