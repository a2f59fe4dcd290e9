"""What a running ComfyUI tells of its memory, gives back, and says while somebody listens."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager

import psutil
import pytest
import requests
import websocket
from pack.plan import GIB
from pack.routes import GUARD_HEADER, MEMORY_PATH

from ..openapi import answer_schema, faults
from .conftest import auto_graph

SENT = {GUARD_HEADER: "1"}
SMALL = {"checkpoint": "toy_sd15.safetensors", "max_loras": 0}


def get(host, path="", **query):
    answer = requests.get(f"{host.server.url}{MEMORY_PATH}{path}", params=query, timeout=60)
    assert not list(faults(answer.json(), answer_schema("GET", f"{MEMORY_PATH}{path}", answer.status_code)))
    return answer.json()


def post(host, path, body):
    answer = requests.post(f"{host.server.url}{MEMORY_PATH}{path}", json=body, headers=SENT, timeout=60)
    assert not list(faults(answer.json(), answer_schema("POST", f"{MEMORY_PATH}{path}", answer.status_code)))
    return answer.json()


@contextmanager
def hearing(host, client_id="listener"):
    socket = websocket.create_connection(host.server.url.replace("http", "ws", 1) + f"/ws?clientId={client_id}", timeout=30)
    try:
        yield socket
    finally:
        socket.close()


def heard(socket, seconds):
    """The data of memory events that arrive within so many seconds."""
    end, found = time.monotonic() + seconds, []
    while (left := end - time.monotonic()) > 0:
        socket.settimeout(left)
        try:
            raw = socket.recv()
        except websocket.WebSocketTimeoutException:
            break
        message = json.loads(raw) if isinstance(raw, str) and raw else {}
        if message.get("type") == "intelligent_generation.memory":
            found.append(message["data"])
    return found


def monitor(**widgets):
    inputs = {"language": "en", "verbosity": "standard", **widgets}
    return {"1": {"class_type": "IIG_MemoryMonitor", "inputs": inputs}}


# --------------------------------------------------------------------------- read


def test_the_readout_counts_what_a_run_loaded(host):
    host.auto(prompt="a red fox", **SMALL)
    told = get(host, language="en", verbosity="technical")
    assert told["ram"]["total_bytes"] > told["ram"]["free_bytes"] > 0
    assert told["ram"]["peak_bytes"] >= told["ram"]["process_bytes"] > GIB / 4  # torch alone takes that
    assert told["models"] and all(0 <= each["loaded_bytes"] <= each["size_bytes"] > 0 for each in told["models"])
    assert {each["device"] for each in told["models"]} == {"cpu"} and told["devices"] == []
    assert told["vram_state"] == "disabled" and told["dynamic_vram"] is False
    assert "## Loaded models" in told["markdown"] and "on the CPU" in told["markdown"]
    assert "Modelos cargados" in get(host, language="es")["markdown"]


def test_the_monitor_passes_its_value_on_and_reads_each_time(host):
    graph = {
        "0": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        **monitor(value=["0", 0], verbosity="minimal"),
        "2": {"class_type": "IIG_MemoryMonitor", "inputs": {**monitor()["1"]["inputs"], "value": ["1", 0]}},
    }
    first, again = host.client.run(graph), host.client.run(graph)
    (line,) = first.outputs["1"]["text"]
    assert line.startswith("RAM ") and line.count("\n") == 1
    assert "## " in first.outputs["2"]["text"][0]
    assert {"1", "2"} <= set(again.executed)


def test_the_monitor_runs_with_nothing_connected_and_speaks_spanish(host):
    (text,) = host.client.run(monitor(language="es")).outputs["1"]["text"]
    assert "## Reserva" in text


# --------------------------------------------------------------------------- free


@pytest.mark.parametrize("what", ["models", "everything"])
def test_models_leave_when_asked(host, what):
    host.auto(prompt="a red fox", **SMALL)
    assert get(host)["models"]
    told = post(host, "/free", {"what": what})
    assert told["what"] == what and told["later"] is False
    assert get(host)["models"] == []
    run = host.auto(prompt="a red fox", seed=3, **SMALL)
    assert run.images()


def test_the_pool_is_emptied_and_the_next_run_works(host):
    host.auto(prompt="a red fox", **SMALL)
    assert post(host, "/free", {"what": "pool"})["later"] is False
    assert get(host)["pool"]["entries"] == []
    assert host.auto(prompt="a blue house", seed=4, **SMALL).images()


def test_while_a_prompt_runs_memory_is_given_back_afterwards(host):
    prompt_id = host.client.queue(slow_graph())
    waiting_behind = host.client.queue(slow_graph(seed=2))
    until(lambda: requests.get(f"{host.server.url}/queue", timeout=30).json()["queue_running"])
    told = post(host, "/free", {"what": "everything"})
    assert told["later"] is True and told["freed_bytes"] == 0
    host.client.cancel(waiting_behind)
    until(lambda: host.client.get(f"/history/{prompt_id}").get(prompt_id, {}).get("outputs"))
    assert host.client.get(f"/history/{prompt_id}")[prompt_id]["status"]["status_str"] == "success"
    until(lambda: get(host)["models"] == [])


def slow_graph(seed=1):
    return auto_graph(prompt="a red fox", width=192, height=192, steps=16, seed=int(time.time()) + seed, **SMALL)


def until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("body", [{"what": "all"}, {}, {"what": 1}, {"what": "models", "more": 1}])
def test_nonsense_is_refused(host, body):
    assert post(host, "/free", body)["error"] in ("not_a_choice", "request_unreadable")


def test_without_our_header_nothing_is_freed(host):
    for path, body in (
        ("/free", {"what": "models"}),
        ("/listen", {"client_id": "x", "seconds": 5}),
        ("/settings", {"retry": False}),
    ):
        answer = requests.post(f"{host.server.url}{MEMORY_PATH}{path}", json=body, timeout=30)
        assert answer.status_code == 400 and answer.json()["error"] == "not_our_request"


# --------------------------------------------------------------------------- settings


def test_settings_are_kept_and_refused_as_a_whole(host):
    assert get(host, "/settings")["options"] == {"pool_gb": None, "clean_below": 0.06, "retry": True}
    told = post(host, "/settings", {"pool_gb": 2, "language": "es"})
    assert told["options"]["pool_gb"] == 2 and told["pool_bytes"] == 2_000_000_000
    assert get(host)["pool"]["limit_bytes"] == 2_000_000_000
    assert post(host, "/settings", {"clean_below": 3, "retry": False})["error"] == "out_of_range"
    assert get(host, "/settings")["options"]["retry"] is True
    assert post(host, "/settings", {"pool_gb": None})["options"]["pool_gb"] is None


# --------------------------------------------------------------------------- automatic


@contextmanager
def short_of_ram(host):
    """The host calls its RAM short meanwhile."""
    if psutil.virtual_memory().available > 0.94 * psutil.virtual_memory().total:
        pytest.skip("nearly all of this machine's RAM is free: no setting calls that short")
    post(host, "/settings", {"clean_below": 0.95})
    try:
        yield
    finally:
        post(host, "/settings", {"clean_below": 0.06})


def load_two(host, seed):
    for checkpoint in ("toy_sd15.safetensors", "toy_sd15_full.safetensors"):
        host.auto(prompt="a red fox", checkpoint=checkpoint, max_loras=0, seed=seed)
    assert [each["name"] for each in get(host)["pool"]["entries"]] == ["toy_sd15.safetensors", "toy_sd15_full.safetensors"]


def cleaned(socket, seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        socket.settimeout(left)
        message = json.loads(socket.recv())
        if message["type"] == "intelligent_generation.memory_cleaned":
            return message["data"]
    raise AssertionError("nothing was given back")


def test_a_run_begins_with_a_clean_up_where_ram_is_short(host):
    load_two(host, seed=7)
    with hearing(host) as socket, short_of_ram(host):
        host.client.queue(auto_graph(prompt="a red fox", checkpoint="toy_sd15_full.safetensors", max_loras=0, seed=8))
        told = cleaned(socket, 60)
        assert not list(faults(told, {"$ref": "#/components/schemas/CleanUp"}))
        assert told["freed_bytes"] > 100e6 and told["reason"]["key"] == "clean.low_ram"
        assert told["sentence"].startswith("Only ") and told == get(host, language="en")["clean_ups"][-1]
    until(lambda: [each["name"] for each in get(host)["pool"]["entries"]] == ["toy_sd15_full.safetensors"])
    until(lambda: not requests.get(f"{host.server.url}/queue", timeout=30).json()["queue_running"])
    assert host.auto(prompt="a red fox", **SMALL, seed=9).images()


def test_what_ram_is_short_of_is_given_back_while_nothing_runs_and_somebody_listens(host):
    """Looked at once a minute at most: it may take that long where another test has listened."""
    load_two(host, seed=10)
    with hearing(host) as socket, short_of_ram(host):
        post(host, "/listen", {"client_id": "listener", "seconds": 60})
        assert cleaned(socket, 100)["reason"]["key"] == "clean.low_ram"
        post(host, "/listen", {"client_id": "listener", "seconds": 0})
    assert [each["name"] for each in get(host)["pool"]["entries"]] == ["toy_sd15_full.safetensors"]
    assert host.auto(prompt="a red fox", **SMALL, seed=11).images()


# --------------------------------------------------------------------------- listen


def test_who_listens_is_told_every_second_until_the_lease_ends(host):
    with hearing(host) as socket, hearing(host, "other") as other:
        assert post(host, "/listen", {"client_id": "listener", "seconds": 6}) == {"client_id": "listener", "seconds": 6}
        told = heard(socket, 9)
        assert len(told) >= 2
        schema = {"$ref": "#/components/schemas/Readout"}
        assert not [fault for each in told for fault in faults(each, schema)]
        assert told[-1]["at"] - told[0]["at"] > 0.5
        assert heard(other, 0.2) == []
        until(lambda: heard(socket, 2) == [])
        post(host, "/listen", {"client_id": "listener", "seconds": 60})
        until(lambda: heard(socket, 2))
        post(host, "/listen", {"client_id": "listener", "seconds": 0})
        until(lambda: heard(socket, 2) == [])


@pytest.mark.parametrize("seconds", [-1, 61, 1.5, "5", True, None])
def test_a_lease_has_a_length(host, seconds):
    assert post(host, "/listen", {"client_id": "listener", "seconds": seconds})["error"] == "out_of_range"
