"""Memory that runs out on a real ComfyUI: one more try with a cheaper plan, for whoever asked, and never a loop. The error
is made by a small pack beside ours; the language model is a stand-in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.api import GenerationConstraints, IntelligentGenerationPipeline, PipelineConfig
from pack.batch.make import batch_of
from pack.batch.run import run_batch
from pack.client import Client, RanOut
from pack.errors import BadRequest
from pack.feedback import ItemState, Strategy
from pack.intelligence.revise import Place
from pack.native import generate_natively
from pack.plan import Library, Machine, Plan, Settings
from pack.routes import BATCHES_PATH, RETRIED, RETRY_PATH
from pack.serve import serving

from ..ollama_server import GOOD, Server, started
from .conftest import AUTO, DEVICE_ARGUMENTS, ROOT, SAVE, Picture, auto_graph, environ_of, hosts

PACK = """
import os, time
from pathlib import Path
import comfy.model_management, nodes, torch

PLACE = Path(os.environ["FAILING_PLACE"])
NODE_CLASS_MAPPINGS = {}

def fail(tiled):
    mode = (PLACE / "mode").read_text()
    if mode == "stop":
        raise comfy.model_management.InterruptProcessingException()
    if mode == "other":
        raise RuntimeError("the file is damaged")
    if mode == "always" or (mode == "torch" and not tiled):
        raise torch.OutOfMemoryError("Allocation on device")
    if mode == "allocator" and not tiled:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
    if mode == "python" and not tiled:
        raise MemoryError()

def failing(kind, tiled):
    decode = kind.decode
    def instead(self, *given, **named):
        fail(tiled)
        return decode(self, *given, **named)
    kind.decode = instead

failing(nodes.VAEDecode, False)
failing(nodes.VAEDecodeTiled, True)

import comfy.samplers
inner = comfy.samplers.CFGGuider.inner_sample
def sampling(self, *given, **named):
    if (PLACE / "mode").read_text() == "sampling":
        (PLACE / "mode").write_text("never")
        raise torch.OutOfMemoryError("Allocation on device")
    return inner(self, *given, **named)
comfy.samplers.CFGGuider.inner_sample = sampling

sample = nodes.common_ksampler
def noting(*given, **named):
    with (PLACE / "sampled").open("a") as file:
        file.write(f"{time.time()}\\n")
    return sample(*given, **named)
nodes.common_ksampler = noting
"""


@dataclass(frozen=True)
class Failing:
    """A ComfyUI whose decoding fails as it is told to."""

    client: Client
    ollama: Server
    place: Path

    def mode(self, mode: str) -> None:
        (self.place / "mode").write_text(mode)

    def sampled(self) -> list[float]:
        """When sampling began, in seconds since the epoch."""
        path = self.place / "sampled"
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def history(self) -> dict[str, Any]:
        told: dict[str, Any] = self.client.get("/history")
        return told

    def until_idle(self) -> None:
        wait_until(lambda: not self.client.get("/prompt")["exec_info"]["queue_remaining"])

    def queued_without_client(self, graph: dict[str, Any]) -> str:
        answer = requests.post(f"{self.client.url}/prompt", json={"prompt": graph}, timeout=30)
        return str(answer.json()["prompt_id"])

    def decided(self, prompt_id: str) -> dict[str, Any]:
        wait_until(lambda: not self.client.get(RETRY_PATH, id=prompt_id)["pending"] and prompt_id in self.history())
        told: dict[str, Any] = self.client.get(RETRY_PATH, id=prompt_id)
        return told


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.05)


@pytest.fixture(scope="module", params=hosts() or [None], ids=lambda place: place.name if place else "no-host")
def failing(request: pytest.FixtureRequest, toy_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failing]:
    if request.param is None:
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    home = tmp_path_factory.mktemp("failing")
    (home / "custom_nodes").mkdir()
    (home / "custom_nodes" / "failing.py").write_text(PACK)
    (home / "mode").write_text("never")
    ollama = started(*[GOOD] * 20)
    environ = {**environ_of(request.param), "FAILING_PLACE": str(home), "OLLAMA_HOST": ollama.url}
    arguments = [*DEVICE_ARGUMENTS, "--disable-api-nodes"]
    places = {"pack": ROOT, "models": toy_models, "home": home}
    with serving(request.param, arguments=arguments, environ=environ, **places) as server:
        yield Failing(Client(server.url), ollama, home)
    ollama.shutdown()


_words = iter(f"a red kite number {number}" for number in range(1000))


def graph(**widgets: Any) -> dict[str, Any]:
    """A prompt that nothing is cached of."""
    return auto_graph(**{"prompt": next(_words), "checkpoint": "toy_sd15.safetensors", "steps": 2, **widgets})


def planned(failing: Failing, **widgets: Any) -> Plan:
    failing.mode("never")
    run = failing.client.run(graph(**widgets))
    return Picture(failing.client.image(run.images()[0])).plan


# --------------------------------------------------------------------------- once more


@pytest.mark.parametrize("mode", ["torch", "allocator", "python"])
def test_the_picture_comes_with_the_next_cheaper_plan(failing: Failing, mode: str) -> None:
    failing.mode(mode)
    heard: list[dict[str, Any]] = []
    run = failing.client.run(graph(seed=11), lambda kind, data: heard.append(data) if kind == RETRIED else None)
    picture = Picture(failing.client.image(run.images()[0]))
    assert picture.generation.seed == 11 and picture.plan.settings.tiled_decode
    assert [warning.key for warning in picture.plan.warnings].count("warn.out_of_memory") == 1
    assert [told["retry_id"] for told in heard] == [run.prompt_id] and heard[0]["node"] == AUTO
    assert run.retried == (heard[0]["sentence"],) and len(run.retried[0]) > 20
    assert set(run.outputs) >= {SAVE}, "the saved picture arrives where it would have"


def test_what_helps_another_stage_is_not_given_up(failing: Failing) -> None:
    """The host's own traceback says that it was sampling: a tiled decode would not help."""
    failing.mode("sampling")
    run = failing.client.run(graph(seed=12))
    plan = Picture(failing.client.image(run.images()[0])).plan
    assert run.retried and not plan.settings.tiled_decode and plan.models.weight_dtype.value == "int8"


def test_who_listens_hears_of_it_and_who_asks_is_told(failing: Failing) -> None:
    import websocket

    failing.mode("torch")
    address = failing.client.url.replace("http", "ws") + f"/ws?clientId={failing.client.client_id}"
    socket = websocket.create_connection(address, timeout=60)
    prompt_id = failing.client.queue(graph(language="es"))
    told: dict[str, Any] = {}
    while told.get("type") != RETRIED:
        raw = socket.recv()
        told = json.loads(raw) if isinstance(raw, str) else {}
    data = told["data"]
    assert data.keys() == {"prompt_id", "retry_id", "node", "sentence"}
    assert data["prompt_id"] == prompt_id and data["node"] == AUTO and "memoria" in data["sentence"].lower()
    while told.get("type") != "executed" or told["data"]["prompt_id"] != data["retry_id"] or told["data"]["node"] != SAVE:
        raw = socket.recv()
        told = json.loads(raw) if isinstance(raw, str) else {}
    socket.close()
    assert failing.decided(prompt_id) == {"retry_id": data["retry_id"], "sentence": data["sentence"], "pending": False}
    failing.until_idle()


def test_without_a_listener_it_is_tried_again_all_the_same(failing: Failing) -> None:
    failing.mode("torch")
    asked = graph()
    prompt_id = failing.queued_without_client(asked)
    retry_id = failing.decided(prompt_id)["retry_id"]
    wait_until(lambda: retry_id in failing.history())
    assert failing.history()[retry_id]["status"]["status_str"] == "success"
    kept = failing.history()[retry_id]["prompt"]
    assert kept[0] == failing.history()[prompt_id]["prompt"][0], "in its own place, before what waits"
    assert kept[2][AUTO]["inputs"]["accepted_plan"] and kept[2][SAVE] == asked[SAVE]


def test_a_linked_plan_gives_way(failing: Failing) -> None:
    asked, planner = graph(), graph()[AUTO]
    asked["9"] = planner
    asked[AUTO]["inputs"]["plan"] = ["9", 4]
    failing.mode("torch")
    run = failing.client.run(asked)
    assert Picture(failing.client.image(run.images()[0])).plan.settings.tiled_decode


def test_the_python_api_says_so_and_brings_the_picture(failing: Failing) -> None:
    small = GenerationConstraints(width=64, height=64, max_steps=2)
    config = PipelineConfig(server=failing.client.url, base_model="toy_sd15.safetensors", constraints=small)
    pipeline = IntelligentGenerationPipeline(config)
    plan = pipeline.recommend(next(_words))
    failing.mode("torch")
    result = pipeline.generate(plan=plan, seed=3)
    assert result.plan.settings.tiled_decode and not plan.settings.tiled_decode
    assert len(result.warnings) == 1 and result.generation.seed == 3 and len(result.pictures) == 1


def test_a_native_graph_is_tried_again_by_who_sent_it(failing: Failing) -> None:
    plan = planned(failing)
    failing.mode("torch")
    before = len(failing.history())
    result = generate_natively(failing.client.url, plan, 5, Place(Library(), Machine()))
    assert result.plan.settings.tiled_decode and len(result.warnings) == 1 and len(result.pictures) == 1
    failing.mode("always")
    with pytest.raises(RanOut, match="again"):
        generate_natively(failing.client.url, result.plan, 6, Place(Library(), Machine()))
    assert len(failing.history()) == before + 3
    with pytest.raises(RanOut, match="again"):
        generate_natively(failing.client.url, plan, 7, Place(Library(), Machine()))
    assert len(failing.history()) == before + 5


# --------------------------------------------------------------------------- never a loop


def test_a_second_failure_is_the_end(failing: Failing) -> None:
    failing.mode("always")
    before = set(failing.history())
    heard: list[str] = []
    with pytest.raises(RanOut, match="again"):
        failing.client.run(graph(), lambda kind, data: heard.append(data["retry_id"]) if kind == RETRIED else None)
    failing.until_idle()
    new = set(failing.history()) - before
    assert len(new) == 2 and len(heard) == 1 and heard[0] in new
    assert failing.decided(heard[0])["retry_id"] == ""


@pytest.mark.parametrize(("mode", "error"), [("other", "damaged"), ("stop", "cancelled")])
def test_what_is_no_lack_of_memory_is_not_tried_again(failing: Failing, mode: str, error: str) -> None:
    failing.mode(mode)
    before = set(failing.history())
    with pytest.raises(BadRequest, match=error) as failed:
        failing.client.run(graph())
    assert not isinstance(failed.value, RanOut)
    (prompt_id,) = set(failing.history()) - before
    assert failing.decided(prompt_id) == {"retry_id": "", "sentence": "", "pending": False}
    failing.until_idle()
    assert len(set(failing.history()) - before) == 1


def test_who_does_not_want_it_gets_the_error(failing: Failing) -> None:
    plan = planned(failing)
    options = next(failing.place.rglob("__intelligent_generation")) / "memory.json"
    options.write_text('{"retry": false}')
    try:
        failing.mode("torch")
        before = set(failing.history())
        with pytest.raises(RanOut):
            failing.client.run(graph())
        failing.until_idle()
        assert len(set(failing.history()) - before) == 1
        with pytest.raises(RanOut):
            generate_natively(failing.client.url, plan, 8, Place(Library(), Machine()))
        assert len(set(failing.history()) - before) == 2
    finally:
        options.unlink()


# --------------------------------------------------------------------------- batches


def test_an_item_that_is_retried_has_not_failed(failing: Failing) -> None:
    plan = planned(failing)
    failing.mode("torch")
    heard: list[Any] = []
    batch = batch_of(plan, Strategy.SEED, 2, 70, library=Library(), machine=Machine())
    made = run_batch(batch, failing.client, on_progress=heard.append)
    assert [each.item.state for each in made] == [ItemState.DONE] * 2
    assert len([told for told in heard if told.warning]) == 2 and not any(told.error for told in heard)


def test_a_batch_of_the_canvas_is_shown_whole(failing: Failing) -> None:
    failing.mode("torch")
    inputs = {
        "prompt": next(_words), "negative": "", "strategy": "seed", "count": 2, "seed": 7, "checkpoint": "toy_sd15.safetensors",
        "priority": "speed", "width": 64, "height": 64, "max_seconds": 0.0, "axes": "", "filename_prefix": "lot/picture",
        "language": "en",
    }  # fmt: skip
    sheet = {"batch": ["1", 0], "order": "stated", "columns": 0, "language": "en"}
    asked = {
        "1": {"class_type": "IIG_BatchVariations", "inputs": inputs},
        "2": {"class_type": "IIG_ContactSheet", "inputs": sheet},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "lot/sheet"}},
    }
    run = failing.client.run(asked)
    batch_id = run.outputs["1"]["batch"][0]

    def states() -> list[str]:
        return [item["state"] for item in failing.client.get(BATCHES_PATH, id=batch_id)["items"]]

    wait_until(lambda: states() == ["done", "done"])

    def last() -> dict[str, Any]:
        told: dict[str, Any] = list(failing.history().values())[-1]
        return told

    def is_sheet() -> bool:
        sheet = last()["prompt"][2].get("2", {})
        return sheet.get("class_type") == "IIG_ContactSheet" and sheet["inputs"]["batch"] == batch_id

    wait_until(lambda: is_sheet() and "3" in last()["outputs"])  # the last to run is the sheet
    failing.until_idle()
    assert is_sheet()


# --------------------------------------------------------------------------- the language model first


def test_all_prompts_are_read_before_the_first_picture_and_the_model_leaves(failing: Failing) -> None:
    failing.mode("never")
    first, second = graph(reader="auto"), graph(reader="auto")
    both = {
        **first,
        "11": second[AUTO],
        "12": {**second[SAVE], "inputs": {**second[SAVE]["inputs"], "images": ["11", 0], "plan": ["11", 4]}},
        "13": {"class_type": "IIG_AnalyzePrompt", "inputs": {"prompt": next(_words), "reader": "auto"}},
        "14": {"class_type": "PreviewAny", "inputs": {"source": ["13", 1]}},
    }
    chats, began = len(failing.ollama.requests), len(failing.sampled())
    unloaded = len(failing.ollama.unloaded)
    failing.client.run(both)
    assert len(failing.ollama.requests) - chats == 3, "each once"
    assert [count - chats for _, count in failing.ollama.unloaded[unloaded:]] == [3], "once, after the last"
    assert len(failing.sampled()) - began == 2
    assert max(failing.ollama.times) < min(failing.sampled()[began:])
    failing.client.run({**both, AUTO: {**first[AUTO], "inputs": {**first[AUTO]["inputs"], "seed": 5}}})
    assert len(failing.ollama.requests) - chats == 3, "what was read is known"


def test_by_rules_nobody_is_asked(failing: Failing) -> None:
    failing.mode("never")
    before = (len(failing.ollama.requests), len(failing.ollama.unloaded), failing.ollama.tags_asked)
    failing.client.run(graph(reader="rules"))
    assert before == (len(failing.ollama.requests), len(failing.ollama.unloaded), failing.ollama.tags_asked)


def test_a_plan_is_the_same_settings_but_for_what_gave_way(failing: Failing) -> None:
    plan = planned(failing)
    failing.mode("torch")
    run = failing.client.run(graph(prompt=plan.request.prompt, seed=99))
    relieved = Picture(failing.client.image(run.images()[0])).plan

    def rest(settings: Settings) -> dict[str, Any]:
        return {name: value for name, value in vars(settings).items() if name != "tiled_decode"}

    assert rest(relieved.settings) == rest(plan.settings) and relieved.prompt == plan.prompt
