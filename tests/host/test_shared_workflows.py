"""A workflow from another machine: its plan finds its files here by what they are, and says so where they are not here."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.client import Client, Run
from pack.errors import BadRequest
from pack.plan import Accepted, Generation, Kind, Plan, Source
from pack.routes import GUARD_HEADER, PREFIX
from pack.serve import serving
from pack.values import to_json

from .conftest import AUTO, ROOT, Picture, auto_graph, environ_of, hosts

# As the other machine calls them: as they are called here.
CHECKPOINT = ("toy_sd15.safetensors", "mine/model_7.safetensors")
LORA = ("watercolor_wash.safetensors", "wash_by_ana.safetensors")
ASKED = {"prompt": "a red boat, watercolor painting", "mode": "assisted", "seed": 7}
Json = dict[str, Any]


@dataclass(frozen=True)
class Here:
    """This machine, and the picture of the workflow that was shared, made here once so that there is one to compare."""

    client: Client
    picture: Picture
    made_for: str

    @property
    def shared(self) -> Plan:
        """The plan as the other machine saved it: with its own names."""
        plan, there = self.picture.plan, {CHECKPOINT[1]: CHECKPOINT[0], LORA[1]: LORA[0]}
        loras = tuple(replace(each, use=replace(each.use, name=there[each.use.name])) for each in plan.loras)
        sources = tuple(replace(each, name=there[each.name]) for each in plan.sources)
        return replace(plan, models=replace(plan.models, checkpoint=CHECKPOINT[0]), loras=loras, sources=sources)

    def accepted(self, plan: Plan) -> str:
        return to_json(Accepted(self.made_for, plan))

    def run(self, heard: list[Json] | None = None, **widgets: Any) -> Run:
        def hear(kind: str, data: Json) -> None:
            if heard is not None and kind == "intelligent_generation.missing":
                heard.append(data)

        return self.client.run(auto_graph(**{**ASKED, **widgets}), hear)

    def ask(self, name: str, **body: Any) -> Json:
        answer = requests.post(
            self.client.url + PREFIX + name, json={"language": "en", **body}, headers={GUARD_HEADER: "1"}, timeout=60
        )
        told: Json = answer.json()
        assert answer.status_code == 200, told
        return told

    def picture_of(self, run: Run) -> Picture:
        return Picture(self.client.image(run.images()[0]))


@pytest.fixture(scope="module", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def here(request: pytest.FixtureRequest, toy_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    home = tmp_path_factory.mktemp("home")
    put(toy_models / "checkpoints" / CHECKPOINT[0], home / "models" / "checkpoints" / CHECKPOINT[1], 10)
    put(toy_models / "loras" / LORA[0], home / "models" / "loras" / LORA[1], 20)
    arguments = ["--cpu", "--disable-api-nodes", "--base-directory", str(home)]
    with serving(request.param, pack=ROOT, home=home, arguments=arguments, environ=environ_of(request.param)) as server:
        bare = Here(Client(server.url), None, "")  # type: ignore[arg-type]
        run = bare.run(run_anyway=True)
        told = bare.ask("/assisted/suggest", widgets=auto_graph(**ASKED)[AUTO]["inputs"], linked=[])
        yield Here(bare.client, bare.picture_of(run), told["made_for"])


def put(file: Path, place: Path, model_id: int) -> None:
    """A file with a side file that tells its sum and its version at a hub, as model managers write one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    os.link(file, place)
    sums = {"SHA256": hashlib.sha256(file.read_bytes()).hexdigest()}
    size_kib = file.stat().st_size / 1024
    told = {"ModelId": model_id, "VersionId": model_id + 1, "Hashes": sums, "FileMetadata": {"SizeKB": size_kib}}
    if (known := file.with_suffix(".civitai.info")).exists():
        os.link(known, place.with_suffix(".civitai.info"))
    place.with_suffix(".cm-info.json").write_text(json.dumps(told), encoding="utf-8")


def without(plan: Plan, kind: Kind) -> Plan:
    """The plan with its file of this kind swapped for one that nobody here has."""
    away = Source(kind, "far_away.safetensors", "ab" * 32, "civitai:98@99", 123_456_789, "SD 1.5")
    sources = tuple(away if each.kind is kind else each for each in plan.sources)
    if kind is Kind.CHECKPOINT:
        return replace(plan, models=replace(plan.models, checkpoint=away.name), sources=sources)
    loras = tuple(replace(each, use=replace(each.use, name=away.name)) for each in plan.loras)
    return replace(plan, loras=loras, sources=sources)


def said(run: Run) -> str:
    return "".join(run.outputs[AUTO]["text"])


def warnings(picture: Picture) -> list[str]:
    return [warning.key for warning in picture.plan.warnings]


def test_the_plan_tells_bytes_and_origin_of_its_files(here: Here) -> None:
    told = {source.kind: source for source in here.picture.plan.sources}
    assert told[Kind.CHECKPOINT].hub_id == "civitai:10@11" and told[Kind.LORA].hub_id == "civitai:20@21"
    assert told[Kind.LORA].name == LORA[1] and len(told[Kind.LORA].sha256 or "") == 64
    assert here.shared.loras and here.shared != here.picture.plan


def test_renamed_files_are_found_by_their_bytes_and_it_is_said(here: Here) -> None:
    run = here.run(accepted_plan=here.accepted(here.shared))
    picture = here.picture_of(run)
    assert picture.pixels == here.picture.pixels and picture.plan.models.checkpoint == CHECKPOINT[1]
    assert warnings(picture).count("rematch.renamed") == 2
    assert f"“{LORA[0]}” is called “{LORA[1]}” here" in said(run)
    by_hand = here.run(mode="auto", accepted_plan=to_json(here.shared), language="es")
    assert here.picture_of(by_hand).pixels == picture.pixels and "se llama aquí" in said(by_hand)


def test_another_file_of_the_same_version_takes_its_place(here: Here) -> None:
    other = tuple(replace(each, sha256="cd" * 32, size_bytes=1) for each in here.shared.sources)
    picture = here.picture_of(here.run(accepted_plan=here.accepted(replace(here.shared, sources=other))))
    assert picture.pixels == here.picture.pixels and warnings(picture).count("rematch.same_version") == 2


@pytest.mark.parametrize("kind", [Kind.LORA, Kind.CHECKPOINT])
def test_a_missing_file_is_said_offered_and_planned_anew(here: Here, kind: Kind) -> None:
    heard: list[Json] = []
    run = here.run(heard, accepted_plan=here.accepted(without(here.shared, kind)))
    assert not run.images() and "far_away.safetensors" in said(run)
    wanted = heard[0]["wanted"][0]
    assert (wanted["kind"], wanted["ref"], wanted["sha256"]) == (kind.value, "civitai:98@99", "ab" * 32)
    review = run.outputs[AUTO]["suggestion"][0]
    assert review["plan"]["models"]["checkpoint"] == CHECKPOINT[1]
    assert [card["name"] for card in review["loras"]] == [LORA[1]]
    again = here.picture_of(here.run(accepted_plan=here.accepted(without(here.shared, kind)), run_anyway=True))
    assert again.pixels == here.picture.pixels, "planned anew from the same question, here"
    assert {"assisted.missing", "assisted.ran_anyway"} <= set(warnings(again))


@pytest.mark.parametrize("kind", [Kind.LORA, Kind.CHECKPOINT])
def test_outside_assisted_mode_a_missing_file_ends_the_run(here: Here, kind: Kind) -> None:
    with pytest.raises(BadRequest, match="far_away"):
        here.run(mode="auto", accepted_plan=to_json(without(here.shared, kind)))


def test_the_canvas_hears_the_same(here: Here) -> None:
    widgets = auto_graph(**ASKED)[AUTO]["inputs"]
    told = here.ask("/assisted/check", widgets=widgets, linked=[], accepted=here.accepted(here.shared))
    assert told["state"] == "valid" and any("is called" in each for each in told["said"])
    assert json.loads(told["accepted"])["plan"]["models"]["checkpoint"] == CHECKPOINT[1]
    gone = here.ask("/assisted/check", widgets=widgets, linked=[], accepted=here.accepted(without(here.shared, Kind.LORA)))
    assert gone["state"] == "missing" and gone["missing"][0]["sha256"] == "ab" * 32


def test_unfolding_and_folding_match_files_too(here: Here) -> None:
    generation = to_json(Generation(here.shared, 7, "x"))
    laid = here.ask("/unfold", generation=generation)
    names = [node["inputs"].get("lora_name") or node["inputs"].get("ckpt_name") for node in laid["nodes"]]
    assert {CHECKPOINT[1], LORA[1]} <= set(names) and len(laid["said"]) == 2
    folded = here.ask("/fold", generation=to_json(Generation(without(here.shared, Kind.CHECKPOINT), 7, "x")))
    assert folded["missing"][0]["ref"] == "civitai:98@99" and "far_away" in folded["said"][0]
    run = here.run(**{**folded["widgets"], "accepted_plan": folded["accepted"]})
    assert not run.images() and run.outputs[AUTO]["suggestion"]
