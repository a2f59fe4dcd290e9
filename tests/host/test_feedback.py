"""Feedback and batches on real servers: what is rated is stored, shows, and changes the next plan; a batch runs, shows on
its sheet and goes on where it stopped."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.api import IntelligentGenerationPipeline, PipelineConfig
from pack.client import Client, Run
from pack.demo import files as demo
from pack.demo.catalogue import STYLES
from pack.demo.sparse import save
from pack.demo.write import write_models
from pack.errors import BadRequest, UserError
from pack.feedback import Action, Batch
from pack.routes import BATCHES_PATH, FEEDBACK_PATH, GUARD_HEADER
from pack.serve import serving
from pack.values import from_json
from PIL import Image

from ..openapi import checked
from .conftest import ROOT, Host, auto_graph, environ_of, hosts

GUARD = {GUARD_HEADER: "1", "Content-Type": "application/json"}
PROMPT = "watercolor painting of a red fox"
SETTINGS = f"{FEEDBACK_PATH}/settings"
RATE = {
    "rating": 5, "quality": 0, "accuracy": 0, "aesthetic": 0, "comment": "", "tags": "", "action": "none",
    "generation_id": "", "picture": "", "language": "en",
}  # fmt: skip


class Studio(Host):
    """A host with a history of its own, and two LoRAs that differ in nothing but their names."""

    def rate(self, prompt: str = PROMPT, seed: int = 0, lora: bool = True, **rating: Any) -> Run:
        """Make a picture, save it, and rate it by its plan."""
        graph = auto_graph(prompt=prompt, seed=seed, steps=1, max_loras=int(lora))
        graph["3"] = {"class_type": "IIG_RateImage", "inputs": {**RATE, "plan": ["1", 4], **rating}}
        return self.client.run(graph)

    def node(self, class_type: str, **inputs: Any) -> Run:
        return self.client.run({"1": {"class_type": class_type, "inputs": inputs}})

    def said(self, **rating: Any) -> str:
        return str(self.node("IIG_RateImage", **{**RATE, **rating}).outputs["1"]["text"][0])

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = requests.get(f"{self.client.url}{path}", params=query, timeout=60)
        return checked("GET", path, answer, status)

    def post(self, path: str, status: int = 200, **body: Any) -> Any:
        answer = requests.post(f"{self.client.url}{path}", data=json.dumps(body), headers=GUARD, timeout=60)
        return checked("POST", path, answer, status)

    def standing(self, generation_id: str) -> dict[str, Any]:
        standing: dict[str, Any] = self.get(f"{FEEDBACK_PATH}/generation", id=generation_id)["standing"]
        return standing

    def batch(self, batch_id: str) -> Batch:
        return from_json(Batch, json.dumps(self.get(BATCHES_PATH, id=batch_id)))

    def idle(self) -> bool:
        return not self.client.get("/prompt")["exec_info"]["queue_remaining"]


@pytest.fixture(scope="module", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    home, models = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("models")
    write_models(models, ["checkpoints/toy_sd15.safetensors"])
    wash = next(style for style in STYLES if style.path.endswith("watercolor_wash.safetensors"))
    for name in ("north", "south"):
        model = demo._style(replace(wash, path=f"loras/{name}.safetensors"))
        save(models / "loras" / f"{name}.safetensors", model.weights, model.metadata)
    arguments = ["--cpu", "--disable-api-nodes"]
    with serving(
        request.param, pack=ROOT, models=models, home=home, arguments=arguments, environ=environ_of(request.param)
    ) as server:
        yield Studio(request.param, server, Client(server.url))


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def id_of(run: Run) -> str:
    return str(json.loads(run.outputs["2"]["generation"][0])["id"])


def learning(studio: Studio) -> Path:
    return studio.server.log.parent / "user" / "__intelligent_generation"


# --------------------------------------------------------------------------- rated


def test_nothing_is_shown_before_anything_is_rated(studio: Studio) -> None:
    graph = {
        "1": {"class_type": "IIG_FeedbackInsights", "inputs": {"about": "all", "session": "", "language": "es"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 2]}},
    }
    run = studio.client.run(graph)
    assert len(run.images()) == 1 and run.outputs["1"]["text"][0]


def test_a_picture_is_rated_in_an_api_prompt(studio: Studio) -> None:
    run = studio.rate(rating=4, quality=5, comment="¡qué zorro!", tags="fox, red", action="favourited")
    assert "overall 4 ★, quality 5 ★, tags: fox, red, with a comment" in run.outputs["3"]["text"][0]
    standing = studio.standing(id_of(run))
    assert standing["rating"]["overall"] == 4 and standing["rating"]["comment"] == "¡qué zorro!"
    assert standing["rating"]["tags"] == ["fox", "red"] and standing["actions"] == ["favourited"]
    recent = studio.get(f"{FEEDBACK_PATH}/recent", limit=1)["generations"][0]
    assert recent["id"] == id_of(run) and recent["stars"] == 4
    assert recent["pictures"] and recent["seconds"] > 0


def test_the_same_rating_again_changes_nothing_and_another_replaces_it(studio: Studio) -> None:
    made = id_of(studio.rate(seed=1, rating=2))
    before = (learning(studio) / "learning.sqlite").exists() and studio.get(f"{FEEDBACK_PATH}/insights")["rows"]
    assert "overall 2 ★" in studio.said(generation_id=made, rating=2)
    assert studio.get(f"{FEEDBACK_PATH}/insights")["rows"] == before
    studio.said(generation_id=made, rating=3)
    assert studio.standing(made)["rating"]["overall"] == 3
    studio.post(f"{FEEDBACK_PATH}/rate", id=made, withdraw=True)
    assert studio.standing(made)["rating"] is None


@pytest.mark.parametrize("stars", [0, 6, -1])
def test_stars_out_of_range_are_refused_before_anything_runs(studio: Studio, stars: int) -> None:
    graph = auto_graph(prompt=PROMPT)
    del graph["2"]
    for language, words in (("en", r"out of range: overall .*1–5"), ("es", r"fuera de rango: overall .*1–5")):
        inputs = {**RATE, "plan": ["1", 4], "rating": stars, "language": language}
        graph["3"] = {"class_type": "IIG_RateImage", "inputs": inputs}
        with pytest.raises(BadRequest, match=words):
            studio.client.run(graph)


def test_stars_that_are_linked_are_refused_when_they_come(studio: Studio) -> None:
    graph = {
        "1": {"class_type": "PrimitiveInt", "inputs": {"value": 6}},
        "2": {"class_type": "IIG_RateImage", "inputs": {**RATE, "rating": ["1", 0], "generation_id": "abc"}},
    }
    with pytest.raises(BadRequest, match=r"overall 6 \(1–5\)"):
        studio.client.run(graph)


def test_what_cannot_be_rated_is_told(studio: Studio) -> None:
    with pytest.raises(BadRequest, match="feedfacefeedface"):
        studio.said(generation_id="feedfacefeedface")
    with pytest.raises(BadRequest, match="Nada dice"):
        studio.said(language="es")
    assert studio.post(f"{FEEDBACK_PATH}/rate", 404, id="feedface", overall=5)["error"] == "generation_unknown"
    for body in ({"overall": 6}, {"overall": True}, {"comment": "x" * 5000}, {}):
        assert studio.post(f"{FEEDBACK_PATH}/rate", 400, id="x", **body)["error"] == "out_of_range"
    assert studio.post(f"{FEEDBACK_PATH}/act", 400, id="x", action="burnt")["error"] == "not_a_choice"
    assert studio.post(f"{FEEDBACK_PATH}/erase", 400)["error"] == "request_not_confirmed"


def test_a_picture_is_rated_by_its_file(studio: Studio) -> None:
    run = studio.rate(seed=2, rating=5)
    name = run.images()[0]["filename"]
    assert id_of(run) in studio.said(picture=f"{name} [output]", rating=1)
    assert studio.standing(id_of(run))["rating"]["overall"] == 1
    bare = io.BytesIO()
    studio.picture(run).image.save(bare, "PNG")
    with pytest.raises(BadRequest, match="carries no plan"):
        studio.said(picture=studio.upload(bare.getvalue(), "bare.png"))
    for outside in ("../comfyui.log", str(studio.server.log), "no_such.png", "user", ""):
        with pytest.raises(BadRequest, match=r"no picture|Nothing says"):
            studio.said(picture=outside)


def test_a_picture_made_elsewhere_can_be_rated_by_its_file(studio: Studio) -> None:
    run = studio.rate(seed=3, rating=5)
    raw = studio.client.image(run.images()[0])
    studio.post(f"{FEEDBACK_PATH}/erase", confirmed=True)
    assert studio.get(f"{FEEDBACK_PATH}/generation", 404, id=id_of(run))["error"] == "generation_unknown"
    assert id_of(run) in studio.said(picture=studio.upload(raw, "elsewhere.png"), rating=4)
    assert studio.standing(id_of(run))["rating"]["overall"] == 4


def test_a_picture_made_elsewhere_can_be_rated_from_python(studio: Studio, tmp_path: Path) -> None:
    run = studio.rate(seed=3, rating=5)
    picture = tmp_path / "elsewhere.png"
    picture.write_bytes(studio.client.image(run.images()[0]))
    studio.post(f"{FEEDBACK_PATH}/erase", confirmed=True)
    pipeline = IntelligentGenerationPipeline(PipelineConfig(server=studio.client.url))
    with pytest.raises(BadRequest, match="is known here"):
        pipeline.provide_feedback(id_of(run), rating=2)
    assert pipeline.provide_feedback(picture, rating=2, comments="ñ", actions=(Action.FAVOURITED,))
    standing = studio.standing(id_of(run))
    assert (standing["rating"]["overall"], standing["rating"]["comment"], standing["actions"]) == (2, "ñ", ["favourited"])
    Image.new("RGB", (8, 8)).save(picture)
    with pytest.raises(UserError, match="carries no plan"):
        pipeline.provide_feedback(str(picture), rating=2)
    assert studio.post(f"{FEEDBACK_PATH}/rate", 400, generation={"plan": 3}, overall=5)["error"]


# --------------------------------------------------------------------------- learned


def test_what_is_rated_changes_the_next_plan_and_says_why(studio: Studio) -> None:
    studio.post(f"{FEEDBACK_PATH}/erase", confirmed=True)
    studio.post(SETTINGS, explore=0)
    first = studio.picture(studio.rate(rating=1)).plan.loras[0].use.name
    for seed in range(1, 7):
        studio.rate(seed=seed, rating=1)
        if studio.picture(studio.auto(prompt=PROMPT, seed=99, steps=1, max_loras=1)).plan.loras[0].use.name != first:
            break
    picture = studio.picture(studio.auto(prompt=PROMPT, seed=100, steps=1, max_loras=1, verbosity="detailed"))
    other = picture.plan.loras[0].use.name
    assert {first, other} == {"north.safetensors", "south.safetensors"}
    for seed in range(4):
        studio.rate(seed=200 + seed, rating=5)
    liked = studio.picture(studio.auto(prompt=PROMPT, seed=101, steps=1, max_loras=1))
    assert liked.plan.loras[0].use.name == other
    assert "you rated" in liked.texts["explanation"].lower()
    studio.post(f"{FEEDBACK_PATH}/forget", what="all", confirmed=True)
    forgotten = studio.picture(studio.auto(prompt=PROMPT, seed=102, steps=1, max_loras=1))
    assert forgotten.plan.loras[0].use.name == first


def test_insights_are_tables_rows_and_plots(studio: Studio) -> None:
    for seed, stars in enumerate((5, 4, 2)):
        studio.rate(seed=300 + seed, rating=stars)
    graph = {
        "1": {"class_type": "IIG_FeedbackInsights", "inputs": {"about": "all", "session": "", "language": "en"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 2]}},
    }
    run = studio.client.run(graph)
    pictures = [studio.client.image(image) for image in run.images()]
    assert len(pictures) > 2 and len(set(pictures)) == len(pictures)
    assert "|" in run.outputs["1"]["text"][0]
    told = studio.get(f"{FEEDBACK_PATH}/insights", language="es")
    assert told["rows"] and told["markdown"] != run.outputs["1"]["text"][0]
    plot = requests.get(f"{studio.client.url}{FEEDBACK_PATH}/plot", timeout=60)
    assert plot.headers["Content-Type"] == "image/png" and plot.content.startswith(b"\x89PNG")
    assert studio.get(f"{FEEDBACK_PATH}/plot", 400, name="nothing")["error"] == "not_a_choice"
    lines = requests.get(f"{studio.client.url}{FEEDBACK_PATH}/export", timeout=60).text.splitlines()
    assert sum(json.loads(line)["fact"]["kind"] == "rated" for line in lines) >= 3


def test_a_rating_waits_for_a_database_that_does_not_answer(studio: Studio) -> None:
    made = id_of(studio.rate(seed=400, rating=2))
    address = "postgresql://someone:s3cret@127.0.0.1:1/nothing"
    shown = studio.post(SETTINGS, database=address)
    try:
        assert "s3cret" not in json.dumps(shown) and "someone:***@" in shown["options"]["database"]
        assert studio.post(SETTINGS, database=shown["options"]["database"])["options"] == shown["options"]
        assert "waits in a file" in studio.rate(seed=400, rating=5).outputs["3"]["text"][0]
        assert studio.get(f"{FEEDBACK_PATH}/recent", 503)["message"]
    finally:
        studio.post(SETTINGS, database="")
    assert studio.standing(made)["rating"]["overall"] == 5


def test_nothing_is_recorded_where_learning_is_off(studio: Studio) -> None:
    studio.post(SETTINGS, enabled=False)
    try:
        made = id_of(studio.auto(prompt=PROMPT, seed=500, steps=1))
    finally:
        studio.post(SETTINGS, enabled=True)
    assert studio.get(f"{FEEDBACK_PATH}/generation", 404, id=made)


# --------------------------------------------------------------------------- batches


def batch_inputs(**changed: Any) -> dict[str, Any]:
    inputs = {
        "prompt": PROMPT, "negative": "", "strategy": "seed", "count": 3, "seed": 7, "checkpoint": "", "priority": "speed",
        "width": 64, "height": 64, "max_seconds": 0.0, "axes": "", "filename_prefix": "lot/picture", "language": "en",
    }  # fmt: skip
    return {**inputs, **changed}


def test_a_batch_runs_shows_on_its_sheet_and_goes_on(studio: Studio) -> None:
    graph = {
        "1": {"class_type": "IIG_BatchVariations", "inputs": batch_inputs()},
        "2": {
            "class_type": "IIG_ContactSheet",
            "inputs": {"batch": ["1", 0], "order": "stated", "columns": 0, "language": "en"},
        },
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "lot/sheet"}},
    }
    run = studio.client.run(graph)
    batch_id, prompts = run.outputs["1"]["batch"][0], run.outputs["1"]["prompts"]
    assert len(prompts) == 4 and "2" not in run.outputs, "the sheet waits for the pictures"
    wait_until(studio.idle)
    batch = studio.batch(batch_id)
    assert [item.state.value for item in batch.items] == ["done"] * 3
    assert [item.variation.seed for item in batch.items] == [7, 8, 9]
    assert all((studio.server.output / item.pictures[0]).is_file() for item in batch.items)
    shown = studio.client.get(f"/history/{prompts[-1]}")[prompts[-1]]["outputs"]
    assert shown["3"]["images"][0]["subfolder"] == "lot" and "3 of 3" in shown["2"]["text"][0]
    again = studio.client.run(graph)
    assert again.outputs["1"]["batch"] == [batch_id] and not again.outputs["1"]["prompts"]
    assert "3 of 3" in again.outputs["2"]["text"][0]


def test_a_batch_says_why_it_is_shorter_than_asked(studio: Studio) -> None:
    run = studio.node("IIG_BatchVariations", **batch_inputs(strategy="parameter", axes="guidance"))
    assert "1 picture done" in run.outputs["1"]["text"][0] and "1 instead of 3: there is no more" in run.outputs["1"]["text"][0]
    wait_until(studio.idle)
    (batch_id,) = run.outputs["1"]["batch"]
    batch = studio.batch(batch_id)
    assert [reason.key for reason in batch.reasons] == ["varied.strategy.parameter", "varied.fewer"]
    assert abs(time.time() - batch.at) < 600, "it is dated, so that it can be too old one day"


def test_only_what_is_missing_is_queued_again_and_never_twice(studio: Studio) -> None:
    batch = made(studio, seed=20, count=3)
    studio.post(f"{BATCHES_PATH}/resume", id=batch.id)
    assert studio.post(f"{BATCHES_PATH}/resume", id=batch.id)["queued"] == []
    wait_until(studio.idle)
    assert {item.state.value for item in studio.batch(batch.id).items} == {"done"}
    assert studio.post(f"{BATCHES_PATH}/resume", id=batch.id)["queued"] == []


def made(studio: Studio, **changed: Any) -> Batch:
    inputs = batch_inputs(**changed)
    request = {"prompt": inputs["prompt"], "fixed": {"width": 64, "height": 64, "steps": 1}}
    order = {name: inputs[name] for name in ("strategy", "count", "seed")}
    return from_json(Batch, json.dumps(studio.post(BATCHES_PATH, request=request, **order)))


def test_a_failure_is_told_and_harms_no_other(studio: Studio) -> None:
    batch = made(studio, seed=30, count=2)
    graph = json.loads((ROOT / "workflows" / "api" / "auto_pipeline.json").read_text(encoding="utf-8"))
    graph["1"]["inputs"] |= {"checkpoint": "no such model", "prompt": "a fox"}
    graph["2"]["inputs"]["batch"] = f"{batch.id}:1"
    with pytest.raises(BadRequest):
        studio.client.run(graph)
    # The client hears of the error a moment before ComfyUI has written it into its history.
    wait_until(lambda: [item.state.value for item in studio.batch(batch.id).items] == ["waiting", "failed"])
    assert "no such model" in studio.batch(batch.id).items[1].error
    sheet = studio.node("IIG_ContactSheet", batch=batch.id, order="liking", columns=0, language="es")
    said = sheet.outputs["1"]["text"][0]
    assert "seed 31: fallida" in said and "no such model" in said and "seed 30: en espera" in said
    studio.post(f"{BATCHES_PATH}/resume", id=batch.id)
    wait_until(studio.idle)
    assert {item.state.value for item in studio.batch(batch.id).items} == {"done"}


def test_the_winner_is_picked_and_counts_as_liking(studio: Studio) -> None:
    batch = made(studio, seed=40, count=2)
    studio.post(f"{BATCHES_PATH}/resume", id=batch.id)
    wait_until(studio.idle)
    studio.post(f"{BATCHES_PATH}/pick", id=batch.id, place=0)
    picked = studio.post(f"{BATCHES_PATH}/pick", id=batch.id, place=1)
    assert picked["winner"] == 1
    standings = [studio.standing(item["generation_id"])["actions"] for item in picked["items"]]
    assert standings == [[], ["picked"]]
    assert studio.post(f"{BATCHES_PATH}/pick", 404, id=batch.id, place=9)["error"] == "batch_item_unknown"
    assert studio.get(BATCHES_PATH, 404, id="nothing")["error"] == "batch_unknown"
    studio.said(generation_id=picked["items"][1]["generation_id"], rating=4)
    sheet = studio.node("IIG_ContactSheet", batch="", order="stars", columns=1, language="en").outputs["1"]["text"][0]
    assert [line.split(".")[0] for line in sheet.splitlines()[1:]] == ["1", "0"] and "★ 4.0" in sheet.splitlines()[1]
    briefly = studio.get(BATCHES_PATH, limit=1)["batches"][0]
    assert briefly["id"] == batch.id and briefly["winner"] == 1 and briefly["done"] == 2


def test_bad_batches_are_refused(studio: Studio) -> None:
    with pytest.raises(BadRequest, match="nothing"):
        studio.node("IIG_ContactSheet", batch="nothing", order="stated", columns=0, language="en")
    assert studio.post(BATCHES_PATH, 400, strategy="seed")["error"] == "request_unreadable"
    assert studio.post(BATCHES_PATH, 400, strategy="magic", request={"prompt": "a fox"})["message"]
    assert studio.post(BATCHES_PATH, 400, count=0, request={"prompt": "a fox"})["error"] == "batch_count"


# --------------------------------------------------------------------------- templates


def shipped(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((ROOT / "workflows" / "api" / name).read_text(encoding="utf-8"))
    graph["1"]["inputs"] |= {"width": 64, "height": 64, "priority": "speed"}
    return graph


def test_the_template_that_rates_runs_as_it_is_shipped(studio: Studio) -> None:
    graph = shipped("rate_image.json")
    graph["1"]["inputs"] |= {"reader": "rules", "steps": 1}
    run = studio.client.run(graph)
    assert "5 ★" in run.outputs["3"]["text"][0] and run.outputs["5"]["images"]


def test_the_template_of_a_batch_runs_as_it_is_shipped(studio: Studio) -> None:
    graph = shipped("batch_variations.json")
    graph["1"]["inputs"] |= {"count": 2, "strategy": "lora"}
    prompts = studio.client.run(graph).outputs["1"]["prompts"]
    wait_until(studio.idle)
    sheet = studio.client.get(f"/history/{prompts[-1]}")[prompts[-1]]["outputs"]["3"]["images"]
    assert len(prompts) == 3 and sheet[0]["filename"].startswith("IIG_batch_sheet")


def test_a_browser_can_read_what_comfyui_remembers(studio: Studio) -> None:
    """Browsers know no NaN, and ComfyUI keeps the fingerprints of nodes in its history."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in /history")

    json.loads(requests.get(f"{studio.client.url}/history", timeout=30).text, parse_constant=refuse)
