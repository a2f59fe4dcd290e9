"""A client whose prompt ran out of memory: it waits for what the server queues instead, and for no more than that."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import websocket
from pack.client import DECIDE_S, Client, RanOut
from pack.errors import BadRequest
from pack.intelligence.out_of_memory import is_out_of_memory
from pack.routes import RETRIED, RETRY_PATH

OOM = {"exception_type": "torch.OutOfMemoryError", "exception_message": "Allocation on device\n", "node_id": "1"}


class Told:
    """A websocket that says what a ComfyUI would, message after message."""

    def __init__(self, *messages):
        self.messages = [json.dumps({"type": kind, "data": data}) for kind, data in messages]

    def recv(self):
        return self.messages.pop(0)

    def close(self):
        pass


class Asked(Client):
    """A client whose server answers from ``answers``, by prompt id; ``None`` = it has no pack."""

    def __init__(self, answers):
        super().__init__("http://127.0.0.1:1")
        self.answers = answers

    def queue(self, graph, extra_data=None, prompt_id=""):
        return "first"

    def get(self, path, **parameters):
        if path != RETRY_PATH:
            return {path.rsplit("/", 1)[-1]: {"outputs": {"2": {"text": [path]}}}}
        if self.answers is None:
            raise BadRequest("comfyui_refused", problem="HTTP 404")
        return self.answers[parameters["id"]].pop(0)


def answer(retry_id="", sentence="", pending=False):
    return {"retry_id": retry_id, "sentence": sentence, "pending": pending}


def over(prompt_id):
    return "executing", {"node": None, "prompt_id": prompt_id}


def failed(prompt_id, **changed):
    return "execution_error", {**OOM, "prompt_id": prompt_id, **changed}


@pytest.fixture
def say(monkeypatch):
    return lambda *messages: monkeypatch.setattr(websocket, "create_connection", lambda *_, **__: Told(*messages))


def test_it_waits_for_the_other_prompt_and_says_why(say):
    # The server's own message, and the second prompt's, may come before it is asked.
    say(failed("first"), over("first"), (RETRIED, {"prompt_id": "first"}), over("other"), over("second"))
    heard = []
    client = Asked({"first": [answer(pending=True), answer("second", "Tiled now.")]})
    run = client.run({}, lambda kind, data: heard.append((kind, data)))
    assert run.prompt_id == "second" and run.retried == ("Tiled now.",) and run.outputs["2"]["text"] == ["/history/second"]
    told = {"prompt_id": "first", "node": "1", "retry_id": "second", "sentence": "Tiled now."}
    assert [data for kind, data in heard if kind == RETRIED] == [told]


def test_a_second_failure_is_told_with_what_the_server_says(say):
    say(failed("first"), failed("second"))
    client = Asked({"first": [answer("second", "Tiled now.")], "second": [answer(sentence="Not again.")]})
    with pytest.raises(RanOut, match=r"Allocation on device\nNot again\."):
        client.run({})


def test_a_server_without_the_pack_fails_at_once(say):
    say(failed("first"))
    with pytest.raises(RanOut, match="Allocation on device"):
        Asked(None).run({})


def test_another_error_is_not_asked_about(say):
    say(failed("first", exception_type="RuntimeError", exception_message="damaged"))
    with pytest.raises(BadRequest, match="damaged") as refused:
        Asked({}).run({})
    assert not isinstance(refused.value, RanOut)


def test_it_waits_longer_than_the_server_takes_to_queue(request):
    source = (request.config.rootpath / Path("nodes/own_queue.py")).read_text(encoding="utf-8")
    patience_s = float(re.search(r"^PATIENCE_S = ([\d.]+)", source, re.MULTILINE)[1])
    assert patience_s + 10 < DECIDE_S


@pytest.mark.parametrize(
    ("kind", "message", "is_so"),
    [
        ("torch.OutOfMemoryError", "Allocation on device", True),
        ("torch.cuda.OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 MiB", True),
        ("torch.AcceleratorError", "CUDA error: out of memory\nCUDA kernel errors might be…", True),
        ("torch.AcceleratorError", "CUDA error: an illegal memory access was encountered", False),
        ("RuntimeError", "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried", True),
        ("RuntimeError", "MPS backend out of memory (MPS allocated: 5 GB)", True),
        ("RuntimeError", "Could not allocate tensor with 9 bytes. There is not enough GPU video memory available!", True),
        ("MemoryError", "", True),
        ("numpy._core._exceptions._ArrayMemoryError", "Unable to allocate 8.00 GiB", True),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied", False),
        ("ValueError", "the words out of memory in a prompt", False),
        ("/packs/intelligent-generation.errors.BadRequest", "out of memory", False),
    ],
)
def test_what_says_that_memory_ran_out(kind, message, is_so):
    assert is_out_of_memory(kind, message) is is_so
