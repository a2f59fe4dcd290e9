"""ASSISTED mode on real hosts: a plan is shown before anything is drawn, and what was accepted is what runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.api import Edits, GenerationConstraints, IntelligentGenerationPipeline, LoraEdit, PipelineConfig
from pack.cli import main
from pack.client import Run
from pack.errors import BadRequest, UserError
from pack.plan import Mode
from pack.routes import ASSISTED_PATH, FEEDBACK_PATH, GUARD_HEADER

from ..openapi import answer_schema, faults
from .conftest import AUTO, SAVE, Host, auto_graph

PROMPT = "anime girl, magical powers, Victorian mansion, detailed"
WIDGETS = {"prompt": PROMPT, "checkpoint": "toy_sd15.safetensors", "width": 64, "height": 64, "steps": 0, "reader": "rules"}
KEPT = ("settings", "prompt", "negative", "models", "family", "proposed")
Json = dict[str, Any]


def post(host: Host, name: str, **body: Any) -> requests.Response:
    return requests.post(f"{host.client.url}{ASSISTED_PATH}/{name}", json=body, headers={GUARD_HEADER: "1"}, timeout=60)


def ask(host: Host, name: str, **body: Any) -> Json:
    answer = post(host, name, **body)
    told: Json = answer.json()
    assert answer.status_code == 200, told
    assert not list(faults(told, answer_schema("POST", f"{ASSISTED_PATH}/{name}", 200)))
    return told


def assisted(host: Host, **widgets: Any) -> Run:
    return host.auto(**{**WIDGETS, "mode": "assisted", **widgets})


def suggested(run: Run) -> Json | None:
    found = run.outputs.get(AUTO, {}).get("suggestion")
    return found[0] if found else None


def said(run: Run) -> str:
    return str(run.outputs[AUTO]["text"][0])


def accepted(review: Json, always: bool = False) -> str:
    return json.dumps({"made_for": review["made_for"], "plan": review["plan"], "always": always})


def edited(host: Host, review: Json, **edits: Any) -> Json:
    return ask(host, "revise", plan=review["plan"], edits=edits)


def changes(host: Host, run: Run) -> list[Json]:
    """What the history holds as changed by the person."""
    made = host.picture(run).generation
    told = host.client.get(f"{FEEDBACK_PATH}/generation", id=made.id)
    return [{key: each[key] for key in ("parameter", "used", "subject")} for each in told["made"]["changes"]]


@pytest.fixture(scope="module")
def review(host: Host) -> Json:
    return ask(host, "suggest", widgets=WIDGETS, linked=[])


def test_a_run_without_an_accepted_plan_suggests_and_makes_no_picture(host: Host) -> None:
    for _ in range(2):  # again: it is asked again, not taken from the cache
        run = assisted(host)
        told = suggested(run)
        assert told is not None and run.images() == [] and SAVE not in run.outputs
        status = host.client.get(f"/history/{run.prompt_id}")[run.prompt_id]["status"]
        assert status["status_str"] == "success" and status["completed"]
        heard = [data for kind, data in run.messages if kind == "intelligent_generation.suggestion"]
        assert [each["node"] for each in heard] == [AUTO] and heard[0]["review"] == told
        assert "no picture was made" in said(run)
    assert told["plan"]["request"]["mode"] == "assisted" and told["loras"] and told["changes"] == []
    spanish = assisted(host, language="es")
    assert "no se hizo ninguna imagen" in said(spanish)
    assert host.picture(host.auto(**WIDGETS, mode="auto")).plan.family == "sd15", "the queue goes on"


def test_the_queue_does_not_wait_for_consent(host: Host) -> None:
    waiting = [host.client.queue(auto_graph(**WIDGETS, mode="assisted", seed=seed)) for seed in range(3)]
    picture = host.client.queue(auto_graph(**WIDGETS, mode="auto"))
    deadline = time.monotonic() + 120
    while not (told := host.client.get(f"/history/{picture}")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert told[picture]["outputs"][SAVE]["images"]
    for prompt_id in waiting:
        assert host.client.get(f"/history/{prompt_id}")[prompt_id]["status"]["status_str"] == "success"


def test_a_suggestion_accepted_unchanged_runs_as_it_is_and_teaches_nothing(host: Host, review: Json) -> None:
    by_run = suggested(assisted(host))
    assert by_run is not None and by_run["made_for"] == review["made_for"]
    assert by_run["plan"]["settings"] == review["plan"]["settings"]
    run = assisted(host, accepted_plan=accepted(by_run), seed=2)
    assert suggested(run) is None and len(run.images()) == 1
    made = json.loads(host.picture(run).texts["intelligent_generation"])["plan"]
    assert {name: made[name] for name in KEPT} == {name: by_run["plan"][name] for name in KEPT}
    assert changes(host, run) == []


def test_an_edited_plan_runs_exactly_and_the_edits_are_remembered(host: Host, review: Json) -> None:
    first, *others = review["loras"]
    stack = [{"name": first["name"], "strength": 0.35, "triggers": []}]
    wanted = edited(host, review, settings={"steps": 3, "cfg": 4.0}, loras=stack, negative="blue")
    run = assisted(host, accepted_plan=accepted(wanted), seed=11)
    made = host.picture(run).plan
    assert (made.settings.steps, made.settings.cfg, made.negative) == (3, 4.0, "blue")
    assert [(each.use.name, each.use.strength_model) for each in made.loras] == [(first["name"], 0.35)]
    assert not any(each["word"] in made.prompt.split(", ") for each in first["triggers"] if each["word"] not in PROMPT)
    assert "Steps: 3," in host.picture(run).texts["parameters"] and "CFG scale: 4" in host.picture(run).texts["parameters"]
    steps = [data for kind, data in run.messages if kind == "progress" and data["max"] == 3]
    assert steps, "the sampler took 3 steps"
    remembered = changes(host, run)
    assert {"parameter": "steps", "used": "3", "subject": ""} in remembered
    assert {"parameter": "cfg", "used": "4", "subject": ""} in remembered
    assert {"parameter": "strength", "used": "0.35", "subject": first["name"]} in remembered
    assert {(each["parameter"], each["subject"]) for each in remembered if each["used"] == ""} == {
        ("lora", each["name"]) for each in others
    }
    back = edited(
        host,
        wanted,
        settings={"steps": None, "cfg": None},
        loras=review["loras"] and [on(each) for each in review["loras"]],
        negative=review["negative"],
    )
    assert back["plan"]["settings"] == review["plan"]["settings"] and back["changes"] == []


def on(card: Json) -> Json:
    words = [each["word"] for each in card["triggers"] if each["on"]]
    return {"name": card["name"], "strength": card["strength"], "strength_clip": card["strength_clip"], "triggers": words}


def test_a_seed_keeps_the_plan_and_a_changed_question_does_not(host: Host, review: Json) -> None:
    plan = accepted(edited(host, review, settings={"steps": 2}))
    assert all(assisted(host, accepted_plan=plan, seed=seed).images() for seed in (1, 2))
    assert assisted(host, accepted_plan=plan, language="es", verbosity="minimal", seed=3).images()
    stale = assisted(host, accepted_plan=plan, prompt="a red fox", cfg=3.0)
    told = suggested(stale)
    assert stale.images() == [] and told is not None
    assert told["plan"]["request"]["prompt"] == "a red fox" and told["made_for"] != review["made_for"]
    assert "prompt, CFG" in said(stale)
    assert "cambió esto: prompt" in said(assisted(host, accepted_plan=plan, prompt="a red fox", language="es"))
    checked = ask(host, "check", widgets={**WIDGETS, "prompt": "a red fox"}, linked=[], accepted=plan)
    assert (checked["state"], checked["changed"]) == ("stale", ["prompt"])
    assert ask(host, "check", widgets=WIDGETS, linked=[], accepted=plan)["state"] == "valid"


def test_run_anyway_makes_the_picture_and_says_so(host: Host, review: Json) -> None:
    plan = accepted(edited(host, review, settings={"steps": 2}))
    fresh = assisted(host, run_anyway=True, max_steps=3)
    made = host.picture(fresh)
    assert made.plan.settings.steps == 3 and "without anyone's consent" in made.texts["explanation"]
    held = assisted(host, run_anyway=True, accepted_plan=plan)
    assert host.picture(held).plan.settings.steps == 2 and "without anyone's" not in host.picture(held).texts["explanation"]
    stale = host.picture(assisted(host, run_anyway=True, accepted_plan=plan, prompt="a red fox", max_steps=3))
    assert stale.plan.request.prompt == "a red fox" and "prompt, max steps" in stale.texts["explanation"]
    unread = assisted(host, accepted_plan='{"made_for": 3}')
    assert suggested(unread) and "cannot be read" in said(unread)


def test_accepted_always_holds_for_the_prompt_alone(host: Host, review: Json) -> None:
    plan = accepted(review, always=True)
    run = assisted(host, accepted_plan=plan, max_steps=3)
    assert host.picture(run).plan.settings.steps == 3 and "without asking" in host.picture(run).texts["explanation"]
    assert suggested(assisted(host, accepted_plan=plan, max_steps=3, prompt="a red fox"))


def without(review: Json, name: str, place: str) -> str:
    """An accepted plan of another machine: a LoRA there is called otherwise, and its bytes are known or not."""
    text = accepted(review).replace(name, place)
    assert place in text
    return text


def test_a_plan_of_another_machine_finds_its_files_or_says_what_is_missing(host: Host, review: Json) -> None:
    name = review["loras"][0]["name"]
    plan = without(edited(host, review, settings={"steps": 2}), name, "elsewhere/renamed_xyz.safetensors")
    shared = json.loads(plan)
    for source in shared["plan"]["sources"]:
        source["sha256"] = "0" * 64 if source["name"].startswith("elsewhere") else source["sha256"]
    plan = json.dumps(shared)
    run = assisted(host, accepted_plan=plan)
    assert run.images() == [] and suggested(run) and "renamed_xyz.safetensors is not here" in said(run)
    heard = [data for kind, data in run.messages if kind == "intelligent_generation.missing"]
    assert [each["name"] for each in heard[0]["wanted"]] == ["renamed_xyz.safetensors"]
    checked = ask(host, "check", widgets=WIDGETS, linked=[], accepted=plan)
    assert checked["state"] == "missing" and checked["missing"][0]["name"] == "renamed_xyz.safetensors"
    with pytest.raises(BadRequest, match="renamed_xyz"):
        host.auto(**WIDGETS, mode="auto", accepted_plan=plan)


def test_routes_say_what_they_cannot_read(host: Host, review: Json) -> None:
    for body in ({"widgets": 3}, {"widgets": {"steps": "many"}}, {"widgets": {"mode": 3}}, {"widgets": {}, "linked": "prompt"}):
        assert post(host, "suggest", **body).status_code == 400
    linked = post(host, "suggest", widgets={}, linked=["prompt", "seed", "image"], language="es")
    assert linked.status_code == 400 and "llegan por un enlace" in linked.json()["message"]
    for edits in ({"settings": {"steps": -1}}, {"loras": [{}]}, {"loras": [{"name": "nobody"}]}, {"negative": 3}, []):
        assert post(host, "revise", plan=review["plan"], edits=edits).status_code == 400, edits
    for plan in (None, {}, {**review["plan"], "family": "nobody's"}):
        assert post(host, "revise", plan=plan, edits={}).status_code == 400
    large = post(host, "revise", plan={**review["plan"], "prompt": "x" * 2_000_000}, edits={})
    assert large.status_code == 413
    assert post(host, "suggest", widgets={"prompt": "x" * 5_000_000}, linked=[]).status_code == 413
    assert post(host, "suggest", nobody="x" * 5_000_000).status_code == 413, "before it is looked at"


def test_a_shared_plan_may_hold_any_number(host: Host, review: Json) -> None:
    mark = 12345678901
    for group, name, number in (
        ("request", "max_pixels", "1" * 400),
        ("estimate", "seconds", "NaN"),
        ("estimate", "seconds", "1e999"),
    ):
        plan = json.loads(json.dumps(review["plan"]))
        (plan["request"]["constraints"] if group == "request" else plan[group])[name] = mark
        text = json.dumps({"made_for": review["made_for"], "plan": plan, "always": False}).replace(str(mark), number)
        told = ask(host, "check", widgets=WIDGETS, linked=[], accepted=text)
        assert told["state"] == "unreadable" and told["said"], number
        assert assisted(host, accepted_plan=text).images() == []


def test_what_is_no_part_of_the_question_may_be_anything(host: Host) -> None:
    """A browser rounds the largest seeds up, and a long plan is kept in a widget of its own."""
    beside = {"seed": 2**64, "accepted_plan": "x" * 200_000, "run_anyway": "maybe"}
    ask(host, "suggest", widgets={**WIDGETS, **beside}, linked=[])


def test_the_python_api_waits_for_consent_and_edits_over_the_server(host: Host, tmp_path: Path) -> None:
    config = PipelineConfig(
        "toy_sd15", Mode.ASSISTED, GenerationConstraints(width=64, height=64, max_steps=3), server=host.client.url
    )
    pipeline = IntelligentGenerationPipeline(config)
    waiting = pipeline.generate(PROMPT)
    assert waiting.pictures == () and waiting.id == "" and "No picture was made" in waiting.warnings[0]
    with pytest.raises(UserError, match="waits for your consent"):
        waiting.save(tmp_path / "a.png")
    edited_plan = pipeline.edit(waiting.plan, Edits({"steps": 2}, (LoraEdit(waiting.plan.loras[0].use.name, 0.4),)))
    made = pipeline.generate(plan=edited_plan)
    assert len(made.pictures) == 1 and made.plan.settings.steps == 2
    assert [choice.use.strength_model for choice in made.plan.loras] == [0.4]
    assert len(pipeline.generate(PROMPT, run_anyway=True).pictures) == 1
    with pytest.raises(BadRequest, match="steps 0"):
        pipeline.edit(waiting.plan, Edits({"steps": 0}))


def test_the_command_line_makes_nothing_where_nobody_can_answer(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask_for = ["generate", "--server", host.client.url, "--prompt", PROMPT, "--checkpoint", "toy_sd15", "--mode", "assisted"]
    ask_for += ["--width", "64", "--height", "64", "--steps", "2", "--output", str(tmp_path), "--language", "en"]
    assert main(ask_for) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(("Selected", "No LoRA")) and "No picture was made" in shown.err
    assert list(tmp_path.iterdir()) == []
    assert main([*ask_for, "--run-anyway"]) == 0
    assert len(list(tmp_path.glob("*.png"))) == 1
