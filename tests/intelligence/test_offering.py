import re

import pytest
from pack.data import table
from pack.data.families import families, family_of_base
from pack.data.starters import starters
from pack.errors import BadRequest, MissingModel
from pack.intelligence.analyze import analyze
from pack.intelligence.choose_file import choose_file, is_pickle, kind_of, known_parts, only_diffusers, precision_of
from pack.intelligence.choose_model import choose_model
from pack.intelligence.explain import render
from pack.intelligence.named import search_text
from pack.intelligence.offering import Fit, Verdict, family_offered, fit, folder_kind
from pack.intelligence.owned import families_owned, local_answer, query_base_models
from pack.intelligence.wanted import Wanted, diffusers_folder, hub_ref, wanted, wanted_beside, wanted_with
from pack.offers import Offer, Ref, RemoteFile
from pack.pipeline import make_plan
from pack.plan import GIB, Kind, Library, Machine, ModelFile, Request, Taste
from pack.values import from_json, to_json

from ..shelf import checkpoint, diffusion, gpu, library, lora, parts_of

SHA = "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b"
OTHER_SHA = "1718b5bb2da1ef4815fee8af8a7fc2fa8ab8f467b279eded4d991ea0cce59a6d"
PLENTY = 900 * GIB


def hf(path, size=None, **changes):
    return RemoteFile(path, path, f"https://huggingface.co/x/y/resolve/main/{path}", size, **changes)


def civitai(number, name, size=None, **changes):
    return RemoteFile(str(number), name, f"https://civitai.com/api/download/models/1?fileId={number}", size, **changes)


SDXL_BASE = Offer(
    Ref("huggingface", "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b"),
    "stable-diffusion-xl-base-1.0",
    kind=Kind.CHECKPOINT,
    tags=("diffusers", "text-to-image"),
    files=(
        hf("sd_xl_base_1.0_0.9vae.safetensors", 6_938_078_334),
        hf("sd_xl_base_1.0.safetensors", 6_938_078_334, sha256=SHA),
        hf("sd_xl_offset_example-lora_1.0.safetensors", 49_553_604),
        hf("text_encoder/model.safetensors", 492_265_880, kind=Kind.TEXT_ENCODER),
        hf("text_encoder/model.fp16.safetensors", 246_144_152, kind=Kind.TEXT_ENCODER),
        hf("text_encoder_2/model.safetensors", 2_778_702_264, kind=Kind.TEXT_ENCODER),
        hf("unet/diffusion_pytorch_model.safetensors", 10_270_077_736, kind=Kind.DIFFUSION_MODEL),
        hf("unet/diffusion_pytorch_model.fp16.safetensors", 5_135_149_760, kind=Kind.DIFFUSION_MODEL),
        hf("vae/diffusion_pytorch_model.safetensors", 334_643_268, kind=Kind.VAE),
        hf("vae_1_0/diffusion_pytorch_model.safetensors", 334_643_268, kind=Kind.VAE),
    ),
)
SDXL_FILE = SDXL_BASE.file("sd_xl_base_1.0.safetensors")
FLUX_DEV = Offer(
    Ref("huggingface", "Comfy-Org/flux1-dev", "0f8b07f"),
    "flux1-dev",
    kind=Kind.CHECKPOINT,
    base_model="black-forest-labs/FLUX.1-dev",
    page_url="https://huggingface.co/Comfy-Org/flux1-dev",
    files=(
        hf("flux1-dev.safetensors", 23_802_932_552, kind=Kind.DIFFUSION_MODEL),
        hf("flux1-dev-fp8.safetensors", 17_246_524_772, kind=Kind.CHECKPOINT),
        hf("split_files/diffusion_models/flux1-canny-dev.safetensors", 23_803_500_000, kind=Kind.DIFFUSION_MODEL),
        hf("split_files/diffusion_models/flux1-fill-dev.safetensors", 23_804_000_000, kind=Kind.DIFFUSION_MODEL),
        hf("ae.safetensors", 335_304_388),
    ),
)
FLUX_OFFICIAL = Offer(
    Ref("huggingface", "black-forest-labs/FLUX.1-dev"),
    "FLUX.1-dev",
    kind=Kind.DIFFUSION_MODEL,
    base_model="FLUX.1-dev",
    gated=True,
    page_url="https://huggingface.co/black-forest-labs/FLUX.1-dev",
    files=(
        hf("flux1-dev.safetensors", 23_802_932_552),
        hf("ae.safetensors", 335_304_388),
        hf("transformer/diffusion_pytorch_model-00001-of-00003.safetensors", 9_983_040_304),
        hf("transformer/diffusion_pytorch_model-00002-of-00003.safetensors", 9_949_328_904),
        hf("vae/diffusion_pytorch_model.safetensors", 167_666_902),
    ),
)
CIVITAI_LORA = Offer(
    Ref("civitai", "257749", "290640"),
    "Ink Wash",
    version_name="v2",
    kind=Kind.LORA,
    base_model="Pony",
    page_url="https://civitai.com/models/257749?modelVersionId=290640",
    files=(
        civitai(11, "ink_wash_v2_pruned.safetensors", 114_000_000, kind=Kind.LORA, precision="fp16"),
        civitai(12, "ink_wash_v2.safetensors", 228_000_000, kind=Kind.LORA, precision="fp16", primary=True, sha256=OTHER_SHA),
        civitai(13, "ink_wash_v2_full.safetensors", 456_000_000, kind=Kind.LORA, precision="fp32"),
    ),
)
CIVITAI_CHECKPOINT = Offer(
    Ref("civitai", "4384", "128713"),
    "DreamShaper",
    kind=Kind.CHECKPOINT,
    base_model="SD 1.5",
    files=(
        civitai(21, "dreamshaper_8_fp32.safetensors", 4_265_000_000, kind=Kind.CHECKPOINT, precision="fp32", primary=True),
        civitai(22, "dreamshaper_8.ckpt", 2_132_000_000, kind=Kind.CHECKPOINT, precision="fp16"),
        civitai(23, "dreamshaper_8.safetensors", 2_132_625_894, kind=Kind.CHECKPOINT, precision="fp16"),
        civitai(24, "dreamshaper_8.vae.pt", 335_000_000, kind=Kind.VAE),
        civitai(25, "dreamshaper_8_inpainting.safetensors", 2_132_000_000, kind=Kind.CHECKPOINT, precision="fp16"),
    ),
)
EMBEDDING = Offer(
    Ref("civitai", "7808", "9208"),
    "EasyNegative",
    kind=Kind.EMBEDDING,
    base_model="SD 1.5",
    files=(civitai(31, "easynegative.pt", 25_000, kind=Kind.EMBEDDING, pickle=True),),
)


def chosen(offer, machine=None, kind=None, ref=None):
    file = choose_file(offer, machine or gpu(24), kind, ref)
    return file and file.id


def keys(answer: Fit):
    return [reason.key for reason in answer.reasons]


def told(answer: Fit, language="en"):
    return " ".join(render(reason, language) for reason in answer.reasons)


# --------------------------------------------------------------------------- which file


def test_sdxl_base_is_the_single_file_neither_a_part_nor_a_variant_nor_the_lora_beside_it():
    assert chosen(SDXL_BASE) == "sd_xl_base_1.0.safetensors"
    assert chosen(SDXL_BASE, Machine()) == "sd_xl_base_1.0.safetensors"
    assert chosen(SDXL_BASE, kind=Kind.VAE) == "vae/diffusion_pytorch_model.safetensors"
    assert chosen(SDXL_BASE, kind=Kind.DIFFUSION_MODEL) == "unet/diffusion_pytorch_model.fp16.safetensors"
    assert chosen(SDXL_BASE, kind=Kind.LORA) == "sd_xl_offset_example-lora_1.0.safetensors"
    assert chosen(SDXL_BASE, kind=Kind.UPSCALER) is None


def test_the_old_vae_variant_is_taken_where_it_stands_alone():
    alone = Offer(SDXL_BASE.ref, "SDXL", kind=Kind.CHECKPOINT, files=SDXL_BASE.files[:1])
    assert chosen(alone) == "sd_xl_base_1.0_0.9vae.safetensors"


def test_a_named_file_is_that_file_and_an_unknown_name_is_none():
    assert chosen(SDXL_BASE, ref=SDXL_BASE.ref.of_file("vae/diffusion_pytorch_model.safetensors")).startswith("vae/")
    assert chosen(SDXL_BASE, ref=SDXL_BASE.ref.of_file("gone.safetensors")) is None
    assert chosen(Offer(Ref("civitai", "4384", "128713", "22"), "x", files=CIVITAI_CHECKPOINT.files)) == "22"


@pytest.mark.parametrize(
    ("gib", "expected"),
    [
        (48, "flux1-dev.safetensors"),
        (24, "flux1-dev.safetensors"),
        (20, "flux1-dev-fp8.safetensors"),
        (8, "flux1-dev-fp8.safetensors"),
    ],
)
def test_flux_comes_in_the_best_precision_that_fits(gib, expected):
    assert chosen(FLUX_DEV, gpu(gib)) == expected


def test_where_memory_is_unknown_16_bit_is_taken():
    assert chosen(FLUX_DEV, Machine("cuda")) == "flux1-dev.safetensors"


def test_special_variants_are_taken_only_where_the_offer_is_called_so():
    fill = Offer(
        Ref("huggingface", "Comfy-Org/flux1-fill-dev"), "flux1-fill-dev", kind=Kind.DIFFUSION_MODEL, files=FLUX_DEV.files
    )
    assert chosen(fill, gpu(48)) != "split_files/diffusion_models/flux1-canny-dev.safetensors"
    only = Offer(fill.ref, fill.title, kind=Kind.DIFFUSION_MODEL, files=FLUX_DEV.files[2:4])
    assert chosen(only, gpu(48)) == "split_files/diffusion_models/flux1-fill-dev.safetensors"
    refiner = Offer(
        Ref("huggingface", "stabilityai/stable-diffusion-xl-refiner-1.0"),
        "",
        kind=Kind.CHECKPOINT,
        files=(hf("sd_xl_refiner_1.0_0.9vae.safetensors", 6_075_981_930), hf("sd_xl_refiner_1.0.safetensors", 6_075_981_930)),
    )
    assert chosen(refiner) == "sd_xl_refiner_1.0.safetensors"


def test_the_vae_beside_a_model_is_known_by_the_families_that_need_it():
    assert kind_of(FLUX_DEV.files[-1], FLUX_DEV) is Kind.VAE
    assert chosen(FLUX_OFFICIAL, gpu(48)) == "flux1-dev.safetensors"
    assert chosen(FLUX_OFFICIAL, gpu(48), Kind.VAE) == "ae.safetensors"


def test_civitai_16_bit_before_32_and_safetensors_before_pickle_whatever_is_primary():
    assert chosen(CIVITAI_CHECKPOINT, gpu(8)) == "23"
    assert chosen(CIVITAI_CHECKPOINT, gpu(8), Kind.VAE) == "24"
    assert chosen(CIVITAI_LORA) == "12", "the primary one among equals"


def test_a_pickle_is_taken_where_there_is_nothing_else():
    assert chosen(EMBEDDING) == "31"
    assert is_pickle(EMBEDDING.files[0]) and is_pickle(civitai(1, "a.ckpt")) and not is_pickle(civitai(1, "a.safetensors"))


def test_what_this_comfyui_cannot_open_is_never_taken():
    files = (
        hf("z_image_turbo-Q4_K_M.gguf", 5 * GIB),
        hf("z_image_turbo_nf4.safetensors", 4 * GIB),
        hf("svdq-int4_r32-z-image-turbo.safetensors", 4 * GIB),
        hf("z_image_turbo_int8_convrot.safetensors", 6 * GIB),
    )
    offer = Offer(Ref("huggingface", "a/b"), "Z-Image", kind=Kind.DIFFUSION_MODEL, files=files)
    assert chosen(offer, gpu(8)) == "z_image_turbo_int8_convrot.safetensors"
    assert chosen(offer, gpu(8, host_version="0.3.64")) is None
    assert chosen(Offer(offer.ref, "x", kind=Kind.DIFFUSION_MODEL, files=files[:1])) is None


def test_what_is_no_model_is_never_taken():
    files = (civitai(1, "data.zip", 9), civitai(2, "config.yaml", 9), hf("model-00001-of-00002.safetensors", 9))
    assert chosen(Offer(Ref("civitai", "1", "2"), "x", kind=Kind.CHECKPOINT, files=files)) is None


@pytest.mark.parametrize(
    ("name", "said", "precision"),
    [
        ("flux1-dev-fp8.safetensors", None, "fp8"),
        ("t5xxl_fp8_e4m3fn_scaled.safetensors", None, "fp8"),
        ("model.safetensors", "bf16", "bf16"),
        ("sd_xl_turbo_1.0_fp16.safetensors", None, "fp16"),
        ("krea2_turbo_int8_convrot.safetensors", None, "int8"),
        ("flux-nvfp4.safetensors", None, "nvfp4"),
        ("flux-q8.gguf", "fp16", "gguf"),
        ("v1-5-pruned-emaonly.safetensors", None, "unsaid"),
        ("model_fp16.safetensors", "fp32", "fp32"),
    ],
)
def test_precision_is_read_from_ending_hub_and_name(name, said, precision):
    assert precision_of(hf(name, precision=said)).name == precision


def test_every_precision_row_is_met():
    for name, row in table("offering")["precision"].items():
        samples = {"gguf": "a.gguf", "svdquant": "svdq-int4.safetensors", "unsaid": "a.safetensors"}
        assert precision_of(hf(samples.get(name, f"a_{name}.safetensors"))).name == name
        assert row["bits"] in (4, 8, 16, 32)


def test_a_repository_of_parts_alone_is_told_from_one_with_a_whole_model():
    parts = Offer(SDXL_BASE.ref, "x", files=SDXL_BASE.files[3:])
    assert only_diffusers(parts) and chosen(parts) is None
    assert not only_diffusers(SDXL_BASE) and not only_diffusers(FLUX_OFFICIAL) and not only_diffusers(CIVITAI_LORA)
    beside = Offer(FLUX_OFFICIAL.ref, "x", files=FLUX_OFFICIAL.files[1:])
    assert only_diffusers(beside), "a VAE and shards are no model"
    adapter = Offer(Ref("huggingface", "a/b"), "x", kind=Kind.LORA, files=(hf("pytorch_lora_weights.safetensors", 9),))
    assert not only_diffusers(adapter)
    unlisted = Offer(Ref("huggingface", "a/b"), "x", kind=None, tags=("diffusers",))
    assert only_diffusers(unlisted)


# --------------------------------------------------------------------------- does it fit


def test_it_fits():
    answer = fit(SDXL_BASE, SDXL_FILE, library(), gpu(12), PLENTY)
    assert (answer.verdict, keys(answer)) == (Verdict.FITS, ["fit.vram", "fit.disk"])
    assert 5 * GIB < answer.needed_bytes < 8 * GIB
    assert from_json(Fit, to_json(answer)) == answer


def test_the_same_bytes_are_not_fetched_twice():
    own = checkpoint("xl/base.safetensors", sha256=SHA.upper())
    answer = fit(SDXL_BASE, SDXL_FILE, library(own), gpu(2), 0)
    assert (answer.verdict, answer.have, keys(answer)) == (Verdict.HAVE_IT, "xl/base.safetensors", ["fit.have"])


def test_without_hashes_version_and_name_say_what_is_the_same():
    same = lora("styles/ink_wash_v2.safetensors", "pony", hub_id="civitai:257749@290640")
    other = lora("ink_wash_v2_pruned.safetensors", "pony", hub_id="civitai:257749@290640", sha256=SHA)
    older = lora("ink_wash_v1.safetensors", "pony", hub_id="civitai:257749@1")
    owned = checkpoint("ponyDiffusionV6XL.safetensors", "pony")
    file = CIVITAI_LORA.files[1]
    assert fit(CIVITAI_LORA, file, library(same, owned), gpu(), PLENTY).have == same.name
    beside = fit(CIVITAI_LORA, file, library(other, owned), gpu(), PLENTY)
    assert (beside.verdict, keys(beside)[0]) == (Verdict.WITH_CARE, "fit.have_other_file")
    newer = fit(CIVITAI_LORA, file, library(older, owned), gpu(), PLENTY)
    assert (newer.verdict, keys(newer)[0]) == (Verdict.WITH_CARE, "fit.have_other_version")


def test_another_file_of_the_same_repository_is_not_the_same_file():
    vae = ModelFile(Kind.VAE, "ae.safetensors", hub_id=str(FLUX_DEV.ref))
    answer = fit(FLUX_DEV, FLUX_DEV.files[1], library(vae), gpu(24), PLENTY)
    assert answer.verdict is Verdict.FITS and "fit.have_other_file" not in keys(answer)


def test_a_lora_fits_by_the_families_of_the_models_there_are():
    file = CIVITAI_LORA.files[1]
    pony = checkpoint("pony.safetensors", "pony")
    noob = checkpoint("noob.safetensors", "noobai")
    illustrious = Offer(CIVITAI_LORA.ref, "x", kind=Kind.LORA, base_model="Illustrious", files=(file,))
    cases = [
        (CIVITAI_LORA, library(pony), Verdict.FITS, "fit.family"),
        (CIVITAI_LORA, library(checkpoint(), pony), Verdict.FITS, "fit.family"),
        (illustrious, library(noob), Verdict.FITS, "fit.family_related"),
        (CIVITAI_LORA, library(checkpoint()), Verdict.WITH_CARE, "fit.family_distant"),
        (CIVITAI_LORA, library(checkpoint("old.safetensors", "sd15")), Verdict.DOES_NOT_FIT, "fit.family_other"),
        (CIVITAI_LORA, library(), Verdict.DOES_NOT_FIT, "fit.family_none"),
        (CIVITAI_LORA, library(complete=False), Verdict.UNKNOWN, "fit.library_incomplete"),
    ]
    for offer, local, verdict, key in cases:
        answer = fit(offer, file, local, gpu(), PLENTY)
        assert (answer.verdict, keys(answer)[0]) == (verdict, key)
        assert answer.needed_bytes is None
    distant = fit(CIVITAI_LORA, file, library(checkpoint()), gpu(), PLENTY)
    assert "Made for Pony" in told(distant) and "SDXL" in told(distant)


@pytest.mark.parametrize(
    ("repo", "path", "family"),
    [
        ("stabilityai/stable-diffusion-xl-base-1.0", "sd_xl_base_1.0.safetensors", "sdxl"),
        ("Comfy-Org/stable-diffusion-v1-5-archive", "v1-5-pruned-emaonly-fp16.safetensors", "sd15"),
        ("Comfy-Org/z_image_turbo", "split_files/diffusion_models/z_image_turbo_bf16.safetensors", "z_image_turbo"),
        ("Comfy-Org/Qwen-Image_ComfyUI", "split_files/diffusion_models/qwen_image_fp8_e4m3fn.safetensors", "qwen_image"),
        ("someone/own-thing", "own_thing.safetensors", None),
    ],
)
def test_repositories_of_base_models_are_known_by_their_names(repo, path, family):
    offer = Offer(Ref("huggingface", repo), repo, kind=Kind.CHECKPOINT)
    found = family_offered(offer, hf(path))
    assert (found.id if found else None) == family
    adapter = Offer(Ref("huggingface", repo), repo, kind=Kind.LORA)
    assert family_offered(adapter, hf("style.safetensors")) is None, "a LoRA is not what its name says"


def test_another_model_of_a_repository_with_many_is_no_other_version():
    local = library(checkpoint("other.safetensors", "flux_dev", hub_id="huggingface:Comfy-Org/flux1-dev@old"))
    assert "fit.have_other_version" not in keys(fit(FLUX_DEV, FLUX_DEV.files[1], local, gpu(24), PLENTY))
    same = library(checkpoint("flux1-dev-fp8.safetensors", "flux_dev", hub_id="huggingface:Comfy-Org/flux1-dev@old"))
    assert "fit.have_other_version" in keys(fit(FLUX_DEV, FLUX_DEV.files[1], same, gpu(24), PLENTY))


def test_what_the_hub_does_not_say_is_unknown():
    file = CIVITAI_LORA.files[1]
    for base, key in (("Kolors", "fit.family_unknown"), ("", "fit.family_unsaid")):
        offer = Offer(CIVITAI_LORA.ref, "x", kind=Kind.LORA, base_model=base, files=(file,))
        answer = fit(offer, file, library(checkpoint()), gpu(), PLENTY)
        assert (answer.verdict, keys(answer)[0]) == (Verdict.UNKNOWN, key)
    for base, key in (("Kolors", "fit.model_family_unknown"), ("", "fit.model_family_unsaid")):
        offer = Offer(Ref("civitai", "1", "2"), "x", kind=Kind.CHECKPOINT, base_model=base)
        answer = fit(offer, civitai(1, "kolors.safetensors", 5 * GIB), library(), gpu(), PLENTY)
        assert answer.verdict is Verdict.UNKNOWN and key in keys(answer) and answer.needed_bytes


def test_disk_keeps_a_gibibyte_in_reserve():
    size = SDXL_FILE.size_bytes
    tight = fit(SDXL_BASE, SDXL_FILE, library(), gpu(12), size + GIB - 1)
    assert tight.verdict is Verdict.DOES_NOT_FIT and "fit.disk_short" in keys(tight)
    assert fit(SDXL_BASE, SDXL_FILE, library(), gpu(12), size + GIB).verdict is Verdict.FITS
    unknown = fit(SDXL_BASE, SDXL_FILE, library(), gpu(12), None)
    assert unknown.verdict is Verdict.UNKNOWN and "fit.disk_unknown" in keys(unknown)
    unsized = fit(SDXL_BASE, hf("sd_xl_base_1.0.safetensors"), library(), gpu(12), PLENTY)
    assert unsized.verdict is Verdict.UNKNOWN and keys(unsized) == ["fit.size_unknown"]


def test_memory_fits_streams_or_is_short():
    flux = FLUX_DEV.files[0]
    local = library(*parts_of("flux_dev"))
    streams = fit(FLUX_DEV, flux, local, gpu(8, ram_bytes=64 * GIB), PLENTY)
    assert (streams.verdict, keys(streams)[0]) == (Verdict.WITH_CARE, "fit.vram_streams")
    assert "this machine has 8.0 GiB" in told(streams)
    short = fit(FLUX_DEV, flux, local, gpu(8, ram_bytes=8 * GIB), PLENTY)
    assert (short.verdict, keys(short)[0]) == (Verdict.DOES_NOT_FIT, "fit.vram_short")
    cpu = Machine("cpu", vram_bytes=32 * GIB, ram_bytes=32 * GIB, host_version="0.33.0")
    assert keys(fit(SDXL_BASE, SDXL_FILE, library(), cpu, PLENTY))[0] == "fit.ram"
    weak = Machine("cpu", vram_bytes=4 * GIB, ram_bytes=4 * GIB, host_version="0.33.0")
    assert fit(SDXL_BASE, SDXL_FILE, library(), weak, PLENTY).verdict is Verdict.DOES_NOT_FIT
    assert fit(SDXL_BASE, SDXL_FILE, library(), Machine("cuda"), PLENTY).verdict is Verdict.UNKNOWN


def test_the_whole_flux_checkpoint_fits_16_gib_because_its_encoders_leave_first():
    answer = fit(FLUX_DEV, FLUX_DEV.files[1], library(), gpu(16), PLENTY)
    assert answer.verdict is Verdict.FITS
    assert 11.9e9 < answer.needed_bytes < 16 * GIB


@pytest.mark.parametrize(
    ("base", "name", "size", "kind"),
    [
        ("Flux.1 D", "flux1-dev.safetensors", 23_802_932_552, Kind.DIFFUSION_MODEL),
        ("Flux.1 D", "own_flux_fp8.safetensors", 11_901_525_888, Kind.DIFFUSION_MODEL),
        ("Flux.1 D", "flux1-dev-fp8.safetensors", 17_246_524_772, Kind.CHECKPOINT),
        ("ZImageTurbo", "z_image_turbo_bf16.safetensors", 12_309_866_400, Kind.DIFFUSION_MODEL),
        ("SDXL 1.0", "sd_xl_base_1.0.safetensors", 6_938_078_334, Kind.CHECKPOINT),
        ("SD 3.5 Large", "sd3.5_large.safetensors", 16_460_379_262, Kind.CHECKPOINT),
        ("Kolors", "kolors.safetensors", 5_000_000_000, Kind.CHECKPOINT),
        ("Flux.1 D", "unsized.safetensors", None, Kind.CHECKPOINT),
    ],
)
def test_a_bare_diffusion_model_called_a_checkpoint_is_told_by_its_size(base, name, size, kind):
    offer = Offer(Ref("civitai", "618692", "691639"), "x", kind=Kind.CHECKPOINT, base_model=base)
    assert folder_kind(offer, civitai(1, name, size, kind=Kind.CHECKPOINT)) is kind


def test_a_bare_diffusion_model_names_what_it_needs_beside_it():
    bare = fit(FLUX_DEV, FLUX_DEV.files[0], library(), gpu(48), PLENTY)
    assert bare.verdict is Verdict.WITH_CARE
    assert "t5xxl_fp16.safetensors" in told(bare) and "ae.safetensors" in told(bare)
    assert fit(FLUX_DEV, FLUX_DEV.files[0], library(*parts_of("flux_dev")), gpu(48), PLENTY).verdict is Verdict.FITS


def test_an_old_comfyui_is_named():
    offer = Offer(Ref("huggingface", "Comfy-Org/z_image"), "Z-Image", kind=Kind.DIFFUSION_MODEL, base_model="ZImageBase")
    file = hf("z_image_bf16.safetensors", 12 * GIB)
    answer = fit(offer, file, library(), gpu(24, host_version="0.3.64"), PLENTY)
    assert answer.verdict is Verdict.DOES_NOT_FIT and "needs ComfyUI 0.33" in told(answer)
    assert "fit.host" not in keys(fit(offer, file, library(), gpu(24), PLENTY))
    int8 = fit(SDXL_BASE, hf("sdxl_int8_convrot.safetensors", 3 * GIB), library(), gpu(24, host_version="0.3.64"), PLENTY)
    assert int8.verdict is Verdict.DOES_NOT_FIT and "fit.format_host" in keys(int8)


def test_formats_that_never_open_and_pieces_do_not_fit():
    gguf = fit(FLUX_DEV, hf("flux1-dev-Q4_0.gguf", 7 * GIB), library(), gpu(), PLENTY)
    assert gguf.verdict is Verdict.DOES_NOT_FIT and "stored as GGUF" in told(gguf)
    shard = fit(FLUX_OFFICIAL, FLUX_OFFICIAL.files[2], library(), gpu(48), PLENTY)
    assert shard.verdict is Verdict.DOES_NOT_FIT and "fit.shard" in keys(shard)


def test_pickle_gated_early_and_adult_are_said_and_need_care():
    answer = fit(EMBEDDING, EMBEDDING.files[0], library(checkpoint("a.safetensors", "sd15")), gpu(), PLENTY)
    assert (answer.verdict, "fit.pickle" in keys(answer)) == (Verdict.WITH_CARE, True)
    offer = Offer(
        CIVITAI_LORA.ref, "x", kind=Kind.LORA, base_model="Pony", nsfw=True, gated=True, early_access=True, page_url="https://p"
    )
    answer = fit(offer, CIVITAI_LORA.files[0], library(checkpoint("p.safetensors", "pony")), gpu(), PLENTY)
    assert answer.verdict is Verdict.WITH_CARE
    assert {"fit.gated", "fit.early_access", "fit.nsfw"} <= set(keys(answer))
    assert "https://p" in told(answer)


def test_a_fault_outweighs_what_is_unknown_and_that_outweighs_care():
    gated = Offer(CIVITAI_LORA.ref, "x", kind=Kind.LORA, gated=True)
    file = CIVITAI_LORA.files[0]
    assert fit(gated, file, library(checkpoint()), gpu(), PLENTY).verdict is Verdict.UNKNOWN
    assert fit(gated, file, library(checkpoint()), gpu(), 0).verdict is Verdict.DOES_NOT_FIT


# --------------------------------------------------------------------------- what is here already


def test_a_reference_means_its_own_version_else_the_newest_else_the_same_bytes():
    one = lora("ink_v1.safetensors", hub_id="civitai:257749@9")
    two = lora("ink_v2.safetensors", hub_id="civitai:257749@290640")
    bytes_ = lora("renamed.safetensors", sha256=SHA)
    ref = Ref("civitai", "257749")
    local = library(one, two, bytes_)
    assert local_answer(Ref("civitai", "257749", "9"), (), local) == one
    assert local_answer(ref, (), local) == two
    assert local_answer(Ref("civitai", "257749", "777"), (), local) == two
    assert local_answer(Ref("civitai", "1"), (SHA,), local) == bytes_
    assert local_answer(Ref("civitai", "1"), (OTHER_SHA,), local) is None
    assert local_answer(ref, (), local, (Kind.CHECKPOINT,)) is None


def test_a_file_of_a_repository_is_answered_by_its_name_not_by_its_neighbour():
    vae = ModelFile(Kind.VAE, "ae.safetensors", hub_id="huggingface:Comfy-Org/flux1-dev@0f8b07f")
    ref = Ref("huggingface", "Comfy-Org/flux1-dev", "0f8b07f", "flux1-dev-fp8.safetensors")
    assert local_answer(ref, (), library(vae)) is None
    model = checkpoint("flux\\flux1-dev-fp8.safetensors", "flux_dev", hub_id="huggingface:Comfy-Org/flux1-dev@old")
    assert local_answer(ref, (), library(vae, model)) == model


def test_usable_files_answer_before_broken_ones():
    broken = lora("a.safetensors", hub_id="civitai:1@2", problem="file_truncated")
    whole = lora("b.safetensors", hub_id="civitai:1@2")
    assert local_answer(Ref("civitai", "1", "2"), (), library(broken, whole)) == whole
    assert local_answer(Ref("civitai", "1"), (), library(whole, broken)) == whole
    assert local_answer(Ref("civitai", "1"), (), library(broken)) == broken


def test_ids_that_are_no_references_are_passed_over():
    assert local_answer(Ref("civitai", "1"), (), library(lora("a", hub_id="just words"))) is None


def test_families_owned_are_those_that_can_draw():
    local = library(
        checkpoint("a.safetensors", "sd15"),
        checkpoint("b.safetensors", "pony"),
        checkpoint("c.safetensors", "pony"),
        checkpoint("d.safetensors", "sdxl", problem="file_truncated"),
        checkpoint("e.safetensors", "sdxl_refiner"),
        checkpoint("f.safetensors", None),
        lora("g.safetensors", "flux_dev"),
    )
    assert [family.id for family in families_owned(local)] == ["pony", "sd15"]
    assert families_owned(Library()) == ()


def test_a_search_asks_for_what_loads_in_the_hubs_own_words():
    assert query_base_models(families()["pony"]) == (
        *("Pony",),
        *("SDXL 1.0", "SDXL 0.9", "SDXL 1.0 LCM", "SDXL Turbo", "SDXL Lightning", "SDXL Hyper", "SDXL Distilled"),
        *("Illustrious", "NoobAI"),
    )
    assert query_base_models(families()["noobai"])[:2] == ("NoobAI", "Illustrious")
    assert query_base_models(families()["flux_dev"]) == ("Flux.1 D", "Flux.1 Krea", "Flux.1 S")


def test_every_base_model_of_the_table_belongs_to_a_family():
    for name in table("offering")["base_models"]["civitai"]:
        assert family_of_base(name) is not None, name
        assert name in family_of_base(name).base_models


# --------------------------------------------------------------------------- what to fetch


def test_missing_parts_are_offered_with_their_references():
    local = library(diffusion("flux1-dev.safetensors", "flux_dev"))
    with pytest.raises(MissingModel) as missing:
        choose_model(Request("a cat"), analyze("a cat"), local, Taste(), gpu(24))
    offered = wanted(missing.value, local, gpu(24))
    assert [(one.kind, one.name) for one in offered] == [
        (Kind.TEXT_ENCODER, "clip_l.safetensors"),
        (Kind.TEXT_ENCODER, "t5xxl_fp16.safetensors"),
        (Kind.VAE, "ae.safetensors"),
    ]
    assert offered[0].ref == "huggingface:comfyanonymous/flux_text_encoders#clip_l.safetensors"
    assert Ref.parse(offered[2].ref).file == "split_files/vae/ae.safetensors"
    assert "clip_l.safetensors → models/text_encoders" in str(missing.value)
    assert wanted(missing.value.in_language("es"), local, gpu(24)) == offered
    assert from_json(Wanted, to_json(offered[0])) == offered[0]


def test_what_a_bare_model_needs_is_offered_with_it():
    clip, *others = parts_of("flux_dev")
    offered = wanted_with(FLUX_DEV, FLUX_DEV.files[0], library(*others))
    assert [one.name for one in offered] == [clip.name]
    assert wanted_with(FLUX_DEV, FLUX_DEV.files[1], library()) == (), "a whole checkpoint"
    assert wanted_with(CIVITAI_LORA, CIVITAI_LORA.files[0], library()) == ()


def test_the_other_half_of_a_model_is_searched_for():
    local = library(diffusion("wan2.2_t2v_high_noise_14B.safetensors", "wan22"), *parts_of("wan22"))
    with pytest.raises(MissingModel) as missing:
        choose_model(Request("a cat"), analyze("a cat"), local, Taste(), gpu(24))
    (half,) = wanted(missing.value, local, gpu(24))
    assert (half.name, half.ref) == ("wan2.2_t2v_low_noise_14b.safetensors", "")
    assert "low noise" in half.search


def test_every_part_of_every_family_has_a_reference():
    for part in known_parts():
        ref = hub_ref(part.url)
        assert ref is not None and Ref.parse(str(ref)) == ref, part
    assert hub_ref("https://example.org/a/b/resolve/main/c.safetensors") is None
    assert hub_ref("https://huggingface.co/a/b/resolve/v1/c/d.safetensors?download=true") is None
    assert hub_ref("https://huggingface.co/a/b/resolve/v1/c/d.safetensors").version == "v1"


def no_checkpoint(local=None, machine=None, prompt="a cat"):
    local, machine = local or library(), machine or gpu(8)
    with pytest.raises(MissingModel) as missing:
        choose_model(Request(prompt), analyze(prompt), local, Taste(), machine)
    return wanted(missing.value, local, machine, analyze(prompt))


@pytest.mark.parametrize(
    ("machine", "prompt", "first"),
    [
        (gpu(4), "a cat", "v1-5-pruned-emaonly-fp16.safetensors"),
        (gpu(7), "photo of a cat", "sd_xl_base_1.0.safetensors"),
        (gpu(8), "anime girl, cel shading", "NetaYumev35_pretrained_all_in_one.safetensors"),
        (gpu(12), "photo of a cat", "sd3.5_large_fp8_scaled.safetensors"),
        (gpu(24), "photo of a cat", "flux1-dev-fp8.safetensors"),
        (gpu(2), "a cat", "v1-5-pruned-emaonly-fp16.safetensors"),
        (Machine("cpu", 32 * GIB, 32 * GIB), "a cat", "v1-5-pruned-emaonly-fp16.safetensors"),
        (Machine("cuda"), "a cat", "v1-5-pruned-emaonly-fp16.safetensors"),
    ],
)
def test_a_first_model_fits_machine_and_style(machine, prompt, first):
    offered = no_checkpoint(machine=machine, prompt=prompt)
    assert offered[0].name == first and len(offered) <= 3
    assert all(Ref.parse(one.ref) for one in offered)


def test_a_machine_too_small_for_all_is_told_so():
    assert no_checkpoint(machine=gpu(2))[0].why.key == "wanted.starter_slow"
    assert no_checkpoint(machine=gpu(4))[0].why.key == "wanted.starter"


def test_files_that_cannot_be_used_are_offered_again():
    broken = checkpoint("xl/dreamShaperXL_v21_fp16.ckpt", problem="file_pickle", hub_id="civitai:112902@351306")
    again, *first = no_checkpoint(library(broken))
    assert (again.name, again.ref, again.search) == ("dreamShaperXL_v21_fp16.ckpt", "civitai:112902@351306", "dream Shaper XL")
    assert first and first[0].why.key == "wanted.starter"


@pytest.mark.parametrize("name", ["sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "sd_xl_base_1.0", "SDXL 1.0"])
def test_a_base_model_asked_for_by_any_name_is_offered(name):
    request = Request("a cat", checkpoint=name)
    with pytest.raises(MissingModel) as missing:
        choose_model(request, analyze("a cat"), library(checkpoint("old.safetensors", "sd15")), Taste(), gpu(12))
    (offered,) = wanted(missing.value, library(), gpu(12))
    assert offered.ref == "huggingface:stabilityai/stable-diffusion-xl-base-1.0#sd_xl_base_1.0.safetensors"
    assert offered.size_bytes == 6_938_078_334


def test_an_unknown_name_is_searched_for_and_an_official_part_is_known():
    local = library(checkpoint())
    with pytest.raises(MissingModel) as missing:
        choose_model(Request("a cat", checkpoint="juggernautXL_v9"), analyze("a cat"), local, Taste(), gpu(12))
    (offered,) = wanted(missing.value, local, gpu(12))
    assert (offered.kind, offered.ref, offered.search) == (Kind.CHECKPOINT, "", "juggernaut XL")
    with pytest.raises(MissingModel) as missing:
        choose_model(Request("a cat", vae="sdxl_vae"), analyze("a cat"), local, Taste(), gpu(12))
    (offered,) = wanted(missing.value, local, gpu(12))
    assert offered.ref == "huggingface:madebyollin/sdxl-vae-fp16-fix#sdxl_vae.safetensors"


def test_loras_and_embeddings_the_prompt_names_are_searched_for():
    prompt = "a cat, <lora:add_detail_v2:0.8>, embedding:badHandV4"
    plan = make_plan(Request(prompt), analyze(prompt), library(checkpoint()), Taste(), gpu(12))
    offered = wanted_beside(plan)
    assert [(one.kind, one.name, one.search) for one in offered] == [
        (Kind.LORA, "add_detail_v2", "add detail"),
        (Kind.EMBEDDING, "badHandV4", "bad Hand"),
    ]
    assert offered[0].base_models[0] == "SDXL 1.0"
    assert wanted_beside(make_plan(Request("a cat"), analyze("a cat"), library(checkpoint()), Taste(), gpu(12))) == ()


def test_what_no_download_mends_offers_nothing():
    assert wanted(MissingModel("no_checkpoint_yet"), Library(complete=False), gpu()) == ()
    assert wanted(BadRequest("empty_prompt"), library(), gpu()) == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("add_detail_v2.safetensors", "add detail"),
        ("styles/Ink-Wash (SDXL)_v1.0.safetensors", "Ink Wash SDXL"),
        ("v2.safetensors", "v2"),
        ("ponyDiffusionV6XL_v6StartWithThisOne.safetensors", "pony Diffusion V6XL"),
        ("sd3.5_large_fp8_scaled.safetensors", "sd3.5 large"),
    ],
)
def test_search_text(name, words):
    assert search_text(name) == words


def test_a_diffusers_folder_is_refused_with_what_to_get_instead():
    known = diffusers_folder("my-sdxl", ("stabilityai/stable-diffusion-xl-base-1.0",), gpu(12))
    assert isinstance(known, BadRequest)
    assert "huggingface:stabilityai/stable-diffusion-xl-base-1.0#sd_xl_base_1.0.safetensors" in str(known)
    assert "archivo único" in str(known.in_language("es"))
    unknown = diffusers_folder("someone/own-thing", ("", "PixArtSigmaPipeline"), gpu(12))
    assert unknown.code == "diffusers_folder_unknown" and "models/checkpoints" in str(unknown)


def test_starters_are_published_checkpoints_with_their_sources():
    rows = starters()
    assert len({row.ref for row in rows}) == len(rows)
    for row in rows:
        ref = Ref.parse(row.ref)
        assert ref.hub == "huggingface" and ref.file.endswith(".safetensors")
        assert row.family in families() and row.folder is Kind.CHECKPOINT
        assert row.styles and set(row.styles) <= {"photo", "artistic", "anime"}
        assert "ComfyUI" in row.source and len(row.vram_source) > 10
        assert row.size_bytes is None or "size" in row.source


def test_starters_that_say_they_fit_do_by_the_estimate():
    for row in starters():
        ref = Ref.parse(row.ref)
        if row.size_bytes:
            file = hf(ref.file, row.size_bytes)
            offer = Offer(ref.of_version, "x", kind=row.folder, base_model=families()[row.family].base_models[0], files=(file,))
            assert fit(offer, file, library(), gpu(row.min_vram_gib), PLENTY).verdict is Verdict.FITS, row


# --------------------------------------------------------------------------- sentences


def sample_reasons():
    """One reason of every kind, as the cases above make them."""
    weak = Machine("cpu", 4 * GIB, 4 * GIB, "0.33.0")
    pony, sdxl, noob = checkpoint("pony.safetensors", "pony"), checkpoint(), checkpoint("n.safetensors", "noobai")
    all_flags = {"nsfw": True, "gated": True, "early_access": True}
    lora_file, old = CIVITAI_LORA.files[1], gpu(24, host_version="0.3.64")

    def adapter(base, **changes):
        return Offer(CIVITAI_LORA.ref, "x", kind=Kind.LORA, base_model=base, **changes)

    def model(base):
        return Offer(Ref("civitai", "8", "9"), "x", kind=Kind.CHECKPOINT, base_model=base)

    calls = [
        (SDXL_BASE, SDXL_FILE, library(checkpoint("b.safetensors", sha256=SHA)), gpu(), PLENTY),
        (CIVITAI_LORA, lora_file, library(lora("o.safetensors", hub_id="civitai:257749@290640", sha256=SHA)), gpu(), PLENTY),
        (CIVITAI_LORA, lora_file, library(lora("o.safetensors", hub_id="civitai:257749@1")), gpu(), PLENTY),
        (FLUX_DEV, hf("a.gguf", 9), library(), gpu(), PLENTY),
        (FLUX_DEV, hf("a_int8.safetensors", 9), library(), old, PLENTY),
        (FLUX_OFFICIAL, FLUX_OFFICIAL.files[2], library(), gpu(), PLENTY),
        (EMBEDDING, EMBEDDING.files[0], library(), gpu(), PLENTY),
        (adapter("Pony", **all_flags), lora_file, library(pony), gpu(), PLENTY),
        (adapter("Illustrious"), lora_file, library(noob), gpu(), None),
        (adapter("Pony"), lora_file, library(sdxl), gpu(), 0),
        (adapter("Flux.1 D"), lora_file, library(sdxl), gpu(), PLENTY),
        (adapter("Pony"), hf("a.safetensors"), library(complete=False), gpu(), PLENTY),
        (adapter("Kolors"), lora_file, library(sdxl), gpu(), PLENTY),
        (adapter(""), lora_file, library(sdxl), gpu(), PLENTY),
        (model("Kolors"), civitai(1, "k.safetensors", 9), library(), Machine("cuda"), PLENTY),
        (model(""), civitai(1, "k.safetensors", 9), library(), gpu(), PLENTY),
        (model("ZImageBase"), civitai(1, "z.safetensors", 9), library(), old, PLENTY),
        (FLUX_DEV, FLUX_DEV.files[0], library(), gpu(8), PLENTY),
        (FLUX_DEV, FLUX_DEV.files[0], library(), gpu(8, ram_bytes=GIB), PLENTY),
        (SDXL_BASE, SDXL_FILE, library(), weak, PLENTY),
        (SDXL_BASE, SDXL_FILE, library(), Machine("cpu", 64 * GIB, 64 * GIB, "0.33.0"), PLENTY),
    ]
    for offer, file, local, machine, disk in calls:
        yield from fit(offer, file, local, machine, disk).reasons
    for one in (*no_checkpoint(machine=gpu(2)), *no_checkpoint(library(checkpoint("a.ckpt", problem="file_pickle")))):
        yield one.why
    for base in (library(diffusion("wan2.2_high_noise.safetensors", "wan22")), library(diffusion("f.safetensors", "flux_dev"))):
        yield from (one.why for one in no_checkpoint(base, gpu(24)))
    yield wanted(MissingModel("model_not_found", name="x", kinds=(Kind.LORA,)), library(), gpu())[0].why


def test_every_sentence_is_met_and_reads_well_in_both_languages():
    import json
    from pathlib import Path

    reasons = {reason.key: reason for reason in sample_reasons()}
    root = Path(__file__).parent.parent.parent
    written = json.loads((root / "locales" / "en" / "explain.json").read_text(encoding="utf-8"))
    assert set(reasons) == {key for key in written if key.startswith(("fit.", "wanted."))}
    for reason in reasons.values():
        english, spanish = render(reason, "en"), render(reason, "es")
        assert english != spanish and not english.startswith(reason.key)
        for text in (english, spanish):
            assert text[0].isupper() or text[0] in "“«" or text.split()[0].rstrip(".") in str(reason.values), text
            assert not re.search(r"[{}]|None|\bfit\.|\bwanted\.", text), text
