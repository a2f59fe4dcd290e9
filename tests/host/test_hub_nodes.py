"""The nodes of the hubs on real servers, with stand-ins for the hubs: nothing is fetched unasked, what is fetched plugs
into native loaders, and the recommender knows it at the next run."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.api import IntelligentGenerationPipeline, PipelineConfig
from pack.client import Client, Run
from pack.demo.write import write_models
from pack.errors import BadRequest
from pack.hub.download import State
from pack.hub.ledger import Ledger
from pack.offers import Ref
from pack.serve import serving

from .conftest import ROOT, Picture, auto_graph, environ_of, hosts

sys.path.insert(0, str(ROOT / "tests" / "hub"))
from standin import Fault, StandIn, toy, wait_until

CHECKPOINT = "toy_sd15.safetensors"
WASH, PIXELS = "loras/watercolor_wash.safetensors", "loras/cyberpunk_city.safetensors"


@dataclass(frozen=True)
class Town:
    """A ComfyUI whose hubs are stand-ins. ``offered`` are versions at the stand-in CivitAI by a name for this test."""

    client: Client
    hubs: StandIn
    models: Path
    ledger: Ledger
    offered: dict[str, Any]

    def run(self, class_type: str, **inputs: Any) -> Run:
        return self.client.run({"1": {"class_type": class_type, "inputs": {"language": "en", **inputs}}})

    def text(self, class_type: str, **inputs: Any) -> str:
        return "".join(self.run(class_type, **inputs).outputs["1"]["text"])

    def download(self, source: str, **inputs: Any) -> str:
        return self.text("IIG_DownloadModel", **{"source": source, "kind": "auto", "file": "", **inputs})

    def search(self, text: str, **inputs: Any) -> str:
        return self.text("IIG_SearchHub", **{**SEARCH, "text": text, **inputs})

    def ref(self, name: str) -> str:
        """The full reference of the one file of an offered version."""
        version = self.offered[name]
        return f"{version.ref}#{next(iter(version.file_ids.values()))}"

    def confirm(self, name: str) -> None:
        self.ledger.consent(Ref.parse(self.ref(name)))


SEARCH = {
    "hub": "civitai", "kind": "any", "base_model": "", "only_fitting": False, "sort": "relevance", "period": "all",
    "nsfw": False, "limit": 20,
}  # fmt: skip


def told_by(client: Client, graph: dict[str, Any], event: str) -> tuple[list[dict[str, Any]], str]:
    """The events of this name that a failing run sends, and its sentence."""
    heard: list[dict[str, Any]] = []

    def hear(kind: str, data: dict[str, Any]) -> None:
        if kind == f"intelligent_generation.{event}":
            heard.append(data)

    with pytest.raises(BadRequest) as refused:
        client.run(graph, hear)
    return heard, str(refused.value)


@pytest.fixture(scope="module", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def town(request: pytest.FixtureRequest, toy_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    home, away = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("away")
    models = home / "models"  # as ComfyUI's own: downloads go there, never beside the checkout's
    for kind in ("checkpoints", "loras"):
        (models / kind).mkdir(parents=True)
    os.link(toy_models / "checkpoints" / CHECKPOINT, models / "checkpoints" / CHECKPOINT)
    write_models(away, [WASH, PIXELS])
    with StandIn(away) as hubs:
        offered = stocked(hubs, away, models)
        environ = {
            **environ_of(request.param),
            **hubs.environ(),
            "INTELLIGENT_GENERATION_ALLOWED_DOWNLOADS": f"civitai:{offered['listed'].model_id}@*",
        }
        arguments = ["--cpu", "--disable-api-nodes", "--base-directory", str(home)]
        with serving(request.param, pack=ROOT, home=home, arguments=arguments, environ=environ) as server:
            ledger = Ledger(home / "user" / "__intelligent_generation")
            yield Town(Client(server.url), hubs, models, ledger, offered)
            ledger.close()


def stocked(hubs: StandIn, away: Path, models: Path) -> dict[str, Any]:
    """What the stand-in hubs offer."""
    sd15 = {"baseModel": "SD 1.5"}
    washing = {**sd15, "trainedWords": ["wtrclr wash"]}
    about = {"tags": ["watercolor", "style"], "description": "<p>Loose watercolor. Use a weight of 0.7-0.9.</p>"}
    big = toy("big", 3_000_000)
    hubs.huggingface.add("inker/big-ink", {"big_ink.safetensors": big}, tags=("lora",))
    return {
        "wash": hubs.civitai.add({"wash.safetensors": away / WASH}, name="Watercolor Wash", version=washing, model=about),
        "listed": hubs.civitai.add({"neon.safetensors": away / PIXELS}, name="Neon Streets", version=sd15),
        "refused": hubs.civitai.add({"ink.safetensors": toy("ink")}, name="Ink Drawing", version=sd15),
        "big": hubs.civitai.add({"slow.safetensors": toy("slow", 3_000_000)}, name="Slow Ink", version=sd15),
        "pickle": hubs.civitai.add({"old.pt": b"\x80\x02" + bytes(5000)}, name="Old Words", type="TextualInversion"),
        "away": hubs.civitai.add({"far.safetensors": toy("far", 9000)}, name="Far Away", type="Checkpoint", version=sd15),
        "here": hubs.civitai.add(
            {CHECKPOINT: models / "checkpoints" / CHECKPOINT}, name="Toy Diffusion", type="Checkpoint", version=sd15
        ),
    }


# --------------------------------------------------------------------------- search and info


def test_search_shows_what_fits_and_how_to_name_it(town: Town) -> None:
    shown = town.search("ink", kind="loras").splitlines()
    place = next(number for number, line in enumerate(shown) if "Ink Drawing v1.0" in line)
    assert "loras, SD 1.5" in shown[place] and shown[place].endswith("fits")
    assert shown[place + 1].strip() == town.ref("refused")


def test_search_asks_a_hub_once_and_speaks_spanish(town: Town) -> None:
    town.search("neon")
    asked = len(town.hubs.civitai.asked("/api/v1/models"))
    assert town.search("neon", language="es").splitlines()[0].endswith("encaja")
    assert len(town.hubs.civitai.asked("/api/v1/models")) == asked


def test_one_hub_in_trouble_is_named_below_the_others_results(town: Town) -> None:
    town.hubs.huggingface.fault("/api/models", Fault(status=403, body=b'{"error":"no"}'))
    try:
        table = town.search("far", hub="all")
    finally:
        town.hubs.huggingface.heal()
    assert "Far Away" in table and "huggingface" in table.splitlines()[-1]
    assert "huggingface" not in town.search("far", hub="all").splitlines()[-1], "the same search asks that hub again"


def test_model_info_of_a_local_file_asks_no_hub(town: Town) -> None:
    before = len(town.hubs.civitai.server.requests)
    info = town.text("IIG_ModelInfo", name_or_hash=CHECKPOINT, kind="any")
    assert f"{CHECKPOINT}, in models/checkpoints" in info and "SD 1.5" in info
    assert len(town.hubs.civitai.server.requests) == before


def test_model_info_of_a_hash_unknown_here_asks_the_hubs(town: Town) -> None:
    digest = town.offered["refused"].sha256["ink.safetensors"]
    info = town.text("IIG_ModelInfo", name_or_hash=digest[:10].upper(), kind="any")
    assert "Not on this machine: ink.safetensors" in info and "inkstyle" in info and "0.7 (0.6–0.8)" in info
    with pytest.raises(BadRequest, match="tiene la suma"):
        town.text("IIG_ModelInfo", name_or_hash="0" * 64, kind="any", language="es")


# --------------------------------------------------------------------------- download


def test_nothing_is_fetched_that_nobody_confirmed(town: Town) -> None:
    source = f"https://civitai.com/models/{town.offered['refused'].model_id}"
    inputs = {"source": source, "kind": "auto", "file": "", "language": "en"}
    heard, said = told_by(town.client, {"1": {"class_type": "IIG_DownloadModel", "inputs": inputs}}, "confirm")
    assert f'download "{town.ref("refused")}"' in said
    assert heard[0]["file"]["ref"] == town.ref("refused") and heard[0]["title"] == "Ink Drawing"
    assert not town.hubs.cdn.asked("*ink*") and not (town.models / "loras" / "ink.safetensors").exists()


def test_a_refusal_speaks_spanish(town: Town) -> None:
    with pytest.raises(BadRequest, match="un flujo de trabajo no puede descargar por sí mismo"):
        town.download(town.offered["refused"].ref, language="es")


def test_a_pickle_is_refused_even_when_confirmed(town: Town) -> None:
    town.confirm("pickle")
    with pytest.raises(BadRequest, match="pickle"):
        town.download(town.offered["pickle"].ref)
    assert not town.hubs.cdn.asked("*old*")


def picture_graph(lora: list[Any] | None) -> dict[str, Any]:
    model, clip = (["lora", 0], ["lora", 1]) if lora else (["ckpt", 0], ["ckpt", 1])
    loader = {"lora_name": lora, "strength_model": 1.0, "strength_clip": 1.0, "model": ["ckpt", 0], "clip": ["ckpt", 1]}
    steps = {"seed": 3, "steps": 3, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    nodes = {
        "ckpt": ("CheckpointLoaderSimple", {"ckpt_name": CHECKPOINT}),
        "text": ("CLIPTextEncode", {"text": "a city", "clip": clip}),
        "latent": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "sample": (
            "KSampler",
            {**steps, "model": model, "positive": ["text", 0], "negative": ["text", 0], "latent_image": ["latent", 0]},
        ),
        "decode": ("VAEDecode", {"samples": ["sample", 0], "vae": ["ckpt", 2]}),
        "save": ("SaveImage", {"images": ["decode", 0], "filename_prefix": "hub"}),
        **({"lora": ("LoraLoader", loader)} if lora else {}),
    }
    return {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}


def test_a_listed_file_is_fetched_and_plugs_into_a_native_loader(town: Town) -> None:
    graph = picture_graph(["get", 0])
    inputs = {"source": town.offered["listed"].ref, "kind": "auto", "file": "", "language": "en"}
    graph["get"] = {"class_type": "IIG_DownloadModel", "inputs": inputs}
    first, without = (town.client.run(each) for each in (graph, picture_graph(None)))
    with_lora, plain = (Picture(town.client.image(run.images()[0])) for run in (first, without))
    assert with_lora.pixels != plain.pixels
    assert (town.models / "loras" / "neon.safetensors").exists()
    assert any(kind == "progress" and data.get("node") == "get" for kind, data in first.messages)


def test_what_is_here_is_named_without_a_network(town: Town) -> None:
    town.download(town.offered["listed"].ref)
    before = len(town.hubs.civitai.server.requests) + len(town.hubs.cdn.server.requests)
    for source in (town.ref("listed"), f"urn:air:sd1:lora:{town.offered['listed'].ref}", "neon.safetensors"):
        assert "Verified" in town.download(source)
    assert len(town.hubs.civitai.server.requests) + len(town.hubs.cdn.server.requests) == before


def test_an_unchanged_run_reads_nothing_again(town: Town) -> None:
    inputs = {"source": town.offered["listed"].ref, "kind": "auto", "file": "", "language": "en"}
    graph = {"1": {"class_type": "IIG_DownloadModel", "inputs": inputs}}
    town.client.run(graph)
    assert town.client.run(graph).executed == ()


def test_bytes_other_than_the_hubs_are_told_and_not_kept(town: Town) -> None:
    town.confirm("refused")
    town.hubs.cdn.fault("*ink*", Fault(content=toy("other", 4096)))
    try:
        with pytest.raises(BadRequest, match="not the file the hub describes"):
            town.download(town.offered["refused"].ref)
    finally:
        town.hubs.cdn.heal()
    assert not list((town.models / "loras").glob("ink*"))


def test_a_file_taken_away_is_fetched_again(town: Town) -> None:
    town.download(town.offered["listed"].ref)
    (town.models / "loras" / "neon.safetensors").unlink()
    assert "neon.safetensors" in town.download(town.offered["listed"].ref)
    assert (town.models / "loras" / "neon.safetensors").exists()


def test_interrupting_pauses_and_the_next_run_goes_on(town: Town) -> None:
    town.confirm("big")
    town.hubs.cdn.fault("*slow*", Fault(drip=(100_000, 0.2)))
    ended: list[tuple[str, float]] = []

    def run() -> None:
        with pytest.raises(BadRequest) as stopped:
            town.download(town.offered["big"].ref)
        ended.append((stopped.value.code, time.monotonic()))

    thread = threading.Thread(target=run)
    thread.start()
    loras = town.models / "loras"
    wait_until(lambda: any(part.stat().st_size > 200_000 for part in loras.glob("slow*.part")), 60)
    pressed = time.monotonic()
    requests.post(f"{town.client.url}/interrupt", json={}, timeout=10)
    thread.join(20)
    assert ended and ended[0][0] == "comfyui_interrupted"
    assert ended[0][1] - pressed < 2
    wait_until(lambda: [each.state for each in town.ledger.all() if each.name.startswith("slow")] == [State.PAUSED])
    assert not (loras / "slow.safetensors").exists()
    town.hubs.cdn.heal()
    assert "slow.safetensors" in town.download(town.offered["big"].ref)
    assert town.hubs.cdn.asked("*slow*")[-1].headers["range"].startswith("bytes=")
    assert (loras / "slow.safetensors").read_bytes() == toy("slow", 3_000_000)


def test_a_repository_without_a_confirmation_names_the_commit(town: Town) -> None:
    commit = town.hubs.huggingface.repos["inker/big-ink"].sha
    with pytest.raises(BadRequest, match=f"huggingface:inker/big-ink@{commit}#big_ink.safetensors"):
        town.download("inker/big-ink", kind="loras")


def test_the_recommender_knows_a_download_at_the_next_run(town: Town) -> None:
    prompt = "watercolor painting of a cat, soft wash"
    recommend = {
        "1": {
            "class_type": "IIG_RecommendLoras",
            "inputs": {
                "prompt": prompt, "checkpoint": CHECKPOINT, "max_loras": 1, "blocked": "", "allow_nsfw": False,
                "language": "en",
            },
        },
        "2": {"class_type": "IIG_ExplainPlan", "inputs": {"plan": ["1", 3], "language": "en", "verbosity": "standard"}},
    }  # fmt: skip
    assert not told(town, recommend).startswith("Selected")
    town.confirm("wash")
    assert "wtrclr wash" in town.download(town.offered["wash"].ref)
    made = Picture(town.client.image(town.client.run(auto_graph(prompt=prompt, checkpoint=CHECKPOINT)).images()[0]))
    assert [choice.use.name for choice in made.plan.loras] == ["wash.safetensors"]
    assert "wtrclr wash" in made.plan.prompt
    assert told(town, recommend).startswith("Selected wash (α=0.8)")


def told(town: Town, graph: dict[str, Any]) -> str:
    return "".join(town.client.run(graph).outputs["2"]["text"])


# --------------------------------------------------------------------------- base models by a hub's name


def test_an_absent_base_model_is_named_with_the_command_that_fetches_it(town: Town) -> None:
    page = f"https://civitai.com/models/{town.offered['away'].model_id}/far-away"
    heard, said = told_by(town.client, auto_graph(prompt="a red cat", checkpoint=page), "missing")
    assert "far.safetensors" in said and f'download "{town.ref("away")}"' in said
    assert [(each["kind"], each["ref"]) for each in heard[0]["wanted"]] == [("checkpoints", town.ref("away"))]
    assert not town.hubs.cdn.asked("*far*")


def test_a_lora_named_in_the_prompt_and_absent_is_told_beside_the_picture(town: Town) -> None:
    made = town.client.run(auto_graph(prompt="a red cat <lora:no_such_thing_v2:1>", checkpoint=CHECKPOINT, steps=1))
    heard = [data for kind, data in made.messages if kind == "intelligent_generation.missing"]
    assert made.images()
    assert [(each["kind"], each["search"]) for each in heard[0]["wanted"]] == [("loras", "no such thing")]


def test_a_hubs_name_is_resolved_to_the_file_that_is_here(town: Town) -> None:
    source = town.offered["here"].ref
    made = town.client.run(auto_graph(prompt="a red cat", checkpoint=source, steps=1))
    plan = Picture(town.client.image(made.images()[0])).plan
    assert plan.models.checkpoint == CHECKPOINT
    assisted = IntelligentGenerationPipeline(PipelineConfig(server=town.client.url, base_model=f"air:sd1:checkpoint:{source}"))
    assert assisted.recommend("a red cat").models.checkpoint == CHECKPOINT


def test_a_missing_checkpoint_is_told_in_spanish(town: Town) -> None:
    graph = auto_graph(prompt="un gato", checkpoint=town.offered["away"].ref, language="es")
    _, said = told_by(town.client, graph, "missing")
    assert "no está entre tus modelos" in said and f'download "{town.ref("away")}"' in said


def test_the_template_runs_as_it_is_shipped(town: Town) -> None:
    graph = json.loads((ROOT / "workflows" / "api" / "download_model.json").read_text(encoding="utf-8"))
    graph["1"]["inputs"]["hub"] = "civitai"
    graph["2"]["inputs"]["source"] = town.offered["here"].ref
    graph["3"]["inputs"] |= {"width": 64, "height": 64, "steps": 1, "reader": "rules"}
    made = town.client.run(graph)
    assert Picture(town.client.image(made.images()[0])).plan.models.checkpoint == CHECKPOINT
    assert made.outputs["1"]["text"] and made.outputs["2"]["text"]
