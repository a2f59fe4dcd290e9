"""The hubs over REST on a real server: found, confirmed, fetched, known; and who may not."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
from pack.demo.write import write_models
from pack.files import write_whole
from pack.hub.answers import Answers, Asked
from pack.hub.previews import as_webp, key_of
from pack.plan import Kind
from pack.routes import ACT_PATH, GUARD_HEADER, HUB_PATH, PREFIX, RATE_PATH, ROUTES
from pack.serve import Server, serving

from ..openapi import SPEC, answer_schema, body_schema, faults, operations
from .conftest import ROOT, environ_of, hosts

sys.path.insert(0, str(ROOT / "tests" / "hub"))
from standin import Fault, StandIn, toy, wait_until

GUARD = {GUARD_HEADER: "1", "Content-Type": "application/json"}
KEY = "civitai-key-1234"
NO_KEYS = dict.fromkeys(("CIVITAI_API_KEY", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), "")


def lora(salt: str, filling: int = 0) -> bytes:
    """An SD 1.5 LoRA that the pack recognises, ``filling`` bytes larger than it need be."""
    block = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    shapes = {f"{block}.lora_down.weight": (4, 768), f"{block}.lora_up.weight": (320, 4), "filling": (max(1, filling // 2),)}
    header: dict[str, Any] = {"__metadata__": {"salt": salt}}
    at = 0
    for name, shape in shapes.items():
        size = 2
        for length in shape:
            size *= length
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(at)


def picture(color: str) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (900, 600), color).save(made, "PNG")
    return made.getvalue()


@dataclass
class Hubs:
    """A host whose hubs are the stand-ins. Every JSON answer is held against its description."""

    server: Server
    home: Path
    models: Path
    hubs: StandIn
    heard: list[dict[str, Any]] = field(default_factory=list)

    def get(self, path: str, status: int = 200, headers: dict[str, str] | None = None, **query: Any) -> Any:
        answer = requests.get(f"{self.server.url}{path}", params=query, headers=headers, timeout=60)
        return self._checked("GET", path, answer, status)

    def post(self, path: str, status: int = 200, headers: dict[str, str] | None = None, query: str = "", **body: Any) -> Any:
        sent = {**GUARD, **(headers or {})}
        answer = requests.post(f"{self.server.url}{path}{query}", data=json.dumps(body), headers=sent, timeout=60)
        return self._checked("POST", path, answer, status)

    def _checked(self, method: str, path: str, answer: requests.Response, status: int) -> Any:
        assert answer.status_code == status, answer.text[:500]
        told = answer.json()
        wrong = list(faults(told, answer_schema(method, described(path), status)))
        assert not wrong, wrong[:5]
        return told

    def hub(self, path: str, **query: Any) -> Any:
        return self.get(f"{HUB_PATH}/{path}", **query)

    def order(self, ref: str, **body: Any) -> Any:
        return self.post(f"{HUB_PATH}/downloads", ref=ref, confirmed=True, **body)["download"]

    def state(self, download_id: str) -> str:
        listed = self.hub("downloads")["downloads"]
        return next(each["state"] for each in listed if each["id"] == download_id)

    def told_of(self, download_id: str) -> list[dict[str, Any]]:
        """What the websocket told of a download."""
        told = [each["data"] for each in list(self.heard) if each["type"] == "intelligent_generation.download"]
        return [each for each in told if each["id"] == download_id]

    def done(self, ref: str, **body: Any) -> Any:
        """Order a file and wait until it is here."""
        download = self.order(ref, **body)
        wait_until(lambda: self.state(download["id"]) not in ("waiting", "running"))
        return next(each for each in self.hub("downloads")["downloads"] if each["id"] == download["id"])


def described(path: str) -> str:
    parts = path.split("/")
    if "downloads" in parts[:-1]:
        parts[-2] = "{id}"
    return "/".join(parts)


@pytest.fixture(scope="module", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hubs]:
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    home, base = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("base")
    models = base / "models"  # ComfyUI's first folders: what is fetched goes there
    for kind in Kind:
        (models / kind.value).mkdir(parents=True)
    (base / "custom_nodes").mkdir()
    write_models(models, ["checkpoints/toy_sd15.safetensors"])
    with StandIn(home / "unused") as hubs:
        environ = {**environ_of(request.param), **NO_KEYS, "HF_HOME": str(home / "hf"), **hubs.environ()}
        arguments = ["--cpu", "--disable-api-nodes", "--base-directory", str(base)]
        with serving(request.param, pack=ROOT, home=home, arguments=arguments, environ=environ) as server:
            made = Hubs(server, home, models, hubs)
            listener = threading.Thread(target=_listen, args=(made,), daemon=True)
            listener.start()
            yield made


def _listen(hub: Hubs) -> None:
    socket = websocket.create_connection(hub.server.url.replace("http", "ws", 1) + "/ws?clientId=listener")
    try:
        while True:
            raw = socket.recv()
            if isinstance(raw, str) and raw:
                hub.heard.append(json.loads(raw))
    except (OSError, websocket.WebSocketException):
        socket.close()


def offered(hub: Hubs, name: str, content: bytes, trigger: str = "inkstyle", **more: Any) -> Any:
    """A LoRA for SD 1.5 on the stand-in CivitAI."""
    version = {"baseModel": "SD 1.5", "trainedWords": [trigger], **more.pop("version", {})}
    return hub.hubs.civitai.add({f"{name}.safetensors": content}, type="LORA", name=name, version=version, **more)


# --------------------------------------------------------------------------- from the hub into the library


def test_a_lora_is_found_confirmed_fetched_and_recommended(hub: Hubs) -> None:
    content = lora("zorblax", 200_000)
    added = offered(hub, "zorblax", content, "zorblax ink")
    hub.hubs.cdn.fault("*zorblax*", Fault(drip=(20_000, 0.1)), times=1)
    [found] = hub.hub("search", text="zorblax", hub="civitai", kind="lora", language="en")["results"]
    assert found["title"] == "zorblax" and found["file"]["sha256"] == added.sha256["zorblax.safetensors"]
    assert found["file"]["fit"]["verdict"] == "fits" and "which you have" in " ".join(found["file"]["fit"]["reasons"])
    ordered = hub.order(found["file"]["ref"], sha256=found["file"]["sha256"].upper())
    wait_until(lambda: hub.state(ordered["id"]) == "done")
    assert (hub.models / "loras" / "zorblax.safetensors").read_bytes() == content
    asked = time.monotonic()
    [row] = hub.hub("library", kind="loras", search="zorblax")["files"]
    assert time.monotonic() - asked < 1
    assert row["trigger_groups"] == [["zorblax ink"]] and row["verification"] == "verified"
    assert row["hub_id"] == added.ref and row["family"] == "sd15" and row["strength"]["recommended"]
    known = hub.hub("file", kind="loras", name="zorblax.safetensors")["file"]
    assert known["refs"] == [found["file"]["ref"]] == hub.hub("file", sha256=known["sha256"])["file"]["refs"]
    plan = hub.post(f"{PREFIX}/plan", prompt="zorblax ink, a castle", checkpoint="toy_sd15.safetensors")
    assert [each["use"]["name"] for each in plan["loras"] if each["chosen"]] == ["zorblax.safetensors"]


def test_progress_is_told_to_every_page(hub: Hubs) -> None:
    offered(hub, "slow", lora("slow", 300_000))
    hub.hubs.cdn.fault("*slow*", Fault(drip=(15_000, 0.1)), times=1)
    [found] = hub.hub("search", text="slow", hub="civitai")["results"]
    done = hub.done(found["file"]["ref"])
    told = hub.told_of(done["id"])
    assert {each["state"] for each in told} >= {"waiting", "running", "done"}
    assert any(0 < each["done_bytes"] < done["size_bytes"] for each in told)
    assert not [fault for each in told for fault in faults(each, {"$ref": "#/components/schemas/Download"})]


def test_a_download_pauses_goes_on_and_is_forgotten(hub: Hubs) -> None:
    content = lora("pausing", 400_000)
    added = offered(hub, "pausing", content)
    hub.hubs.cdn.fault("*pausing*", Fault(drip=(10_000, 0.2)), times=1)
    download = hub.order(added.ref)
    wait_until(lambda: any(each["done_bytes"] for each in hub.told_of(download["id"])))
    at = f"{HUB_PATH}/downloads/{download['id']}"
    assert hub.post(f"{at}/forget", 409)["error"] == "download_not_over"
    assert hub.post(f"{at}/pause")["download"]["state"] == "paused"
    wait_until(lambda: (hub.models / "loras" / "pausing.safetensors.part").exists())
    assert not hub.hub("library", search="pausing")["files"]
    hub.post(f"{at}/resume")
    wait_until(lambda: hub.state(download["id"]) == "done")
    assert (hub.models / "loras" / "pausing.safetensors").read_bytes() == content
    assert any("range" in each.headers for each in hub.hubs.cdn.asked("*pausing*"))
    assert hub.post(f"{at}/forget") == {"forgotten": download["id"]}
    assert hub.post(f"{at}/pause", 404)["error"] == "download_unknown"


def test_a_cancelled_download_leaves_nothing(hub: Hubs) -> None:
    added = offered(hub, "unwanted", lora("unwanted", 400_000))
    hub.hubs.cdn.fault("*unwanted*", Fault(drip=(10_000, 0.2)), times=1)
    download = hub.order(added.ref)
    wait_until(lambda: hub.hubs.cdn.asked("*unwanted*"))
    assert hub.post(f"{HUB_PATH}/downloads/{download['id']}/cancel")["download"]["state"] == "cancelled"
    wait_until(lambda: not list(hub.models.rglob("unwanted*")))


def test_nothing_is_fetched_that_was_not_confirmed_as_it_is(hub: Hubs) -> None:
    added = offered(hub, "changing", lora("changing"))
    path = f"{HUB_PATH}/downloads"
    assert hub.post(path, 400, ref=added.ref)["error"] == "request_not_confirmed"
    assert hub.post(path, 400, ref=added.ref, confirmed="true")["error"] == "request_not_confirmed"
    told = hub.post(path, 409, ref=added.ref, confirmed=True, sha256="0" * 64, query="?language=es")
    assert told["error"] == "download_other_bytes" and "No se descargó nada" in told["message"]
    assert not hub.hubs.cdn.asked("*changing*") and not list(hub.models.rglob("changing*"))


def test_a_pickle_needs_a_word_of_its_own(hub: Hubs) -> None:
    added = hub.hubs.civitai.add({"old.pt": b"\x80\x02" + bytes(3000)}, type="TextualInversion", name="old")
    path = f"{HUB_PATH}/downloads"
    assert hub.post(path, 400, ref=added.ref, confirmed=True)["error"] == "download_pickle"
    assert hub.post(path, 400, ref=added.ref, confirmed=True, allow_pickle="true")["error"] == "request_unreadable"
    assert not list(hub.models.rglob("old*"))


def test_a_confirmed_file_is_not_fetched_yet(hub: Hubs) -> None:
    added = offered(hub, "later", lora("later"))
    confirmed = hub.post(f"{HUB_PATH}/confirm", ref=added.ref)["confirmed"]
    assert confirmed["ref"].startswith(f"{added.ref}#") and confirmed["name"] == "later.safetensors"
    assert not hub.hubs.cdn.asked("*later*")


def test_a_search_goes_on_hub_by_hub(hub: Hubs) -> None:
    for number in range(3):
        offered(hub, f"quilt {number}", lora(f"quilt {number}"))
    hub.hubs.huggingface.add("maker/quilt", {"quilt.safetensors": toy("quilt")}, tags=("lora",))
    first = hub.hub("search", text="quilt", hub=["civitai", "huggingface"], limit=2)
    assert [each["hub"] for each in first["results"]] == ["civitai", "huggingface", "civitai"]
    assert first["cursors"].keys() == {"civitai"}
    more = hub.hub("search", text="quilt", limit=2, cursor=json.dumps(first["cursors"]))
    assert [each["hub"] for each in more["results"]] == ["civitai"] and not more["cursors"]
    assert not {each["ref"] for each in first["results"]} & {each["ref"] for each in more["results"]}


def test_an_offer_is_told_with_its_files_and_versions(hub: Hubs) -> None:
    older = offered(hub, "versions", lora("one"))
    newer = offered(hub, "versions", lora("two"), model_id=older.model_id)
    told = hub.hub("offer", ref=f"civitai:{older.model_id}")
    assert told["ref"] == newer.ref and older.ref.endswith(told["versions"][-1]["id"])
    assert [each["name"] for each in told["files"]] == ["versions.safetensors"]
    assert hub.hub("offer", ref=f"{hub.hubs.civitai.url}/models/{older.model_id}")["ref"] == newer.ref


def keep_picture(folder: Path, url: str, raw: bytes) -> None:
    """As if it had been fetched before: hubs' pictures lie at addresses that no stand-in can have."""
    answers = Answers(folder / "answers.sqlite", 1_000_000, 90)
    answers.put("", Asked.PREVIEW, key_of(url), None, 1000)
    write_whole(answers.preview_path(key_of(url)), as_webp(raw) or b"")
    answers.close()


def test_pictures_are_made_anew(hub: Hubs) -> None:
    url = "https://image.civitai.com/x/0001/blue.jpeg"
    keep_picture(hub.home / "user" / "__intelligent_generation", url, picture("blue"))
    added = offered(hub, "pictured", lora("pictured"), version={"images": [{"url": url, "nsfwLevel": 1, "type": "image"}]})
    plain = offered(hub, "plain", lora("plain"), version={"images": []})
    beside = hub.models / "checkpoints" / "toy_sd15.preview.png"
    beside.write_bytes(picture("red"))
    hub.hub("library")
    for query in ({"ref": added.ref}, {"kind": "checkpoints", "name": "toy_sd15.safetensors"}):
        answer = requests.get(f"{hub.server.url}{HUB_PATH}/preview", params=query, timeout=30)
        assert answer.ok and answer.headers["Content-Type"] == "image/webp", answer.text
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and "inline" in answer.headers["Content-Disposition"]
        assert answer.content[8:12] == b"WEBP"
    assert hub.get(f"{HUB_PATH}/preview", 404, ref=plain.ref)["error"] == "preview_none"
    assert hub.get(f"{HUB_PATH}/preview", 404, kind="loras", name="../../etc/passwd")["error"] == "file_not_listed"
    assert hub.get(f"{HUB_PATH}/preview", 400, url=url)["error"] == "request_unreadable"
    assert hub.hub("cache")["kinds"]["preview"]["count"] == 1
    assert hub.post(f"{HUB_PATH}/cache/clear", kind="preview") == {"cleared": 1}


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_picture_that_leads_out_of_the_model_folders_is_not_shown(hub: Hubs) -> None:
    (hub.home / "private.png").write_bytes(picture("green"))
    (hub.models / "loras" / "linked.safetensors").write_bytes(lora("linked"))
    (hub.models / "loras" / "linked.png").symlink_to(hub.home / "private.png")
    wait_until(lambda: hub.hub("library", search="linked")["files"])
    assert hub.get(f"{HUB_PATH}/preview", 404, kind="loras", name="linked.safetensors")["error"] == "preview_none"


def test_files_are_recognised_and_deleted_on_request_only(hub: Hubs) -> None:
    content = lora("stray", 100)
    added = offered(hub, "stray", content, "stray style")
    place = hub.models / "loras" / "mystery.safetensors"
    place.write_bytes(content)
    assert hub.post(f"{HUB_PATH}/recognise")["running"]
    wait_until(lambda: not hub.hub("recognise")["running"], 60)
    row = hub.hub("file", kind="loras", name="mystery.safetensors")["file"]
    assert row["hub_id"] == added.ref and row["trigger_groups"] == [["stray style"]] and not row["newer"]
    newer = offered(hub, "stray_v2", lora("stray", 200), "stray style", model_id=added.model_id)
    hub.post(f"{HUB_PATH}/recognise", updates=True, refresh=True)
    wait_until(lambda: not hub.hub("recognise")["running"], 60)
    assert hub.hub("file", kind="loras", name="mystery.safetensors")["file"]["newer"] == str(newer.version_id)
    assert not hub.post(f"{HUB_PATH}/recognise/stop")["running"]
    path = f"{HUB_PATH}/files/delete"
    assert hub.post(path, 400, kind="loras", name="mystery.safetensors")["error"] == "request_not_confirmed"
    assert hub.post(path, 404, kind="loras", name="../checkpoints/toy_sd15.safetensors", confirmed=True) and place.exists()
    hub.post(path, kind="loras", name="mystery.safetensors", confirmed=True)
    assert not place.exists() and not hub.hub("library", search="mystery")["files"]


def test_settings_change_and_offline_means_offline(hub: Hubs) -> None:
    path = f"{HUB_PATH}/settings"
    assert hub.post(path, 400, nonsense=1)["error"] == "hub_settings_unreadable"
    assert hub.post(path, 400, civitai=["http://evil.example"])["error"] == "hub_address_refused"
    assert hub.post(path, parallel=3)["options"]["parallel"] == 3
    assert hub.post(path, offline=True, query="?language=en")["options"]["offline"]
    try:
        asked = len(hub.hubs.civitai.asked())
        assert hub.get(f"{HUB_PATH}/offer", 503, ref="civitai:99999")["error"] == "hub_offline"
        assert len(hub.hubs.civitai.asked()) == asked
    finally:
        assert not hub.post(path, offline=False)["options"]["offline"]


def test_the_library_is_filtered_sorted_and_told_page_by_page(hub: Hubs) -> None:
    for number in range(3):
        (hub.models / "loras" / f"shelf{number}.safetensors").write_bytes(lora(f"shelf{number}", 1000 * (number + 1)))
    wait_until(lambda: hub.hub("library", search="shelf")["total"] == 3)
    found = hub.hub("library", kind="loras", search="shelf", sort="size", limit=2, look="false")
    assert [each["name"] for each in found["files"]] == ["shelf2.safetensors", "shelf1.safetensors"] and found["total"] == 3
    [last] = hub.hub("library", kind="loras", search="shelf", sort="size", offset=2, look="false")["files"]
    assert last["name"] == "shelf0.safetensors" and last["uses"] == 0 and last["stars"] is None
    assert found["kinds"]["loras"] >= 3 and found["families"][0] == {**found["families"][0], "id": "sd15", "label": "SD 1.5"}
    assert hub.hub("library", search="shelf", family="sdxl", look="false")["total"] == 0
    assert hub.hub("library", search="shelf", only=["triggers", "newer"], look="false")["total"] == 0
    assert hub.get(f"{HUB_PATH}/library", 400, sort="best")["error"] == "not_a_choice"
    assert hub.get(f"{HUB_PATH}/library", 400, only="shiny")["error"] == "not_a_choice"


def test_what_was_made_and_rated_is_told_of_its_files(hub: Hubs) -> None:
    plan = hub.post(f"{PREFIX}/plan", prompt="a castle", checkpoint="toy_sd15.safetensors")
    for number, stars in enumerate((5, 4, None)):
        body = {"generation": {"plan": plan, "seed": number, "id": f"shown{number}"}}
        hub.post(RATE_PATH, **body, overall=stars) if stars else hub.post(ACT_PATH, **body, action="saved")
    known = {"kind": "checkpoints", "search": "toy_sd15", "sort": "rated"}
    wait_until(lambda: hub.hub("library", **known)["files"][0]["uses"] == 3)
    row = hub.hub("library", **known)["files"][0]
    assert (row["stars"], row["rated"]) == (4.5, 2)
    assert hub.hub("file", kind="checkpoints", name="toy_sd15.safetensors")["file"]["uses"] == 3


def test_where_a_file_lies_is_told_here(hub: Hubs) -> None:
    told = hub.hub("place", kind="checkpoints", name="toy_sd15.safetensors")
    assert Path(told["path"]).samefile(hub.models / "checkpoints" / "toy_sd15.safetensors")
    assert Path(told["folder"]).samefile(hub.models / "checkpoints")
    assert hub.get(f"{HUB_PATH}/place", 404, kind="loras", name="../../etc/passwd")["error"] == "file_not_listed"


def test_a_search_may_name_a_family_and_an_offer_names_its_file(hub: Hubs) -> None:
    added = offered(hub, "gingham", lora("gingham"))
    other = offered(hub, "gingham xl", lora("gingham xl"), version={"baseModel": "SDXL 1.0"})
    found = hub.hub("search", text="gingham", hub="civitai", family="sd15")["results"]
    assert added.ref in {each["ref"] for each in found} and other.ref not in {each["ref"] for each in found}
    assert hub.get(f"{HUB_PATH}/search", 400, family="cubism")["error"] == "unknown_family"
    told = hub.hub("offer", ref=added.ref)
    assert told["chosen"] == told["files"][0]["ref"] == f"{added.ref}#{added.file_ids['gingham.safetensors']}"


def test_a_picture_that_is_not_there_may_be_nothing(hub: Hubs) -> None:
    query = {"kind": "loras", "name": "no such file.safetensors", "quiet": "true"}
    answer = requests.get(f"{hub.server.url}{HUB_PATH}/preview", params=query, timeout=30)
    assert answer.ok and not answer.content and answer.headers["Cache-Control"] == "no-store"


# --------------------------------------------------------------------------- refusals


def test_what_hubs_refuse_is_told_apart(hub: Hubs) -> None:
    gated = offered(hub, "early", lora("early"))
    assert hub.get(f"{HUB_PATH}/offer", 404, ref="civitai:99998")["error"] == "hub_not_found"
    assert hub.get(f"{HUB_PATH}/offer", 400, ref="no such thing")["error"] == "ref_unreadable"
    assert hub.get(f"{HUB_PATH}/search", 400, hub="elsewhere")["error"] == "unknown_hub"
    assert hub.get(f"{HUB_PATH}/search", 400, limit=101)["error"] == "out_of_range"
    assert hub.get(f"{HUB_PATH}/search", 400, sort="best")["error"] == "not_a_choice"
    assert hub.get(f"{HUB_PATH}/search", 400, cursor="[]")["error"] == "request_unreadable"
    assert hub.post(f"{HUB_PATH}/confirm", 404, ref=gated.ref, file="other.safetensors")["error"] == "offer_lacks_file"
    assert hub.get(f"{HUB_PATH}/file", 404, sha256="0" * 64)["error"] == "file_not_listed"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "POST"], ids=lambda route: route.act)
def test_strangers_change_nothing(hub: Hubs, route: Any) -> None:
    address = f"{hub.server.url}{route.path.replace('{id}', 'x')}"
    bare = requests.post(address, data="{}", headers={"Content-Type": "application/json"}, timeout=30)
    assert bare.status_code == 400 and bare.json()["error"] == "not_our_request"
    form = requests.post(address, data="{}", headers={GUARD_HEADER: "1", "Content-Type": "text/plain"}, timeout=30)
    assert form.status_code == 400
    if not route.access.here:
        return
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"X-Forwarded-For": "8.8.8.8"}):
        assert requests.post(address, data="{}", headers={**GUARD, **headers}, timeout=30).status_code == 403, headers
    rebound = requests.post(address, data="{}", headers={**GUARD, "Host": "evil.example:8188"}, timeout=30)
    assert rebound.status_code == 403 and rebound.json()["error"] == "request_from_elsewhere"
    assert requests.post(address, data=" " * 70_000, headers=GUARD, timeout=30).status_code == 413
    for body in ("[]", "{", '{"unheard_of": 1}'):
        assert requests.post(address, data=body, headers=GUARD, timeout=30).status_code == 400, body


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "POST"], ids=lambda route: route.act)
def test_what_a_body_must_hold_is_asked_for(hub: Hubs, route: Any) -> None:
    body = body_schema(operations()["POST", route.path])
    needed = body.get("required") or body.get("anyOf")
    answer = requests.post(f"{hub.server.url}{route.path}", data="{}", headers=GUARD, timeout=30)
    if needed:
        assert answer.status_code == 400 and answer.json()["message"], answer.text


def test_settings_and_downloads_are_shown_here_only(hub: Hubs) -> None:
    for path in ("settings", "downloads", "recognise", "place"):
        told = hub.get(f"{HUB_PATH}/{path}", 403, headers={"X-Forwarded-For": "192.168.1.7"}, language="es")
        assert told["error"] == "request_from_elsewhere" and "ordenador" in told["message"]


def test_a_key_is_written_used_and_never_told(hub: Hubs) -> None:
    path = f"{HUB_PATH}/token"
    assert KEY not in json.dumps(hub.post(path, 400, hub="civitai", token=f"{KEY} with spaces"))
    assert KEY not in json.dumps(hub.post(path, 400, hub=KEY, token=7))
    assert hub.post(path, hub="civitai", token=KEY) == {"hub": "civitai", "present": True}
    try:
        added = offered(hub, "members", lora("members"), gate="login")
        assert hub.done(added.ref)["state"] == "done"
        assert any(KEY in each.headers.get("authorization", "") for each in hub.hubs.civitai.asked("/api/download/*"))
        assert not any(KEY in str(each) for each in hub.hubs.cdn.asked())
        told = [requests.get(f"{hub.server.url}{route.path}", timeout=60).text for route in ROUTES if route.method == "GET"]
        told += [
            json.dumps(hub.hub("offer", ref=added.ref)),
            json.dumps(hub.heard),
            json.dumps(hub.hub("search", text="members")),
        ]
        told += [requests.get(f"{hub.server.url}/settings", timeout=30).text, hub.server.log.read_text(errors="replace")]
        assert not [text for text in told if KEY in text]
        held = [each for each in hub.home.rglob("*") if each.is_file() and KEY.encode() in each.read_bytes()]
        assert [each.name for each in held] == ["tokens.json"]
        assert os.name == "nt" or stat.S_IMODE(held[0].stat().st_mode) == 0o600
        assert (
            requests.get(f"{hub.server.url}/userdata/..%2F__intelligent_generation%2Ftokens.json", timeout=30).status_code
            >= 400
        )
    finally:
        assert hub.post(path, hub="civitai", token=None) == {"hub": "civitai", "present": False}


def test_the_description_is_served(hub: Hubs) -> None:
    assert hub.get(f"{PREFIX}/openapi.json") == SPEC
    assert requests.get(f"{hub.server.url}/api{PREFIX}/openapi.json", timeout=30).json() == SPEC


def test_local_models_and_families(hub: Hubs) -> None:
    assert hub.get(f"{PREFIX}/models", kind="checkpoints", search="toy")["total"] == 1
    assert hub.get(f"{PREFIX}/models", 400, kind="pictures")["error"] == "not_a_choice"
    known = {"kind": "checkpoints", "name": "toy_sd15.safetensors"}
    assert hub.post(f"{PREFIX}/family", **known, family="sdxl")["family"] == "sdxl"
    assert hub.hub("library", kind="checkpoints")["files"][0]["family"] == "sdxl"
    assert hub.post(f"{PREFIX}/family", **known, family=None)["family"] is None
    assert hub.post(f"{PREFIX}/family", 404, **{**known, "name": "none"}, family="sdxl")["error"] == "file_not_listed"
    assert hub.post(f"{PREFIX}/family", 400, **known, family="cubism")["error"] == "unknown_family"


def test_a_busy_hub_is_told_and_the_other_answers(hub: Hubs) -> None:
    offered(hub, "crowded", lora("crowded"))
    hub.hubs.huggingface.fault("/api/models*", Fault.busy("900"))
    both = hub.hub("search", text="crowded", hub=["huggingface", "civitai"], language="es")
    assert [each["hub"] for each in both["results"]] == ["civitai"]
    assert [each["error"] for each in both["trouble"]] == ["hub_busy"] and "paciencia" in both["trouble"][0]["message"]
    query = {"text": "crowded again", "hub": "huggingface"}
    answer = requests.get(f"{hub.server.url}{HUB_PATH}/search", params=query, timeout=30)
    assert answer.status_code == 429 and 0 < int(answer.headers["Retry-After"]) <= 900
    assert not list(faults(answer.json(), answer_schema("GET", f"{HUB_PATH}/search", 429)))
