import pytest
from huggingface_hub import HfApi
from pack.errors import BadRequest, Unreachable
from pack.hub.huggingface_answers import is_model, kind_of_path, offer_of, read_info
from pack.hub.refusals import NotFound, Refused
from pack.hub.sources.huggingface import Here
from pack.offers import Query, Ref, Sort
from pack.plan import Kind
from standin import Fault, toy

HUB = "https://huggingface.co"


@pytest.fixture
def huggingface(standin):
    return Here(standin.web())


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("stabilityai/stable-diffusion-xl-base-1.0", "huggingface:stabilityai/stable-diffusion-xl-base-1.0"),
        ("huggingface:a/b@main#x/y.safetensors", "huggingface:a/b@main#x/y.safetensors"),
        ("urn:air:sdxl:checkpoint:huggingface:a/b@main", "huggingface:a/b@main"),
        (f"{HUB}/a/b", "huggingface:a/b"),
        (f"{HUB}/a/b/", "huggingface:a/b"),
        ("https://hf.co/a/b", "huggingface:a/b"),
        ("huggingface.co/a/b", "huggingface:a/b"),
        (f"{HUB}/a/b/tree/main", "huggingface:a/b@main"),
        (f"{HUB}/a/b/tree/main/vae", "huggingface:a/b@main"),
        (f"{HUB}/a/b/tree/refs%2Fpr%2F1", "huggingface:a/b@refs/pr/1"),
        (f"{HUB}/a/b/blob/main/vae/v.safetensors", "huggingface:a/b@main#vae/v.safetensors"),
        (f"{HUB}/a/b/resolve/main/my%20ink.safetensors?download=true", "huggingface:a/b@main#my ink.safetensors"),
        (f"{HUB}/datasets/a/b", None),
        (f"{HUB}/docs/hub", None),
        ("styles/ink.safetensors", None),
        ("styles/ink.ckpt", None),
        ("a/b/c", None),
        ("../b", None),
        ("a/..", None),
        ("two words/name", None),
        ("https://evil.example/a/b", None),
        ("https://[huggingface.co/a/b", None),
        ("ink.safetensors", None),
        ("civitai:1@2", None),
        ("C:\\models\\a.safetensors", None),
        ("", None),
    ],
)
def test_names_and_addresses_are_read_and_local_files_are_not(huggingface, text, ref):
    found = huggingface.read(text)
    assert (str(found) if found else None) == ref


def test_the_configured_mirror_is_read_too(standin, huggingface):
    assert str(huggingface.read(f"{standin.huggingface.url}/a/b/resolve/main/x.sft")) == "huggingface:a/b@main#x.sft"


CARD = {
    "license": "other",
    "license_name": "flux-1-dev",
    "license_link": "https://example.org/licence",
    "base_model": ["black-forest-labs/FLUX.1-dev", "x/y"],
    "instance_prompt": "INKSTYLE, monochrome",
}


def test_a_repository_is_described_as_the_real_client_sees_it(standin, huggingface):
    files = {"ink.safetensors": toy("ink"), "old/ink.bin": toy("pickle"), "README.md": b"# Ink", "tiny.safetensors": b"tiny"}
    tags = ("lora", "diffusers", "base_model:adapter:black-forest-labs/FLUX.1-dev", "license:other", "text-to-image")
    widget = [{"text": "a cat", "output": {"url": "images/cat.png"}}]
    sha = standin.huggingface.add("artist/ink-style", files, tags=tags, card=CARD, widgetData=widget)
    offer = huggingface.describe(Ref("huggingface", "artist/ink-style"))
    assert str(offer.ref) == f"huggingface:artist/ink-style@{sha}"
    assert (offer.title, offer.creator, offer.kind) == ("ink-style", "artist", Kind.LORA)
    assert offer.base_model == "black-forest-labs/FLUX.1-dev"
    assert offer.trigger_groups == (("INKSTYLE", "monochrome"),)
    assert offer.licence == {"name": "flux-1-dev", "link": "https://example.org/licence"}
    assert (offer.downloads, offer.likes, offer.gated) == (4321, 77, False)
    assert offer.preview_url == f"{standin.huggingface.url}/artist/ink-style/resolve/{sha}/images/cat.png"
    assert [file.id for file in offer.files if file.primary] == ["ink.safetensors"]
    api = HfApi(endpoint=standin.huggingface.url, token=False)
    theirs = {each.rfilename: each for each in api.model_info("artist/ink-style", files_metadata=True).siblings}
    assert set(theirs) - {file.id for file in offer.files} == {"README.md"}
    for file in offer.files:
        lfs = theirs[file.id].lfs
        assert (file.size_bytes, file.sha256) == (theirs[file.id].size, lfs.sha256 if lfs else None)
        assert file.pickle is file.id.endswith(".bin")


def test_what_was_described_is_what_is_downloaded(standin, huggingface):
    old = standin.huggingface.add("a/b", {"my ink#1.safetensors": toy("old")})
    offer = huggingface.describe(Ref("huggingface", "a/b", "main"))
    standin.huggingface.add("a/b", {"my ink#1.safetensors": toy("new")})
    (address,) = huggingface.addresses(offer, offer.files[0])
    assert address == f"{standin.huggingface.url}/a/b/resolve/{old}/my%20ink%231.safetensors"
    with standin.web().open("huggingface", address) as answer:
        assert answer.raw.read() == toy("old")


def test_search_filters_sorts_and_drops_what_is_mature(standin, huggingface):
    standin.huggingface.add("a/ink-one", {"a.safetensors": toy("1")}, tags=("lora",), downloads=1)
    standin.huggingface.add("a/ink-two", {"a.safetensors": toy("2")}, tags=("lora",), downloads=9)
    standin.huggingface.add("a/ink-three", {"a.safetensors": toy("3")}, tags=("lora", "not-for-all-audiences"))
    standin.huggingface.add("a/ink-base", {"a.safetensors": toy("4")}, tags=("diffusers",))
    found = huggingface.search(Query("ink", kinds=(Kind.LORA,), sort=Sort.DOWNLOADS))
    assert [offer.title for offer in found.offers] == ["ink-two", "ink-one"]
    assert found.cursor == ""
    assert len(huggingface.search(Query("ink", kinds=(Kind.LORA,), nsfw=True)).offers) == 3
    asked = standin.huggingface.asked()[0].query
    assert (asked["search"], asked["filter"], asked["sort"]) == (["ink"], ["lora"], ["downloads"])


def test_search_pages_by_what_was_passed(standin, huggingface):
    for number in range(5):
        standin.huggingface.add(f"a/ink{number}", {"a.safetensors": toy(str(number))})
    seen, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        found = huggingface.search(Query("ink", limit=2, cursor=cursor))
        seen += [offer.title for offer in found.offers]
        cursor, pages = found.cursor, pages + 1
    assert (seen, pages) == ([f"ink{number}" for number in range(5)], 3)
    assert huggingface.search(Query("ink", cursor="99999999999")).cursor == ""


def test_a_base_model_filters_where_it_is_a_repository(standin, huggingface):
    standin.huggingface.add("a/b", {"a.safetensors": toy()}, tags=("base_model:o/base",))
    assert len(huggingface.search(Query(base_models=("o/base",))).offers) == 1
    assert huggingface.search(Query(base_models=("o/other",))).offers == ()
    huggingface.search(Query(base_models=("SDXL 1.0",)))
    assert "filter" not in standin.huggingface.asked()[-1].query


def test_gated_repositories_are_described_and_say_so(standin, huggingface):
    standin.huggingface.add("a/gated", {"m.safetensors": toy()}, gate="gated")
    assert huggingface.describe(Ref("huggingface", "a/gated")).gated is True


@pytest.mark.parametrize(
    ("token", "repo", "code"),
    [
        (None, "a/private", "hub_repo_hidden"),
        (None, "a/nowhere", "hub_repo_hidden"),
        ("hf_standin_1234", "a/nowhere", "hub_not_found"),
        ("hf_expired_1234", "a/private", "hub_token_rejected"),
    ],
)
def test_what_cannot_be_seen_says_why(standin, token, repo, code):
    standin.huggingface.add("a/private", {"m.safetensors": toy()}, gate="private")
    with pytest.raises(Refused) as fault:
        Here(standin.web({"huggingface": token} if token else {})).describe(Ref("huggingface", repo))
    assert fault.value.code == code
    assert isinstance(fault.value, NotFound) is (code != "hub_token_rejected")


def test_a_granted_key_sees_what_is_private(standin):
    standin.huggingface.add("a/private", {"m.safetensors": toy()}, gate="private")
    assert Here(standin.web({"huggingface": "hf_granted_1234"})).describe(Ref("huggingface", "a/private")).files


def test_an_unknown_revision_is_not_found_and_a_strange_one_not_sent(standin, huggingface):
    standin.huggingface.add("a/b", {"m.safetensors": toy()})
    with pytest.raises(NotFound):
        huggingface.describe(Ref("huggingface", "a/b", "v9"))
    for ref in (Ref("huggingface", "a/b", "../../x y"), Ref("huggingface", "a/b/c"), Ref("huggingface", "..")):
        with pytest.raises(BadRequest):
            huggingface.describe(ref)
    assert len(standin.huggingface.asked()) == 1


def test_a_renamed_repository_is_followed(standin, huggingface):
    standin.huggingface.add("a/new", {"m.safetensors": toy()})
    standin.huggingface.fault("/api/models/a/old", Fault.redirect("/api/models/a/new?blobs=true", 307))
    assert huggingface.describe(Ref("huggingface", "a/old")).ref.model == "a/new"


def test_no_hash_can_be_asked_for_and_nobody_is_asked(standin, huggingface):
    assert huggingface.by_hash("0" * 64) is None
    assert standin.huggingface.asked() == []


def test_offline_asks_nobody(standin):
    with pytest.raises(Unreachable) as fault:
        Here(standin.web(offline=True)).describe(Ref("huggingface", "a/b"))
    assert fault.value.code == "hub_offline"
    assert standin.huggingface.asked() == []


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"<html>", b'{"id": 3}', b'{"id": "a/b", "siblings": 7}'])
def test_an_answer_that_is_none_has_its_sentence(standin, huggingface, body):
    standin.huggingface.fault("/api/models/*", Fault(status=200, body=body))
    with pytest.raises(Refused) as fault:
        huggingface.describe(Ref("huggingface", "a/b"))
    assert fault.value.code == "hub_answer_unreadable"


@pytest.mark.parametrize("wrong", [7, "text", [3], {"a": 1}, True])
def test_no_field_is_trusted_to_have_its_type(wrong):
    fields = ("tags", "downloads", "likes", "author", "widgetData", "pipeline_tag", "gated", "sha")
    info = read_info({"id": "a/b", **dict.fromkeys(fields, wrong), "cardData": dict.fromkeys((*CARD, "description"), wrong)})
    assert offer_of(info, HUB).files == ()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("split_files/vae/ae.safetensors", Kind.VAE),
        ("split_files/diffusion_models/flux.safetensors", Kind.DIFFUSION_MODEL),
        ("split_files/text_encoders/qwen.safetensors", Kind.TEXT_ENCODER),
        ("unet/diffusion_pytorch_model.safetensors", Kind.DIFFUSION_MODEL),
        ("text_encoder/model.safetensors", Kind.TEXT_ENCODER),
        ("ae.safetensors", Kind.VAE),
        ("sdxl_vae.safetensors", Kind.VAE),
        ("t5xxl_fp16.safetensors", Kind.TEXT_ENCODER),
        ("clip_l.safetensors", Kind.TEXT_ENCODER),
        ("clip_vision_h.safetensors", Kind.CLIP_VISION),
        ("pytorch_lora_weights.safetensors", Kind.LORA),
        ("control_v11p_sd15_canny.safetensors", Kind.CONTROLNET),
        ("learned_embeds.safetensors", Kind.EMBEDDING),
        ("RealESRGAN_x4.pth", Kind.UPSCALER),
        ("anything.safetensors", None),
    ],
)
def test_a_path_tells_what_a_file_is(path, kind):
    assert kind_of_path(path) is kind


def test_a_word_that_holds_another_is_no_sign():
    assert kind_of_path("explorations.safetensors") is None
    assert kind_of_path("floral-v1.safetensors") is None
    assert kind_of_path("4x-UltraSharp.pth") is Kind.UPSCALER
    assert kind_of_path("my_style_LoRA.safetensors") is Kind.LORA
    assert kind_of_path("inkLora2.safetensors") is Kind.LORA


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "model-00001-of-00002.safetensors",
        "safety_checker/model.safetensors",
        "optimizer.bin",
        "checkpoint-500/random_states_0.pth",
        "a.safetensors.index.json",
        "onnx/model.bin",
    ],
)
def test_pieces_are_no_models(path):
    assert not is_model(path)
