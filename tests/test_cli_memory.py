"""The command ``memory`` as it is typed, against a small server that answers as the routes do."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from pack import cli_memory
from pack.cli import main
from pack.errors import BadRequest
from pack.memory.options import MemoryOptions
from pack.memory_report import figures, report
from pack.plan import Reason, Verbosity
from pack.readout import CleanUp, DeviceMemory, HeldModel, Pooled, PoolState, Ram, Readout
from pack.routes import GUARD_HEADER, MEMORY_PATH

GIB = 2**30
FULL = Readout(
    at=1_700_000_000.0,
    devices=(DeviceMemory("cuda:0", "GeForce | 8", 8 * GIB, 2 * GIB, 6 * GIB, 5 * GIB, 7 * GIB),),
    ram=Ram(32 * GIB, 20 * GIB, 9 * GIB, 11 * GIB),
    models=(HeldModel("SDXL", "cuda:0", 5 * GIB, 4 * GIB, "float16"), HeldModel("VAE", "cuda:0", GIB, GIB)),
    pool=PoolState((Pooled("a.safetensors", "CheckpointLoaderSimple", 6 * GIB),), 6 * GIB, 10 * GIB, 3, 1, 2),
    clean_ups=(CleanUp(1_700_000_000.0, GIB, Reason("memory", "clean.low_ram", {"free_bytes": GIB, "total_bytes": 32 * GIB})),),
    vram_state="normal_vram",
    reserve_bytes=GIB // 2,
)


class Answering(BaseHTTPRequestHandler):
    """The routes of memory, told from ``FULL``."""

    def do_GET(self):
        asked = parse_qs(urlsplit(self.path).query)
        language = asked["language"][0]
        if self.path.startswith(f"{MEMORY_PATH}/settings"):
            return self._answer({"options": vars(MemoryOptions()), "pool_bytes": GIB})
        told = {**figures(FULL, language), "markdown": report(FULL, Verbosity(asked["verbosity"][0]), language)}
        return self._answer(told)

    def do_POST(self):
        assert self.headers[GUARD_HEADER]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append((self.path.removeprefix(MEMORY_PATH), body))
        if self.path.endswith("/free"):
            freed = {"models": 3 * GIB, "pool": 0, "everything": 0}[body["what"]]
            return self._answer({"what": body["what"], "freed_bytes": freed, "later": body["what"] == "everything"})
        if body.get("pool_gb") == -1:
            return self._answer({"error": "out_of_range", "message": "pool_gb -1 (0–4096)"}, 400)
        changed = {name: value for name, value in body.items() if name != "language"}
        return self._answer({"options": {**vars(MemoryOptions()), **changed}, "pool_bytes": GIB})

    def _answer(self, told, status=200):
        raw = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    serving = HTTPServer(("127.0.0.1", 0), Answering)
    serving.bodies = []
    threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def run(server, capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    server.bodies.clear()

    def typed(*words):
        capsys.readouterr()
        code = main(["memory", *words, "--server", f"http://127.0.0.1:{server.server_port}"])
        told = capsys.readouterr()
        return code, told.out, told.err

    return typed


def test_memory_is_shown_in_the_persons_language_and_detail(run):
    code, out, _ = run()
    assert code == 0 and out.startswith("VRAM 6.0 GiB of 8.0 GiB (75 %)") and "## Pool" in out
    assert "GeForce | 8" in out and "\\" not in out
    assert "## " not in run("--verbosity", "minimal")[1]
    assert "Modelos cargados" in run("--language", "es")[1]
    assert json.loads(run("--json")[1])["pool"]["hit_rate"] == 0.75


def test_memory_is_given_back(run, server):
    assert run("free")[1] == "3.0 GiB of memory were given back.\n"
    assert "when it is over" in run("free", "everything")[1]
    assert run("free", "pool")[1] == "Done; no memory came free by it.\n"
    assert json.loads(run("free", "models", "--json")[1]) == {"what": "models", "freed_bytes": 3 * GIB, "later": False}
    assert [body["what"] for _, body in server.bodies] == ["models", "everything", "pool", "models"]


def test_what_does_not_exist_is_refused_before_anyone_is_asked(run, server):
    assert run("free", "all")[0] == 1 and "everything" in run("free", "all")[2]
    assert "takes nothing more" in run("show", "models")[2]
    assert "retry" in run("settings", "retry")[2]
    assert server.bodies == []


def test_settings_are_shown_and_changed(run, server):
    assert run("settings")[1].splitlines()[:3] == ["pool_gb      auto", "clean_below  0.06", "retry        true"]
    code, out, _ = run("settings", "pool-gb=8.5", "retry=false", "--json")
    assert code == 0 and json.loads(out) == {"pool_gb": 8.5, "clean_below": 0.06, "retry": False}
    assert server.bodies == [("/settings", {"pool_gb": 8.5, "retry": False, "language": "en"})]
    assert run("settings", "pool_gb=auto")[0] == 0 and server.bodies[-1][1]["pool_gb"] is None
    code, _, err = run("settings", "pool_gb=-1")
    assert code == 1 and "pool_gb -1" in err


def test_watching_writes_a_line_each_second_until_it_is_stopped(run, monkeypatch):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli_memory.time, "sleep", sleep)
    code, out, _ = run("watch")
    assert code == 130 and slept == [1.0] * 3
    assert [line[8:14] for line in out.splitlines()] == ["  VRAM"] * 3
    slept.clear()
    assert [json.loads(line)["vram_state"] for line in run("watch", "--json")[1].splitlines()] == ["normal_vram"] * 3


def test_nobody_there_is_said(capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    assert main(["memory", "--server", "http://127.0.0.1:1"]) == 1
    assert "http://127.0.0.1:1" in capsys.readouterr().err


# --------------------------------------------------------------------------- the report


def test_each_level_says_more():
    told = [report(FULL, level) for level in Verbosity]
    assert told[0].count("\n") == 1
    assert [len(text) for text in told] == sorted({len(text) for text in told})
    assert "SDXL: 4.0 GiB of 5.0 GiB on cuda:0" in told[1] and "float16" not in told[1]
    assert "float16" in told[2] and "a.safetensors" in told[2] and "at most 7.0 GiB" in told[2]
    assert "5,368,709,120 B" in told[3] and "normal_vram" in told[3]
    assert "Used again: 3 of 4 (75 %); had to leave: 2." in told[1]


def test_names_cannot_break_the_markdown():
    assert "GeForce \\| 8" in report(FULL)


def test_without_a_gpu_there_is_ram_alone():
    told = report(Readout(0.0, (), Ram(8 * GIB, 4 * GIB, GIB, GIB)))
    assert "VRAM" not in told.splitlines()[0] and "on the CPU" in told and "None." in told


def test_a_clean_up_is_told_with_its_reason():
    (told,) = figures(FULL, "es")["clean_ups"]
    assert told["sentence"].startswith("Solo quedaban libres 1.0 GiB de 32.0 GiB")
    assert told["sentence"] in report(FULL, language="es")


def test_an_argument_needs_a_value():
    with pytest.raises(BadRequest):
        cli_memory._setting("retry")
