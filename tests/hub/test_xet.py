"""Large files over Xet, by the real client, and over plain HTTPS wherever Xet does not do."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import sys
import tempfile
import threading
import time

import pytest
from pack.hub import part_file, xet
from pack.hub.options import read_options
from pack.hub.transfer import Job, Patience, Stopped, Transfer
from standin import Fault, toy
from standin_xet import Cas

pytest.importorskip("hf_xet")

SIZE = 40_000_000


def model(size, seed=1):
    """A real safetensors header, and bytes that repeat nowhere."""
    hollow = toy("xet", size)
    start = 8 + int.from_bytes(hollow[:8], "little")
    return hollow[:start] + random.Random(seed).randbytes(size)


FILE = model(SIZE)
SUM = hashlib.sha256(FILE).hexdigest()


class Line:
    """A transfer of FILE from the stand-in Hugging Face, which names the stand-in Xet storage."""

    def __init__(self, hubs, cas, folder, content=FILE, repo="inker/ink", token="hf_granted_1234", gate="", **options):
        self.hubs, self.cas, self.content = hubs, cas, content
        self.target = folder / f"{repo.partition('/')[2]}.safetensors"
        self.sha = hubs.huggingface.add(repo, {"ink.safetensors": content}, gate=gate)
        self.address = f"{hubs.huggingface.url}/{repo}/resolve/{self.sha}/ink.safetensors"
        listed = {"extra_hosts": (hubs.cdn.url, cas.url), **options}
        self.web = hubs.web({"huggingface": token} if token else {}, **listed)
        self.validator, self.stop_at, self.stopped, self.seen = None, None, threading.Event(), []

    def remember(self, validator):
        self.validator = validator

    def watch(self, done, _total):
        self.seen.append(done)
        if self.stop_at is not None and done >= self.stop_at:
            self.stopped.set()

    def transfer(self, sha256="", **options):
        digest = hashlib.sha256(self.content).hexdigest() if sha256 == "" else sha256
        job = Job("huggingface", (self.address,), self.target, len(self.content), digest, 1 << 40)
        known = {"patience": Patience(tries=4, window_s=5), "sleep": lambda seconds: None, **options}
        return Transfer(self.web, job, self.validator, self.remember, self.stopped.is_set, self.watch, **known)

    def run(self, **options):
        self.ran = self.transfer(**options)
        return self.ran.run()

    def is_whole(self):
        return self.target.read_bytes() == self.content and os.listdir(self.target.parent) == [self.target.name]

    @property
    def xorbs(self):
        return self.cas.asked("/xorbs/*")


@pytest.fixture
def cas(standin):
    standin.huggingface.xet = storage = Cas()
    yield storage
    storage.server.stop()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "loras").mkdir()
    return tmp_path / "loras"


@pytest.fixture
def line(standin, cas, folder):
    return Line(standin, cas, folder)


@pytest.fixture
def long_line(standin, cas, folder):
    """A file that takes many questions, most of them after its first bytes came."""
    return Line(standin, cas, folder, content=model(100_000_000))


@pytest.mark.parametrize("versions", [(2, 1), (1,)])
def test_a_file_arrives_over_xet_whole_and_proven(line, versions):
    line.cas.versions = versions
    assert line.run() == SUM
    assert line.is_whole() and line.ran.xet.used
    assert line.seen[-1] == len(FILE) and line.xorbs


def test_our_key_goes_to_the_hub_alone(line):
    line.run()
    assert line.hubs.huggingface.asked("*xet-read-token*")[0].headers["authorization"] == "Bearer hf_granted_1234"
    said = [value for each in line.cas.server.requests for value in (each.path, *each.headers.values())]
    assert not any("hf_granted_1234" in value for value in said)
    assert {each.headers["authorization"] for each in line.cas.asked("/v*")} == {"Bearer xet-key-1"}
    assert all("authorization" not in each.headers for each in line.xorbs)


def test_our_keys_are_not_in_the_environment_of_the_other_process(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret_1234")
    monkeypatch.setenv("CIVITAI_API_KEY", "civitai-secret")
    assert not {"hf_secret_1234", "civitai-secret"} & set(xet._environment("/scratch").values())
    assert "PATH" in xet._environment("/scratch")


def test_what_was_fetched_before_a_stop_is_kept_whichever_way_it_came(line):
    for way in (True, False):
        line.web = line.hubs.web({"huggingface": "hf_granted_1234"}, extra_hosts=(line.hubs.cdn.url, line.cas.url), xet=way)
        line.stop_at = part_file.size_of(part_file.part_of(line.target)) + 6_000_000
        with pytest.raises(Stopped):
            line.run()
        assert line.ran.xet.used is way and not line.target.exists()
        line.stopped.clear()
    had, line.stop_at = part_file.size_of(part_file.part_of(line.target)), None
    assert had >= 12_000_000
    line.web = line.hubs.web(extra_hosts=(line.hubs.cdn.url, line.cas.url))
    line.cas.server.requests.clear()
    assert line.run() == SUM
    assert line.is_whole() and line.ran.xet.used and line.ran.resumed
    asked = [each.headers["range"].removeprefix("bytes=") for each in line.cas.asked("/v2/*")]
    assert min(int(each.partition("-")[0]) for each in asked) == had


def test_a_stop_takes_less_than_a_second_even_when_nothing_comes(line):
    line.cas.fault("/xorbs/*", Fault(stall_at=100))
    threading.Timer(1.5, line.stopped.set).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        line.run()
    assert 1.4 < time.monotonic() - begun < 2.5
    assert not [each for each in threading.enumerate() if each.name == "iig-xet"]


def test_a_line_that_stalls_is_left_for_plain_https(line, monkeypatch):
    monkeypatch.setattr(xet, "STALL_S", 1.0)
    line.cas.fault("/xorbs/*", Fault(stall_at=100))
    assert line.run() == SUM
    assert line.is_whole() and not line.ran.xet.used


@pytest.mark.parametrize("where", ["/v2/reconstructions/*", "/xorbs/*"])
def test_a_storage_that_fails_is_left_for_plain_https(line, where, caplog):
    line.cas.fault(where, Fault(status=500))
    with caplog.at_level(logging.INFO, logger=xet.__name__):
        assert line.run() == SUM
    assert line.is_whole() and not line.ran.xet.used
    assert "plain HTTPS instead" in caplog.text and "Signature" not in caplog.text and "xet-key" not in caplog.text
    assert len(line.hubs.cdn.asked("*")) == 1  # the answer that was open all the time


def test_a_storage_that_fails_amid_the_file_leaves_the_rest_to_plain_https(line):
    line.cas.fault(line.cas.xorb_at(line.cas.put(FILE), 28_000_000), Fault(status=500))
    assert line.run() == SUM
    assert line.is_whole() and line.ran.xet.used
    again = line.hubs.cdn.asked("*")[-1].headers
    assert 1_000_000 < int(again["range"].removeprefix("bytes=").rstrip("-")) < 28_000_000 and again["if-range"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=403),
        Fault(status=200, body=b"<html>"),
        Fault(status=200, body=b'{"casUrl": 1}'),
        Fault(status=200, body=b'{"accessToken": "t", "exp": 9999999999, "casUrl": "https://evil.example"}'),
        Fault(status=200, body=b'{"accessToken": "t", "exp": 9999999999, "casUrl": "http://10.0.0.1"}'),
    ],
)
def test_without_a_key_to_a_storage_of_the_hub_it_is_plain_https(line, fault):
    line.hubs.huggingface.fault("*xet-read-token*", fault)
    assert line.run() == SUM
    assert line.is_whole() and not line.cas.server.requests and not line.hubs.slept


def test_wrong_bytes_are_found_out_and_fetched_again_over_plain_https(line):
    line.cas.spoilt = True
    assert line.run() == SUM
    assert line.is_whole() and line.xorbs and len(line.hubs.cdn.asked("*")) == 2


def test_without_the_package_it_is_plain_https(line, monkeypatch):
    monkeypatch.setitem(sys.modules, "hf_xet", None)
    assert line.run() == SUM
    assert line.is_whole() and not line.hubs.huggingface.asked("*xet-read-token*")


def test_a_package_of_another_shape_is_plain_https(line, tmp_path, monkeypatch):
    (tmp_path / "hf_xet").mkdir()
    (tmp_path / "hf_xet" / "__init__.py").write_text("print('old')\n")
    monkeypatch.setattr(xet, "_packages", lambda: str(tmp_path))
    assert line.run() == SUM
    assert line.is_whole() and not line.cas.server.requests


def test_it_can_be_switched_off(standin, cas, folder, tmp_path):
    assert read_options(tmp_path, {}).xet and not read_options(tmp_path, {"HF_HUB_DISABLE_XET": "1"}).xet
    line = Line(standin, cas, folder, xet=False)
    assert line.run() == SUM
    assert not cas.server.requests and not standin.huggingface.asked("*xet-read-token*")


def test_small_files_and_files_of_unknown_sum_come_over_plain_https(standin, cas, folder):
    small = Line(standin, cas, folder, content=model(1_000_000), repo="inker/small")
    small.run()
    Line(standin, cas, folder, repo="inker/unknown").run(sha256=None)
    assert not cas.server.requests and len(os.listdir(folder)) == 2


def test_a_gated_file_comes_with_a_key_that_may_read_it(standin, cas, folder):
    line = Line(standin, cas, folder, gate="gated")
    assert line.run() == SUM and line.ran.xet.used


def test_a_key_that_runs_out_amid_the_file_is_asked_for_again(long_line):
    long_line.cas.lifetime_s, long_line.cas.plans_a_key = 50, 8  # under a minute is as good as over
    long_line.run()
    assert long_line.is_whole() and len(long_line.cas.issued) > 1 and len(long_line.hubs.cdn.asked("*")) == 1


def test_a_key_refused_before_its_time_is_not_asked_for_again(long_line):
    long_line.cas.plans_a_key = 8
    long_line.run()
    assert long_line.is_whole() and long_line.ran.xet.used
    assert len(long_line.cas.issued) == 1 and len(long_line.hubs.cdn.asked("*")) == 2


def test_two_at_once_do_not_meet(standin, cas, folder):
    lines = [Line(standin, cas, folder, content=model(20_000_000, seed), repo=f"inker/{seed}") for seed in (2, 3)]
    threads = [threading.Thread(target=each.run) for each in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(each.target.read_bytes() == each.content and each.ran.xet.used for each in lines)


def test_nothing_of_it_stays_behind(line, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    modules, environ = set(sys.modules), dict(os.environ)
    line.run()
    assert line.ran.xet.used and dict(os.environ) == environ
    assert "hf_xet" not in set(sys.modules) - modules
    assert not (tmp_path / "hf").exists() and not list((tmp_path / "scratch").iterdir())
    assert not [each for each in threading.enumerate() if each.name == "iig-xet"]
