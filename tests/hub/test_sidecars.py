import json

from pack.hub.fields import EMPTY_SHA256
from pack.hub.sidecars import MAX_DESCRIPTION, Page, plain_text, read_sidecars, trigger_groups

SHA = "ab" * 32
VERSION = {
    "id": 7,
    "modelId": 3,
    "name": "v2",
    "baseModel": "Illustrious",
    "trainedWords": ["ink style, <lora:ink:0.8>, black lines", "splash"],
    "description": "<p>Use a weight of 0.6-0.8</p>",
    "model": {
        "name": "Ink",
        "nsfw": True,
        "poi": False,
        "tags": ["style", "ink"],
        "allowNoCredit": False,
        "allowCommercialUse": ["Image"],
    },
    "files": [{"sizeKB": 5, "hashes": {"SHA256": "00" * 32}}, {"sizeKB": 1000, "hashes": {"SHA256": SHA.upper()}}],
    "stats": {"downloadCount": 1234, "thumbsUpCount": 99, "ratingCount": 10},
}


def read(tmp_path, size=1_024_000, **files):
    paths = []
    for suffix, content in files.items():
        path = tmp_path / f"a.{suffix.replace('__', '-').replace('_', '.')}"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        paths.append(str(path))
    return read_sidecars(paths, size)


def test_a_hub_answer(tmp_path):
    page, broken = read(tmp_path, civitai_info=VERSION)
    assert broken == ()
    assert (page.base_model, page.title, page.hub_id, page.sha256) == ("Illustrious", "Ink", "civitai:3@7", SHA)
    assert page.trigger_groups == (("ink style", "black lines"), ("splash",))
    assert page.strength == (0.6, 0.7, 0.8)
    assert (page.downloads, page.likes, page.nsfw, page.real_person) == (1234, 99, True, False)
    assert page.licence == {"no_credit": False, "commercial_use": ["Image"]}
    assert page.tags == ("style", "ink") and page.description == "Use a weight of 0.6-0.8"


def test_a_hash_of_another_size_is_not_believed(tmp_path):
    assert read(tmp_path, size=77, civitai_info=VERSION)[0].sha256 is None
    assert read(tmp_path, size=77, metadata_json={"sha256": SHA, "size": 78})[0].sha256 is None
    assert read(tmp_path, size=77, metadata_json={"sha256": SHA, "size": 77})[0].sha256 == SHA
    assert read(tmp_path, size=77, metadata_json={"sha256": EMPTY_SHA256, "size": 77})[0].sha256 is None


def test_lora_manager(tmp_path):
    sidecar = {
        "model_name": "My ink",
        "base_model": "Pony",
        "tags": ["mine"],
        "usage_tips": '{"strength": 0.7, "strength_min": 0.5, "strength_max": 0.9}',
        "civitai": {**VERSION, "baseModel": "SDXL 1.0"},
        "modelDescription": "<b>About</b> ink",
    }
    page = read(tmp_path, metadata_json=sidecar)[0]
    assert (page.title, page.base_model, page.tags) == ("My ink", "Pony", ("mine",))
    assert page.strength == (0.5, 0.7, 0.9) and page.description == "About ink"
    assert page.trigger_groups[1] == ("splash",) and page.downloads == 1234
    assert read(tmp_path, metadata_json={"base_model": "Unknown"})[0].base_model == ""


def test_stability_matrix(tmp_path):
    sidecar = {
        "ModelId": 3,
        "VersionId": 7,
        "ModelName": "Ink",
        "BaseModel": "SD 1.5",
        "Tags": ["a"],
        "TrainedWords": ["x y"],
        "Nsfw": False,
        "ModelDescription": "<p>Hi</p>",
        "Stats": {"downloadCount": 5},
    }
    page = read(tmp_path, cm__info_json=sidecar)[0]
    assert (page.title, page.base_model, page.hub_id, page.downloads) == ("Ink", "SD 1.5", "civitai:3@7", 5)
    assert page.trigger_groups == (("x y",),) and page.description == "Hi"


def test_the_web_ui(tmp_path):
    sidecar = {"description": "note", "sd version": "SD1", "activation text": "ink, lines", "preferred weight": 0.65}
    page = read(tmp_path, json=sidecar)[0]
    assert page.strength == (None, 0.65, None) and page.trigger_groups == (("ink", "lines"),)
    assert read(tmp_path, json={"preferred weight": 0, "activation text": ""})[0] == Page()


def test_several_sidecars_complete_each_other(tmp_path):
    page = read(
        tmp_path, metadata_json={"model_name": "Mine", "tags": []}, civitai_info=VERSION, json={"preferred weight": 0.4}
    )[0]
    assert (page.title, page.base_model, page.tags) == ("Mine", "Illustrious", ("style", "ink"))


def test_broken_sidecars_are_named_and_ignored(tmp_path):
    page, broken = read(tmp_path, civitai_info="{oops", metadata_json="[1]", json={"activation text": "ink"})
    assert page.trigger_groups == (("ink",),) and len(broken) == 2
    assert read_sidecars([str(tmp_path / "none.json")], 1)[1] != ()


def test_fields_of_any_type_do_no_harm(tmp_path):
    odd = {key: value for key in (*VERSION, "tags", "usage_tips", "sha256", "size", "civitai") for value in [3]}
    for value in (None, 3, "x", [], {}, [None, {}], {"a": 1}, -1, 1e400, True):
        odd = dict.fromkeys(odd, value)
        odd_model = {**odd, "model": odd, "stats": odd, "files": [odd], "civitai": {**odd, "model": odd, "stats": odd}}
        for suffix in ("civitai_info", "metadata_json", "json", "cm__info_json"):
            page, _ = read(tmp_path, **{suffix: odd_model})
            assert isinstance(page.title, str) and isinstance(page.downloads, int)


def test_a_byte_order_mark_is_fine(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"activation text": "añil"}).encode())
    assert read_sidecars([str(path)], 1)[0].trigger_groups == (("añil",),)


def test_markup_becomes_text():
    assert plain_text("<p>One &amp; two</p><ul><li>three</li></ul>a<br/>b") == "One & two\nthree\na\nb"
    assert plain_text("5 < 6") == "5 < 6"
    assert plain_text(None) == "" and plain_text(7) == ""
    page_text = plain_text("<p>" + "x" * 5000 + "</p>")
    assert len(page_text) > MAX_DESCRIPTION  # cut where it is kept, not here


def test_trigger_words_are_groups():
    assert trigger_groups(["a, b", "a, b", "", "<lora:x:1>", "c\nd", 7]) == (("a", "b"), ("c", "d"))
    assert trigger_groups("a") == () and trigger_groups(None) == ()
