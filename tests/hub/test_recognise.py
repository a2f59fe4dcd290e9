import pytest
from pack.data import table
from pack.hub.headers import Header
from pack.hub.recognise import recognise
from pack.plan import Kind, Prediction


def header(shapes, dtype="F16"):
    tensors, at = {}, 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        tensors[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return Header(tensors, {}, {dtype: at})


def unet(context, label=None, channels=320, inputs=4, block="input_blocks.1.1"):
    shapes = {
        "input_blocks.0.0.weight": (channels, inputs, 3, 3),
        f"{block}.transformer_blocks.0.attn2.to_k.weight": (320, context),
    }
    return {**shapes, "label_emb.0.0.weight": (1280, label)} if label else shapes


def flux(text=4096, image=64, **more):
    norm = {"double_blocks.0.img_attn.norm.key_norm.scale": (128,)}
    return {"img_in.weight": (3072, image), "txt_in.weight": (3072, text), **norm, **more}


GUIDANCE = {"guidance_in.in_layer.weight": (3072, 256)}
LUMINA = {"noise_refiner.0.attention.k_norm.weight": (128,)}
QWEN = {"txt_norm.weight": (3584,), "img_in.weight": (3072, 64), "transformer_blocks.0.img_mod.1.weight": (18432, 3072)}

MODELS = {
    "sd15": unet(768),
    "sd20": unet(1024),
    "sdxl": unet(2048, 2816, block="input_blocks.4.1"),
    "sdxl_refiner": unet(1280, 2560, channels=384),
    "sd3": {"joint_blocks.0.context_block.attn.qkv.weight": (4608, 1536), "x_embedder.proj.weight": (1536, 16, 2, 2)},
    "flux": flux(**GUIDANCE),
    "flux_schnell": flux(),
    "flux2": flux(15360, 128, **{"double_stream_modulation_img.lin.weight": (36864, 6144)}),
    "chroma": flux(**{"distilled_guidance_layer.norms.0.scale": (5120,)}),
    "qwen_image": QWEN,
    "z_image": {"cap_embedder.1.weight": (3840, 2560), **LUMINA},
    "lumina2": {"cap_embedder.1.weight": (2304, 2304), **LUMINA},
    "hidream": {"caption_projection.0.linear.weight": (2560, 4096)},
    "anima": {"blocks.0.mlp.layer1.weight": (8192, 2048), "llm_adapter.blocks.0.cross_attn.q_proj.weight": (1024, 1024)},
    "ernie_image": {"layers.0.mlp.linear_fc2.weight": (4096, 12288)},
    "krea2": {"txtfusion.projector.weight": (6144, 12), "first.weight": (6144, 64)},
    "wan21": {"head.modulation": (1, 2, 5120), "patch_embedding.weight": (5120, 16, 1, 2, 2)},
    "wan22": {"head.modulation": (1, 2, 3072), "patch_embedding.weight": (3072, 48, 1, 2, 2)},
}
OTHERS = {
    "SD 1.5 inpainting": unet(768, inputs=9),
    "SVD": {**unet(1024), "input_blocks.1.1.time_stack.0.attn1.to_q.weight": (320, 320)},
    "unCLIP": unet(1024, 2048),
    "Flux Fill": flux(image=384, **GUIDANCE),
    "LongCat": flux(3584),
    "Chroma Radiance": {**MODELS["chroma"], "nerf_blocks.0.norm.scale": (64,)},
    "Wan i2v": {"head.modulation": (1, 2, 5120), "patch_embedding.weight": (5120, 36, 1, 2, 2)},
    "Wan VACE": {**MODELS["wan21"], "vace_patch_embedding.weight": (5120, 96, 1, 2, 2)},
    "NewBie": {**MODELS["lumina2"], "clip_text_pooled_proj.0.weight": (1024,)},
    "Cosmos": {"blocks.0.mlp.layer1.weight": (8192, 2048)},
}
PARTS = {"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3), "cond_stage_model.transformer.x": (10,)}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model.", "net."])
def test_every_architecture_is_known_by_its_tensors(name, prefix):
    shapes = {prefix + key: shape for key, shape in MODELS[name].items()}
    seen = recognise(Kind.DIFFUSION_MODEL, header(shapes))
    assert (seen.architecture, seen.parts, seen.belongs) == (name, {"unet"}, None)


def test_every_architecture_of_the_table_and_the_families_is_tested():
    assert {rule["architecture"] for rule in table("architectures")["diffusion"]} == set(MODELS)
    used = {row["architecture"] for row in table("families")["family"].values() if "architecture" in row}
    assert used <= set(MODELS)


@pytest.mark.parametrize("name", OTHERS)
def test_look_alikes_stay_unknown(name):
    assert recognise(Kind.DIFFUSION_MODEL, header(OTHERS[name])).architecture is None


def test_a_checkpoint_tells_its_parts_and_weights():
    shapes = {**{f"model.diffusion_model.{key}": shape for key, shape in MODELS["sd15"].items()}, **PARTS}
    seen = recognise(Kind.CHECKPOINT, header(shapes, "BF16"))
    weights = 320 * 4 * 9 + 320 * 768
    assert seen.architecture == "sd15" and seen.parts == {"unet", "clip", "vae"} and seen.belongs is None
    assert (seen.dtype, seen.parameters, seen.keys, seen.prediction) == ("bf16", weights, 4, Prediction.EPS)
    assert seen.part_bytes == {"clip": 20, "unet": 2 * weights, "vae": 2 * 512 * 4 * 9}


@pytest.mark.parametrize("marker", ["v_pred", "edm_vpred.sigma_max"])
def test_v_prediction_markers(marker):
    shapes = {**{f"model.diffusion_model.{key}": shape for key, shape in MODELS["sdxl"].items()}, **PARTS, marker: ()}
    assert recognise(Kind.CHECKPOINT, header(shapes)).prediction is Prediction.V


VAES = {
    "taesd": {"taesd_decoder.1.weight": (64, 4, 3, 3)},
    "sd15": {"decoder.conv_in.weight": (512, 4, 3, 3), "post_quant_conv.weight": (4, 4, 1, 1)},
    "flux": {"decoder.conv_in.weight": (512, 16, 3, 3)},
    "flux2": {"decoder.conv_in.weight": (512, 32, 3, 3), "bn.running_mean": (128,)},
    "wan21": {"decoder.middle.0.residual.0.gamma": (384, 1, 1, 1)},
    "wan22": {"decoder.middle.0.residual.0.gamma": (1024,), "decoder.upsamples.0.upsamples.0.residual.2.weight": (1, 1)},
}


@pytest.mark.parametrize("name", VAES)
def test_vaes(name):
    seen = recognise(Kind.VAE, header(VAES[name]))
    assert (seen.architecture, seen.belongs) == (name, None)


ENCODERS = {
    "clip_l": {"text_model.encoder.layers.0.mlp.fc1.weight": (3072, 768)},
    "clip_g": {f"text_model.encoder.layers.{n}.mlp.fc1.weight": (5120, 1280) for n in range(32)},
    "t5xxl": {"encoder.block.23.layer.1.DenseReluDense.wi_1.weight": (10240, 4096), "shared.weight": (32128, 4096)},
    "umt5xxl": {"encoder.block.23.layer.1.DenseReluDense.wi_1.weight": (10240, 4096), "shared.weight": (256384, 4096)},
    "gemma2_2b": {"model.layers.0.post_feedforward_layernorm.weight": (2304,)},
    "qwen25_7b": {"model.layers.0.self_attn.k_proj.bias": (512,)},
    "qwen3_4b": {"model.layers.0.post_attention_layernorm.weight": (2560,), "model.layers.0.self_attn.q_norm.weight": (128,)},
    "qwen3_06b": {"model.layers.0.post_attention_layernorm.weight": (1024,), "model.layers.0.self_attn.q_norm.weight": (128,)},
    "mistral3_24b": {"model.layers.0.post_attention_layernorm.weight": (5120,)},
    "llama3_8b": {"model.layers.0.post_attention_layernorm.weight": (4096,)},
}


@pytest.mark.parametrize("name", ENCODERS)
def test_text_encoders(name):
    seen = recognise(Kind.TEXT_ENCODER, header(ENCODERS[name]))
    assert (seen.architecture, seen.belongs) == (name, None)


@pytest.mark.parametrize(
    ("kind", "shapes", "architecture"),
    [
        (Kind.EMBEDDING, {"emb_params": (8, 768)}, "sd15"),
        (Kind.EMBEDDING, {"emb_params": (8, 1024)}, "sd20"),
        (Kind.EMBEDDING, {"<my-word>": (8, 768)}, "sd15"),
        (Kind.EMBEDDING, {"clip_l": (8, 768), "clip_g": (8, 1280)}, "sdxl"),
        (Kind.CONTROLNET, {**unet(768), "input_hint_block.0.weight": (16, 3, 3, 3)}, "sd15"),
        (Kind.CONTROLNET, {**unet(2048, 2816), "input_hint_block.0.weight": (16, 3, 3, 3)}, "sdxl"),
        (Kind.CONTROLNET, {"controlnet_blocks.0.weight": (3072, 3072), "controlnet_x_embedder.weight": (3072, 64)}, "flux"),
        (Kind.CONTROLNET, {"body.0.in_conv.weight": (640, 320, 1, 1)}, "sd15"),
        (Kind.CLIP_VISION, {"vision_model.encoder.layers.30.layer_norm1.weight": (1280,)}, "clip_vision_h"),
        (Kind.STYLE_MODEL, {"redux_down.weight": (4096, 1152)}, "flux"),
        (Kind.UPSCALER, {"body.0.weight": (64, 3, 3, 3)}, None),
    ],
)
def test_the_other_kinds(kind, shapes, architecture):
    seen = recognise(kind, header(shapes))
    assert (seen.architecture, seen.belongs) == (architecture, None)


LORA = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 768)}
CHECKPOINT = {**{f"model.diffusion_model.{key}": shape for key, shape in MODELS["sd15"].items()}, **PARTS}


@pytest.mark.parametrize(
    ("folder", "shapes", "belongs"),
    [
        (Kind.CHECKPOINT, LORA, Kind.LORA),
        (Kind.CHECKPOINT, VAES["flux"], Kind.VAE),
        (Kind.CHECKPOINT, ENCODERS["qwen3_4b"], Kind.TEXT_ENCODER),
        (Kind.LORA, CHECKPOINT, Kind.CHECKPOINT),
        (Kind.LORA, MODELS["flux"], Kind.DIFFUSION_MODEL),
        (Kind.LORA, {"emb_params": (8, 768)}, Kind.EMBEDDING),
        (Kind.VAE, LORA, Kind.LORA),
        (Kind.VAE, CHECKPOINT, Kind.CHECKPOINT),
        (Kind.EMBEDDING, LORA, Kind.LORA),
        (Kind.TEXT_ENCODER, VAES["sd15"], Kind.VAE),
    ],
)
def test_a_file_in_the_wrong_folder_says_where_it_belongs(folder, shapes, belongs):
    assert recognise(folder, header(shapes)).belongs is belongs


def test_unknown_files_are_left_alone():
    for kind in Kind:
        seen = recognise(kind, header({"something.weight": (3, 3)}))
        assert (seen.architecture, seen.belongs) == (None, None)


def test_shapes_that_make_no_sense_are_unknown():
    strange = Header(
        {name: {"dtype": "F16", "shape": 7, "data_offsets": [0, 2]} for name in [*MODELS["sd15"], *LORA]}, {}, {"F16": 4}
    )
    assert recognise(Kind.DIFFUSION_MODEL, strange).architecture is None
    assert recognise(Kind.LORA, strange).architecture is None
