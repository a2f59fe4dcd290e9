"""What the canvas asks of the server when a picture is rated there: as a browser sends it, on real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pack.client import Client
from pack.demo.write import write_models
from pack.routes import FEEDBACK_PATH, GUARD_HEADER
from pack.serve import serving

from ..openapi import checked
from .conftest import AUTO, ROOT, SAVE, Host, auto_graph, environ_of, hosts

GUARD = {GUARD_HEADER: "1", "Content-Type": "application/json"}
PROMPT = "watercolor painting of a red fox"


class Canvas(Host):
    """A host as the canvas talks to it."""

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = requests.get(f"{self.client.url}{FEEDBACK_PATH}{path}", params=query, timeout=60)
        return checked("GET", f"{FEEDBACK_PATH}{path}", answer, status)

    def post(self, path: str, status: int = 200, **body: Any) -> Any:
        answer = requests.post(f"{self.client.url}{FEEDBACK_PATH}{path}", data=json.dumps(body), headers=GUARD, timeout=60)
        return checked("POST", f"{FEEDBACK_PATH}{path}", answer, status)

    def make(self, save: str = "IIG_SaveImage", **widgets: Any) -> tuple[dict[str, Any], list[str]]:
        """A picture that ``save`` saves: the generation its file holds, and its names."""
        graph = auto_graph(**{"prompt": PROMPT, "steps": 1, **widgets})
        if save == "SaveImage":
            graph[SAVE] = {"class_type": "SaveImage", "inputs": {"images": [AUTO, 0], "filename_prefix": "sub/native"}}
        run = self.client.run(graph, extra_data={"extra_pnginfo": {"workflow": {}}})
        text = self.picture(run).texts.get("intelligent_generation", "{}")  # a cached plan is not written by another node
        names = [f"{each['subfolder']}/{each['filename']}".lstrip("/") for each in run.images()]
        return json.loads(text), names

    def ids(self, **query: Any) -> list[str]:
        return [row["id"] for row in self.get("/recent", **query)["generations"]]


@pytest.fixture(scope="module", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def canvas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canvas]:
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    home, models = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("models")
    write_models(models, ["checkpoints/toy_sd15.safetensors", "loras/watercolor_wash.safetensors"])
    options = {"pack": ROOT, "models": models, "home": home, "environ": environ_of(request.param)}
    with serving(request.param, arguments=["--cpu", "--disable-api-nodes"], **options) as server:
        yield Canvas(request.param, server, Client(server.url))


def test_a_picture_another_node_saved_is_listed_under_its_name(canvas: Canvas) -> None:
    made, names = canvas.make("SaveImage", seed=11)
    assert names[0].startswith("sub/native") and canvas.get("/recent", limit=1)["generations"][0]["pictures"] == []
    told = canvas.post("/pictures", id=made["id"], pictures=names)
    assert told == {"id": made["id"], "stored": True, "pictures": names}
    canvas.post("/pictures", id=made["id"], pictures=names)  # twice is once
    row = canvas.get("/recent", limit=1)["generations"][0]
    assert (row["id"], row["pictures"]) == (made["id"], names)


def test_names_add_up_and_what_our_own_node_saved_stays(canvas: Canvas) -> None:
    made, own = canvas.make(seed=12)
    _, other = canvas.make("SaveImage", seed=12)
    assert canvas.post("/pictures", id=made["id"], pictures=other)["pictures"] == [*own, *other]
    row = next(row for row in canvas.get("/recent", limit=5)["generations"] if row["id"] == made["id"])
    assert row["pictures"] == [*own, *other] and row["seconds"] > 0


def test_no_name_leads_out_of_the_output_folder(canvas: Canvas) -> None:
    made, names = canvas.make(seed=13)
    outside = ["../comfyui.log", "/etc/hostname", "sub/../../x.png", "./" + names[0], "missing.png", "", "a//b.png", "C:/x.png"]
    for name in outside:
        assert canvas.post("/pictures", 400, id=made["id"], pictures=[*names, name])["error"] == "picture_not_here", name
    for pictures in (None, "x.png", [1], ["x.png"] * 101):
        assert canvas.post("/pictures", 400, id=made["id"], pictures=pictures)["error"] == "request_unreadable"
    assert canvas.post("/pictures", 404, id="feedfacefeedface", pictures=names)["error"] == "generation_unknown"
    assert canvas.get("/generation", id=made["id"])["pictures"] == names


def test_a_generation_sent_as_text_keeps_every_digit_of_its_seed(canvas: Canvas) -> None:
    seed = 2**64 - 3
    made, _ = canvas.make(seed=seed)
    canvas.post("/erase", confirmed=True)
    canvas.post("/rate", 404, id=made["id"], overall=4)
    assert canvas.post("/rate", generation=json.dumps(made), overall=4)["id"] == made["id"]
    row = canvas.get("/recent", limit=1)["generations"][0]
    assert (row["seed"], row["stars"]) == (str(seed), 4)


def test_recent_pictures_are_filtered_searched_and_paged(canvas: Canvas) -> None:
    canvas.post("/erase", confirmed=True)
    made = [
        canvas.make(seed=20 + number, prompt=prompt)[0]["id"] for number, prompt in enumerate((PROMPT, "a blue wolf", PROMPT))
    ]
    canvas.post("/rate", id=made[1], overall=3, tags=["Keeper"])
    canvas.post("/act", id=made[0], action="favourited")
    assert canvas.ids(show="rated") == [made[1]] and canvas.ids(show="favourites") == [made[0]]
    assert canvas.ids(show="session") == made[::-1] == canvas.ids()
    assert canvas.ids(search="FOX water") == [made[2], made[0]] and canvas.ids(search="keeper") == [made[1]]
    assert canvas.ids(search="fox", show="rated") == []
    first = canvas.get("/recent", limit=1, search="fox")
    assert canvas.ids(limit=1, search="fox", before=first["next"]) == [made[0]]
    assert canvas.get("/recent", limit=50)["next"] == ""
    assert canvas.get("/recent", 400, show="liked")["error"] == "not_a_choice"


def test_two_pictures_are_compared_in_both_languages(canvas: Canvas) -> None:
    one, two = canvas.make(seed=30)[0]["id"], canvas.make(seed=31, prompt="watercolor painting of a grey fox", steps=2)[0]["id"]
    told = canvas.get("/compare", a=one, b=two, language="es")
    rows = {row["what"]: row for row in told["rows"]}
    assert (told["a"]["id"], told["b"]["id"]) == (one, two)
    assert (rows["seed"]["label"], rows["seed"]["a"], rows["seed"]["b"]) == ("Semilla", "30", "31")
    assert rows["steps"]["b"] == "2" and "model" not in rows
    assert [(piece["kind"], piece["text"].strip()) for piece in rows["prompt"]["pieces"]][1:3] == [
        ("removed", "red"),
        ("added", "grey"),
    ]
    assert canvas.get("/compare", a=one, b=one)["rows"] == []
    assert canvas.get("/compare", 404, a=one, b="feedface")["error"] == "generation_unknown"


def test_once_more_is_the_same_plan_with_another_seed_whatever_the_widgets_say(canvas: Canvas) -> None:
    made, _ = canvas.make(seed=40)
    plan = canvas.get("/generation", id=made["id"])["made"]["generation"]["plan"]
    again, _ = canvas.make(seed=41, prompt="something else", steps=7, accepted_plan=json.dumps(plan), mode="auto")
    assert again["id"] != made["id"] and again["seed"] == 41
    assert [row["what"] for row in canvas.get("/compare", a=made["id"], b=again["id"])["rows"]] == ["seed"]


def test_stars_given_on_the_canvas_are_evidence_in_the_next_plan(canvas: Canvas) -> None:
    canvas.post("/erase", confirmed=True)
    made = [canvas.make(seed=seed)[0] for seed in (50, 51, 52)]
    lora = made[0]["plan"]["loras"][0]
    for each in made:
        canvas.post("/rate", id=each["id"], overall=1, quality=None, accuracy=None, aesthetic=None, comment="", tags=[])
    now, _ = canvas.make(seed=53)
    everything = [*now["plan"]["loras"], *now["plan"]["near_misses"]]
    after = next(each for each in everything if each["use"]["name"] == lora["use"]["name"])
    assert after["scores"]["history"] < lora["scores"]["history"]
