"""Full-size architectures as this ComfyUI builds them, without their weights: the configurations that its own model
detection reads off the official files (comfy/model_detection.py), by family row."""

from __future__ import annotations

from typing import Any

_UNET = {
    "use_checkpoint": False,
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "use_spatial_transformer": True,
    "legacy": False,
    "use_temporal_attention": False,
    "use_temporal_resblock": False,
}
_SD15 = {
    **_UNET,
    "adm_in_channels": None,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth_middle": 1,
    "use_linear_in_transformer": False,
    "context_dim": 768,
    "num_heads": 8,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
}
_HEADS64 = {"num_heads": -1, "num_head_channels": 64, "use_linear_in_transformer": True}
_SDXL = {
    **_UNET,
    **_HEADS64,
    "num_classes": "sequential",
    "adm_in_channels": 2816,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "channel_mult": [1, 2, 4],
    "transformer_depth_middle": 10,
    "context_dim": 2048,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
}
_REFINER = {
    **_SDXL,
    "adm_in_channels": 2560,
    "model_channels": 384,
    "num_res_blocks": [2, 2, 2, 2],
    "transformer_depth": [0, 0, 4, 4, 4, 4, 0, 0],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth_middle": 4,
    "context_dim": 1280,
    "transformer_depth_output": [0, 0, 0, 4, 4, 4, 4, 4, 4, 0, 0, 0],
}


def _mmdit(depth: int, side: int, norm: str | None = "rms", self_attention: int = 0) -> dict[str, Any]:
    text = {"in_features": 4096, "out_features": depth * 64}
    norms = {"qk_norm": norm} if norm else {}
    return {
        "in_channels": 16,
        "out_channels": 16,
        "patch_size": 2,
        "depth": depth,
        "input_size": None,
        "adm_in_channels": 2048,
        "context_embedder_config": {"target": "torch.nn.Linear", "params": text},
        "num_patches": side * side,
        "pos_embed_max_size": side,
        "pos_embed_scaling_factor": None,
        "x_block_self_attn_layers": list(range(self_attention)),
        **norms,
    }


_FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "vec_in_dim": 768,
    "context_in_dim": 4096,
    "hidden_size": 3072,
    "mlp_ratio": 4.0,
    "num_heads": 24,
    "depth": 19,
    "depth_single_blocks": 38,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
_CHROMA = {
    **{name: value for name, value in _FLUX.items() if name != "guidance_embed"},
    "vec_in_dim": None,
    "image_model": "chroma",
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 3072,
    "hidden_dim": 5120,
    "n_layers": 5,
}


def _flux2(hidden: int, depth: int, single: int, context: int, guidance: bool = False) -> dict[str, Any]:
    return {
        **_FLUX,
        "image_model": "flux2",
        "in_channels": 128,
        "out_channels": 128,
        "patch_size": 1,
        "vec_in_dim": None,
        "context_in_dim": context,
        "hidden_size": hidden,
        "mlp_ratio": 3.0,
        "num_heads": hidden // 128,
        "depth": depth,
        "depth_single_blocks": single,
        "axes_dim": [32, 32, 32, 32],
        "theta": 2000,
        "qkv_bias": False,
        "ops_bias": False,
        "global_modulation": True,
        "mlp_silu_act": True,
        "guidance_embed": guidance,
        "txt_ids_dims": [3],
    }


def _lumina(dim: int, layers: int, text: int, heads: int, key_heads: int, **more: Any) -> dict[str, Any]:
    shape = {"image_model": "lumina2", "patch_size": 2, "in_channels": 16, "dim": dim, "cap_feat_dim": text, "qk_norm": True}
    return {**shape, "n_layers": layers, "n_heads": heads, "n_kv_heads": key_heads, **more}


def _wan(dim: int, ffn: int, layers: int, channels: int) -> dict[str, Any]:
    return {
        "image_model": "wan2.1",
        "model_type": "t2v",
        "dim": dim,
        "in_dim": channels,
        "out_dim": channels,
        "num_heads": dim // 128,
        "ffn_dim": ffn,
        "num_layers": layers,
        "patch_size": (1, 2, 2),
        "freq_dim": 256,
        "window_size": (-1, -1),
        "qk_norm": True,
        "cross_attn_norm": True,
        "eps": 1e-6,
    }


_HIDREAM = {
    "image_model": "hidream",
    "attention_head_dim": 128,
    "axes_dims_rope": [64, 32, 32],
    "caption_channels": [4096, 4096],
    "max_resolution": [128, 128],
    "in_channels": 16,
    "llama_layers": [*range(31), *[31] * 17],
    "num_attention_heads": 20,
    "num_routed_experts": 4,
    "num_activated_experts": 2,
    "num_layers": 16,
    "num_single_layers": 32,
    "out_channels": 16,
    "patch_size": 2,
    "text_emb_dim": 2048,
}
_ANIMA = {
    "image_model": "anima",
    "max_img_h": 240,
    "max_img_w": 240,
    "max_frames": 128,
    "in_channels": 16,
    "out_channels": 16,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 2048,
    "concat_padding_mask": True,
    "crossattn_emb_channels": 1024,
    "pos_emb_cls": "rope3d",
    "pos_emb_learnable": True,
    "pos_emb_interpolation": "crop",
    "min_fps": 1,
    "max_fps": 30,
    "use_adaln_lora": True,
    "adaln_lora_dim": 256,
    "num_blocks": 28,
    "num_heads": 16,
    "extra_per_block_abs_pos_emb": False,
    "rope_h_extrapolation_ratio": 4.0,
    "rope_w_extrapolation_ratio": 4.0,
    "rope_t_extrapolation_ratio": 1.0,
}
_Z_IMAGE = _lumina(
    3840,
    30,
    2560,
    30,
    30,
    axes_dims=[32, 48, 48],
    axes_lens=[1536, 512, 512],
    rope_theta=256.0,
    ffn_dim_multiplier=8.0 / 3.0,
    z_image_modulation=True,
    time_scale=1000.0,
    pad_tokens_multiple=32,
)
_LUMINA = _lumina(
    2304,
    26,
    2304,
    24,
    8,
    axes_dims=[32, 32, 32],
    axes_lens=[300, 512, 512],
    rope_theta=10000.0,
    ffn_dim_multiplier=4.0,
)

# What the constructors of older hosts do not take, by name, and where it is empty.
NEW = ("txt_ids_dims", "rope_theta")
NEW_EMPTY = ("vec_in_dim",)

# By family row: (the configuration, latent channels).
FULL_SIZE: dict[str, tuple[dict[str, Any], int]] = {
    "sd15": (_SD15, 4),
    "sd20": ({**_SD15, **_HEADS64, "context_dim": 1024}, 4),
    "sdxl": (_SDXL, 4),
    "sdxl_refiner": (_REFINER, 4),
    "sd35_large": (_mmdit(38, 192), 16),
    "sd35_medium": (_mmdit(24, 384, self_attention=13), 16),
    "sd3_medium": (_mmdit(24, 192, norm=None), 16),
    "flux_dev": (_FLUX, 16),
    "flux_schnell": ({**_FLUX, "guidance_embed": False}, 16),
    "flux2_dev": (_flux2(6144, 8, 48, 15360, guidance=True), 128),
    "flux2_klein": (_flux2(3072, 5, 20, 7680), 128),
    "flux2_klein_9b": (_flux2(4096, 8, 24, 12288), 128),
    "chroma": (_CHROMA, 16),
    "qwen_image": ({"image_model": "qwen_image", "in_channels": 64, "num_layers": 60}, 16),
    "z_image": (_Z_IMAGE, 16),
    "hidream_full": (_HIDREAM, 16),
    "lumina2": (_LUMINA, 16),
    "anima": (_ANIMA, 16),
    "ernie_image": ({"image_model": "ernie"}, 128),
    "krea2_raw": ({"image_model": "krea2"}, 16),
    "wan21": (_wan(5120, 13824, 40, 16), 16),
    "wan22_5b": (_wan(3072, 14336, 30, 48), 48),
}
# What official files are called, where that tells the family.
NAMES = {
    "sd15": "v1-5-pruned",
    "sd20": "512-base-ema",
    "sdxl": "sd_xl_base_1.0",
    "sdxl_refiner": "sd_xl_refiner_1.0",
    "sd35_large": "sd3.5_large",
    "sd35_medium": "sd3.5_medium",
    "sd3_medium": "sd3_medium",
    "flux_dev": "flux1-dev",
    "flux_schnell": "flux1-schnell",
    "flux2_dev": "flux2-dev",
    "flux2_klein": "flux-2-klein-4b",
    "flux2_klein_9b": "flux-2-klein-9b",
    "hidream_full": "hidream_i1_full",
    "lumina2": "lumina_2_model",
    "ernie_image": "ernie-image",
    "krea2_raw": "krea2_raw",
    "wan21": "wan2.1_t2v_14B",
    "wan22_5b": "wan2.2_ti2v_5B",
}
_KL = {
    "double_z": True,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}
_WAN_VAE = {"dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": [], "dropout": 0.0}
# By family: module, class, its arguments, shape of the latent of one 1024 x 1024 picture.
VAES: dict[str, tuple[str, str, dict[str, Any], tuple[int, ...]]] = {
    "sdxl": ("models.autoencoder", "AutoencoderKL", {"ddconfig": {**_KL, "z_channels": 4}, "embed_dim": 4}, (1, 4, 128, 128)),
    "qwen_image": ("wan.vae", "WanVAE", {**_WAN_VAE, "temperal_downsample": [False, True, True]}, (1, 16, 1, 128, 128)),
    "wan22_5b": (
        "wan.vae2_2",
        "WanVAE",
        {**_WAN_VAE, "dim": 160, "z_dim": 48, "temperal_downsample": [False, True, True]},
        (1, 48, 1, 64, 64),
    ),
}
