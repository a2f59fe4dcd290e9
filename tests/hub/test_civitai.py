from datetime import datetime, timezone

import pytest
from pack.errors import BadRequest
from pack.hub.civitai_answers import is_early, offer_of
from pack.hub.refusals import NotFound, Refused
from pack.hub.sidecars import MAX_DESCRIPTION
from pack.hub.sources.civitai import Here
from pack.offers import Query, Ref, Sort
from pack.plan import Kind
from standin import Fault, toy

NOW = datetime(2025, 8, 1, tzinfo=timezone.utc)
BASE = "https://civitai.com"


@pytest.fixture
def civitai(standin):
    return Here(standin.web())


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("urn:air:sdxl:checkpoint:civitai:101055@128078", "civitai:101055@128078"),
        ("air:flux1:lora:civitai:706978@1050496.safetensors", "civitai:706978@1050496"),
        ("urn:air:sdxl:lora:civitai:101055", "civitai:101055"),
        ("civitai:101055@128078", "civitai:101055@128078"),
        ("civitai:101055@128078#77", "civitai:101055@128078#77"),
        ("https://civitai.com/models/257749/pony-diffusion-v6-xl?modelVersionId=290640", "civitai:257749@290640"),
        ("https://civitai.com/models/257749/pony-diffusion-v6-xl", "civitai:257749"),
        ("https://www.civitai.red/models/257749", "civitai:257749"),
        ("civitai.com/models/257749", "civitai:257749"),
        ("https://civitai.com/es/models/257749/pony", "civitai:257749"),
        ("https://civitai.com/api/download/models/290640?type=Model&format=SafeTensor", "civitai:0@290640"),
        ("https://civitai.com/api/download/models/290640?fileId=88", "civitai:0@290640#88"),
        ("https://civitai.com/model-versions/290640", "civitai:0@290640"),
    ],
)
def test_every_way_to_name_a_model_is_read(civitai, text, ref):
    assert str(civitai.read(text)) == ref


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/models/257749",
        "https://civitai.com.evil.example/models/257749",
        "https://civitai.com/user/someone",
        "urn:air:sdxl:checkpoint:huggingface:a/b",
        "ftp://civitai.com/models/1",
        "pony.safetensors",
        "owner/name",
        "https://[civitai.com/models/1",
        "https://civitai.com/models/" + "1" * 3000,
        "",
    ],
)
def test_other_texts_are_left_to_others(civitai, text):
    assert civitai.read(text) is None


def test_a_version_is_described_with_all_that_its_model_says(standin, civitai):
    old = standin.civitai.add({"ink_v1.safetensors": toy("v1")})
    new = standin.civitai.add({"ink_v2.safetensors": toy("v2")}, model_id=old.model_id)
    offer = civitai.describe(Ref.parse(old.ref))
    (file,) = offer.files
    assert str(offer.ref) == old.ref
    assert (offer.title, offer.version_name, offer.kind, offer.base_model) == ("Ink Drawing", "v1.0", Kind.LORA, "SDXL 1.0")
    assert (offer.creator, offer.tags, offer.downloads, offer.likes) == ("inker", ("style", "ink", "drawing"), 1234, 210)
    assert offer.trigger_groups == (("ink drawing", "monochrome"), ("inkstyle",))
    assert offer.strength == (0.6, 0.7, 0.8)
    assert offer.description == "Sharper lines.\nBlack ink on white paper. Use a weight of 0.6-0.8."
    assert offer.licence == {
        "no_credit": True,
        "commercial_use": ["Image", "RentCivit"],
        "derivatives": True,
        "different_licence": False,
    }
    assert (file.size_bytes, file.sha256) == (len(toy("v1")), old.sha256["ink_v1.safetensors"])
    assert (file.kind, file.pickle, file.precision, file.primary) == (Kind.LORA, False, "fp16", True)
    assert offer.preview_url.endswith("/ink.jpeg")  # neither the film nor the mature picture
    assert offer.page_url == f"{standin.civitai.url}/models/{old.model_id}?modelVersionId={old.version_id}"
    assert [version.id for version in offer.versions] == [str(new.version_id)]
    assert len(standin.civitai.asked()) == 1


def test_a_model_without_a_version_means_its_newest(standin, civitai):
    old = standin.civitai.add({"v1.safetensors": toy("v1")})
    new = standin.civitai.add({"v2.safetensors": toy("v2")}, model_id=old.model_id)
    offer = civitai.describe(Ref("civitai", str(old.model_id)))
    assert str(offer.ref) == new.ref
    assert [version.id for version in offer.versions] == [str(old.version_id)]


def test_a_version_alone_finds_its_model(standin, civitai):
    added = standin.civitai.add({"ink.safetensors": toy()})
    offer = civitai.describe(Ref("civitai", "0", str(added.version_id)))
    assert str(offer.ref) == added.ref
    assert offer.licence and offer.creator == "inker"


def test_a_version_its_page_no_longer_lists_is_described_by_its_own_answer(standin, civitai):
    added = standin.civitai.add({"ink.safetensors": toy()}, version={"status": "Unpublished"})
    offer = civitai.describe(Ref.parse(added.ref))
    assert str(offer.ref) == added.ref
    assert [each.path for each in standin.civitai.asked()] == [
        f"/api/v1/models/{added.model_id}",
        f"/api/v1/model-versions/{added.version_id}",
    ]


def test_what_only_the_second_address_has_is_found_there(standin, civitai):
    added = standin.red.add({"ink.safetensors": toy()})
    offer = civitai.describe(Ref.parse(added.ref))
    (file,) = offer.files
    assert standin.civitai.asked() and offer.page_url.startswith(standin.red.url)
    assert all(address.startswith(standin.red.url) for address in civitai.addresses(offer, file))


def test_nowhere_is_not_found(civitai):
    with pytest.raises(NotFound) as fault:
        civitai.describe(Ref("civitai", "404"))
    assert fault.value.code == "hub_not_found"
    with pytest.raises(BadRequest):
        civitai.describe(Ref("civitai", "../../secrets"))


@pytest.mark.parametrize("cut", [lambda sum_: sum_, lambda sum_: sum_[:10], lambda sum_: sum_[-12:].upper()])
def test_a_file_is_recognised_by_each_of_its_hashes(standin, civitai, cut):
    added = standin.civitai.add({"ink.safetensors": toy()})
    assert str(civitai.by_hash(cut(added.sha256["ink.safetensors"])).ref) == added.ref


def test_an_unknown_hash_is_nobodys_and_a_broken_one_is_not_sent(standin, civitai):
    assert civitai.by_hash("0" * 64) is None
    with pytest.raises(BadRequest):
        civitai.by_hash("../me")
    assert len(standin.civitai.asked()) == 1


def test_search_asks_what_the_person_asked(standin, civitai):
    standin.civitai.add({"a.safetensors": toy("a")}, name="Ink Drawing")
    standin.civitai.add({"b.safetensors": toy("b")}, name="Ink Wash", type="Checkpoint")
    query = Query("ink", kinds=(Kind.LORA,), base_models=("SDXL 1.0",), tag="style", sort=Sort.DOWNLOADS, limit=7)
    found = civitai.search(query)
    assert [offer.title for offer in found.offers] == ["Ink Drawing"]
    assert standin.civitai.asked()[0].query == {
        "limit": ["7"],
        "nsfw": ["false"],
        "query": ["ink"],
        "types": ["LORA", "LoCon", "DoRA"],
        "baseModels": ["SDXL 1.0"],
        "tag": ["style"],
        "sort": ["Most Downloaded"],
    }


def test_search_pages_until_there_is_no_more(standin, civitai):
    names = [f"Ink {number}" for number in range(5)]
    for name in names:
        standin.civitai.add({"a.safetensors": toy(name)}, name=name)
    seen, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        found = civitai.search(Query("ink", limit=2, cursor=cursor))
        seen += [offer.title for offer in found.offers]
        cursor, pages = found.cursor, pages + 1
    assert (seen, pages) == (names, 3)
    assert all("page" not in each.query for each in standin.civitai.asked())


def test_search_shows_nothing_mature_unless_asked(standin, civitai):
    standin.civitai.add({"a.safetensors": toy("a")}, name="Ink One", version={"nsfwLevel": 24})
    standin.civitai.add({"b.safetensors": toy("b")}, name="Ink Two", model={"nsfw": True})
    standin.civitai.add({"c.safetensors": toy("c")}, name="Ink Three", version={"nsfwLevel": 31})
    assert [offer.title for offer in civitai.search(Query("ink")).offers] == ["Ink Three"]
    assert len(civitai.search(Query("ink", nsfw=True)).offers) == 3


def test_search_takes_the_version_for_the_wanted_base_model(standin, civitai):
    old = standin.civitai.add({"a.safetensors": toy("a")}, version={"baseModel": "Pony"})
    standin.civitai.add({"b.safetensors": toy("b")}, model_id=old.model_id)
    (offer,) = civitai.search(Query("ink", base_models=("Pony",))).offers
    assert str(offer.ref) == old.ref


def test_where_the_first_address_finds_nothing_the_second_is_asked_and_paged(standin, civitai):
    for number in range(3):
        standin.red.add({"a.safetensors": toy(str(number))}, name=f"Rare {number}")
    first = civitai.search(Query("rare", limit=2))
    second = civitai.search(Query("rare", limit=2, cursor=first.cursor))
    assert [offer.title for offer in (*first.offers, *second.offers)] == ["Rare 0", "Rare 1", "Rare 2"]
    assert len(standin.civitai.asked()) == 1


def test_a_kind_the_hub_does_not_have_finds_nothing_and_asks_nobody(standin, civitai):
    assert civitai.search(Query("x", kinds=(Kind.CLIP_VISION,))).offers == ()
    assert standin.civitai.asked() == []


def test_files_have_kinds_of_their_own_and_training_data_is_no_model(standin, civitai):
    files = {name: toy(name) for name in ("m.safetensors", "v.safetensors", "t.safetensors", "d.zip", "c.yaml", "p.pt")}
    types = {"v.safetensors": "VAE", "t.safetensors": "Text Encoder", "d.zip": "Training Data", "c.yaml": "Config"}
    overrides = {name: {"type": kind} for name, kind in types.items()}
    overrides["p.pt"] = {"type": "Pruned Model", "metadata": {"format": "PickleTensor", "fp": "fp32"}}
    added = standin.civitai.add(files, type="Checkpoint", file=overrides)
    offer = civitai.describe(Ref.parse(added.ref))
    assert {file.name: (file.kind, file.pickle) for file in offer.files} == {
        "m.safetensors": (Kind.CHECKPOINT, False),
        "v.safetensors": (Kind.VAE, False),
        "t.safetensors": (Kind.TEXT_ENCODER, False),
        "p.pt": (Kind.CHECKPOINT, True),
    }


def test_the_files_own_address_comes_first_and_its_number_second(standin, civitai):
    added = standin.civitai.add({"ink.safetensors": toy()})
    offer = civitai.describe(Ref.parse(added.ref))
    first, second = civitai.addresses(offer, offer.files[0])
    assert first == f"{standin.civitai.url}/api/download/models/{added.version_id}"
    assert second == f"{first}?fileId={added.file_ids['ink.safetensors']}"


def test_an_address_of_another_site_or_with_a_key_is_not_followed(standin, civitai):
    urls = {
        "a.safetensors": "https://evil.example/a",
        "b.safetensors": "https://evil.example/api/download/models/9?token=abc&type=Model",
    }
    added = standin.civitai.add(
        {name: toy(name) for name in urls}, file={name: {"downloadUrl": url} for name, url in urls.items()}
    )
    offer = civitai.describe(Ref.parse(added.ref))
    asked = [address for file in offer.files for address in civitai.addresses(offer, file)]
    assert all(address.startswith(f"{standin.civitai.url}/api/download/models/") for address in asked)
    assert not any("abc" in address for address in asked)


def test_what_may_only_be_used_on_the_site_is_refused_with_a_sentence(standin, civitai):
    added = standin.civitai.add({"ink.safetensors": toy()}, version={"usageControl": "InternalGeneration"})
    offer = civitai.describe(Ref.parse(added.ref))
    with pytest.raises(Refused) as fault:
        civitai.addresses(offer, offer.files[0])
    assert fault.value.code == "hub_no_download" and "Ink Drawing" in str(fault.value)


@pytest.mark.parametrize(
    ("version", "early"),
    [
        ({"availability": "EarlyAccess"}, True),
        ({"availability": "Public"}, False),
        ({"earlyAccessEndsAt": "2025-08-02T00:00:00.000Z"}, True),
        ({"earlyAccessEndsAt": "2025-07-31T00:00:00.000Z"}, False),
        ({"earlyAccessEndsAt": "soon"}, False),
        ({"earlyAccessTimeFrame": 15, "publishedAt": "2025-07-20T00:00:00.000Z"}, True),
        ({"earlyAccessTimeFrame": 5, "publishedAt": "2025-07-20T00:00:00.000Z"}, False),
        ({"paidAccess": {"permanent": True, "endsAt": None}}, True),
        ({"paidAccess": {"permanent": False, "endsAt": "2025-09-01T00:00:00.000Z"}}, True),
        ({"paidAccess": "yes"}, False),
    ],
)
def test_early_access_is_seen_in_all_its_forms(version, early):
    assert is_early(version, NOW) is early


def test_without_hash_or_size_the_file_says_so(standin, civitai):
    added = standin.civitai.add({"ink.safetensors": toy()}, hashed=False, sized=False)
    (file,) = civitai.describe(Ref.parse(added.ref)).files
    assert (file.sha256, file.size_bytes) == (None, None)


def test_a_size_is_exact_to_the_byte():
    version = {"id": 1, "files": [{"id": 2, "name": "a.safetensors", "sizeKB": 167938.8828125}]}
    assert offer_of(version, {"id": 3}, BASE, NOW).files[0].size_bytes == 171969416


@pytest.mark.parametrize("wrong", [None, 7, "text", [], [None, 3, "x"], {"a": 1}, float("inf"), True])
def test_no_field_is_trusted_to_have_its_type(wrong):
    fields = ("name", "description", "trainedWords", "stats", "files", "images", "baseModel", "publishedAt", "nsfwLevel")
    version = {"id": 1, "modelId": 2, **dict.fromkeys((*fields, "usageControl", "paidAccess", "earlyAccessTimeFrame"), wrong)}
    model = dict.fromkeys(("name", "type", "tags", "creator", "nsfw", "poi", "allowCommercialUse", "modelVersions"), wrong)
    offer = offer_of(version, model, BASE, NOW)
    assert str(offer.ref) == "civitai:2@1" and offer.files == ()
    file = dict.fromkeys(("sizeKB", "metadata", "hashes", "primary", "downloadUrl", "type"), wrong)
    told = offer_of({"id": 1, "files": [{"id": 5, "name": "a.safetensors", **file}]}, {"id": 2, "type": "LORA"}, BASE, NOW)
    assert all(each.url == f"{BASE}/api/download/models/1?fileId=5" for each in told.files)


def test_long_texts_are_cut():
    version = {"id": 1, "description": "<p>" + "word " * 10_000, "name": "n" * 10_000}
    offer = offer_of(version, {"id": 2, "tags": [f"t{n}" for n in range(1000)]}, BASE, NOW)
    assert len(offer.description) <= MAX_DESCRIPTION and len(offer.version_name) <= 1000 and len(offer.tags) <= 60


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"not json", b"<html>", b"{}"])
def test_an_answer_that_is_none_has_its_sentence(standin, civitai, body):
    standin.civitai.fault("/api/v1/model-versions/*", Fault(status=200, body=body))
    with pytest.raises(Refused) as fault:
        civitai.by_hash("A" * 64)
    assert fault.value.code == "hub_answer_unreadable"
