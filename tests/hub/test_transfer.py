"""One file over a hostile line: whole and proven under its name, or not there at all."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest
from pack.errors import UserError
from pack.hub import part_file
from pack.hub.refusals import NotFound, Refused
from pack.hub.transfer import Job, Patience, Stopped, Transfer
from standin import Fault, login_page, toy

SIZE = 3_000_000
FILE = toy("ink", SIZE)
SUM = hashlib.sha256(FILE).hexdigest()


class Line:
    """A transfer of FILE from the stand-in CDN, with what it remembered and reported."""

    def __init__(self, standin, folder, content=FILE, name="ink.safetensors", **web):
        self.standin, self.target = standin, folder / name
        self.address = standin.cdn.put(f"/files/{name}", content)
        self.web = standin.web(**web)
        self.validator = None
        self.seen = []
        self.stop_at = None

    def remember(self, validator):
        self.validator = validator

    def run(self, sha256=SUM, size=SIZE, addresses=None, **options):
        known = {"patience": Patience(tries=4, window_s=0.6, least_bytes=1024), "sleep": lambda seconds: None, **options}
        size = len(FILE) if size == SIZE else size
        job = Job("civitai", addresses or (self.address,), self.target, size, sha256, 1 << 40)
        stop = lambda: self.stop_at is not None and bool(self.seen) and self.seen[-1] >= self.stop_at  # noqa: E731
        return Transfer(
            self.web, job, self.validator, self.remember, stop, lambda done, total: self.seen.append(done), **known
        ).run()

    @property
    def part(self):
        return part_file.part_of(self.target)

    @property
    def asked(self):
        return self.standin.cdn.asked("/files/*")

    def interrupt(self, at=1_500_000, **options):
        self.stop_at = at
        with pytest.raises(Stopped):
            self.run(**options)
        self.stop_at = None
        assert self.part.stat().st_size >= at and not self.target.exists()


@pytest.fixture
def line(standin, tmp_path):
    folder = tmp_path / "loras"
    folder.mkdir()
    return Line(standin, folder)


def test_a_file_arrives_whole_and_proven(line):
    assert line.run() == SUM
    assert line.target.read_bytes() == FILE
    assert os.listdir(line.target.parent) == ["ink.safetensors"]
    assert line.seen[-1] == len(FILE)


def test_the_bytes_are_asked_for_as_they_are(line):
    line.run()
    assert line.asked[0].headers["accept-encoding"] == "identity"


def test_without_a_hash_of_the_hub_the_header_and_the_size_speak(line):
    assert line.run(sha256=None) == SUM
    line.target.unlink()
    line.standin.cdn.put("/files/ink.safetensors", FILE[:-500_000])
    with pytest.raises(UserError) as fault:
        line.run(sha256=None, size=len(FILE) - 500_000)
    assert fault.value.code == "file_truncated"
    assert os.listdir(line.target.parent) == []


def test_an_interrupted_transfer_goes_on_where_it_stopped(line):
    line.interrupt()
    have = line.part.stat().st_size
    assert line.run() == SUM
    assert line.target.read_bytes() == FILE
    assert line.asked[-1].headers["range"] == f"bytes={have}-"
    assert line.asked[-1].headers["if-range"] == line.validator


def test_a_file_that_changed_meanwhile_is_fetched_anew(line):
    line.interrupt()
    changed = toy("other ink", SIZE)
    line.standin.cdn.put("/files/ink.safetensors", changed)
    assert line.run(sha256=hashlib.sha256(changed).hexdigest()) == hashlib.sha256(changed).hexdigest()
    assert line.target.read_bytes() == changed


def test_a_weak_etag_is_no_condition(line):
    line.standin.cdn.fault("/files/*", Fault(headers={"ETag": 'W/"abc"'}))
    line.interrupt()
    assert line.validator.endswith("GMT")
    assert line.run() == SUM


def test_without_validator_only_a_known_sum_allows_to_go_on(line):
    line.standin.cdn.fault("/files/*", Fault(unmarked=True))
    line.interrupt()
    line.run()
    assert "range" in line.asked[-1].headers and "if-range" not in line.asked[-1].headers
    line.target.unlink()
    line.interrupt(sha256=None)
    line.run(sha256=None)
    assert "range" not in line.asked[-1].headers
    assert line.target.read_bytes() == FILE


def test_a_splice_is_found_out_and_fetched_once_more(line):
    line.standin.cdn.fault("/files/*", Fault(unmarked=True))
    line.interrupt()
    with line.part.open("r+b") as part:
        part.write(b"other bytes of an older version")
    assert line.run() == SUM
    assert line.target.read_bytes() == FILE


def test_a_200_to_a_range_starts_over(line):
    line.interrupt()
    line.standin.cdn.fault("/files/*", Fault(ignore_range=True))
    assert line.run() == SUM
    assert line.target.read_bytes() == FILE


def test_a_part_that_is_complete_needs_no_bytes(line):
    line.interrupt()
    line.part.write_bytes(FILE)
    asked = len(line.asked)
    assert line.run() == SUM
    assert len(line.asked) == asked + 1, "one 416 says that nothing is missing"


def test_a_part_longer_than_the_file_starts_over(line):
    line.interrupt()
    line.part.write_bytes(FILE + b"more")
    assert line.run() == SUM
    assert line.target.read_bytes() == FILE


def test_another_place_in_a_partial_answer_is_not_believed(line):
    line.interrupt()
    line.standin.cdn.fault("/files/*", Fault(headers={"Content-Range": f"bytes 5-{len(FILE) - 1}/{len(FILE)}"}), times=1)
    assert line.run() == SUM
    assert line.target.read_bytes() == FILE


def test_cut_connections_are_taken_up_again(line):
    line.standin.cdn.fault("/files/*", Fault(cut_at=1_000_000), times=2)
    assert line.run() == SUM
    assert [asked.headers.get("range") for asked in line.asked] == [None, "bytes=1000000-", "bytes=2000000-"]


def test_patience_ends_where_nothing_is_gained(line):
    line.standin.cdn.fault("/files/*", Fault(cut_at=0))
    with pytest.raises(UserError) as fault:
        line.run()
    assert fault.value.code == "hub_unreachable"
    assert len(line.asked) == 4


def test_a_line_that_only_drips_is_a_stall(line):
    line.standin.cdn.fault("/files/*", Fault(drip=(10, 0.05)), times=1)
    assert line.run() == SUM
    assert len(line.asked) == 2


def test_a_hub_under_load_is_given_time(line):
    waited = []
    line.standin.cdn.fault("/files/*", Fault.busy("0"), times=2)
    line.standin.cdn.fault("/files/*", Fault(status=503), times=1)
    assert line.run(sleep=waited.append) == SUM
    assert len(line.asked) == 4 and waited


def test_a_wrong_sum_is_an_error_and_nothing_is_kept(line):
    line.standin.cdn.fault("/files/*", Fault(content=toy("forged", SIZE)))
    with pytest.raises(UserError) as fault:
        line.run()
    assert fault.value.code == "download_mismatch"
    assert os.listdir(line.target.parent) == []
    assert len(line.asked) == 1, "bytes that were read in one go are not read again"


@pytest.mark.parametrize(
    "fault, code",
    [
        (Fault.login(), "download_is_page"),
        (Fault(content=login_page()), "download_is_page"),
        (Fault(status=200, body=b"{}" * 5000, headers={"Content-Type": "application/json"}), "download_not_safetensors"),
        (Fault(packed=True), "download_encoded"),
        (Fault(content=b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"), "download_not_safetensors"),
        (Fault(status=200, body=b""), "file_empty"),
    ],
)
def test_what_is_no_model_is_named_and_not_kept(line, fault, code):
    line.standin.cdn.fault("/files/*", fault)
    with pytest.raises(UserError) as raised:
        line.run(sha256=None, size=None)
    assert raised.value.code == code
    assert not line.target.exists()
    assert not line.part.exists() or line.part.stat().st_size == 0


def test_a_page_is_told_apart_before_anything_is_overwritten(line):
    """A login that ran out in the middle of a download must not cost what was fetched."""
    line.interrupt()
    line.standin.cdn.fault("/files/*", Fault.login())
    with pytest.raises(UserError, match="web page"):
        line.run()
    line.standin.cdn.heal()
    asked = len(line.asked)
    assert line.run() == SUM
    assert "range" in line.asked[asked].headers


def test_the_next_address_is_tried_where_one_is_gone(line):
    gone = f"{line.standin.cdn.url}/gone.safetensors"
    assert line.run(addresses=(gone, line.address)) == SUM
    with pytest.raises(NotFound):
        line.run(addresses=(gone,))


def test_a_refusal_is_said_at_once(line):
    line.standin.cdn.fault("/files/*", Fault(status=403, body=b'{"message": "not in your country"}'))
    with pytest.raises(Refused) as fault:
        line.run()
    assert fault.value.code == "hub_region"
    assert len(line.asked) == 1


def test_too_large_files_are_refused_before_and_while_they_come(line):
    job = Job("civitai", (line.address,), line.target, None, None, 1_000_000)
    with pytest.raises(UserError) as fault:
        Transfer(line.web, job, None, line.remember, lambda: False, lambda done, total: None).run()
    assert fault.value.code == "download_too_large"
    line.standin.cdn.fault("/files/*", Fault(unsized=True))
    with pytest.raises(UserError) as fault:
        Transfer(line.web, job, None, line.remember, lambda: False, lambda done, total: None).run()
    assert fault.value.code == "download_longer_than_said"
    assert not line.target.exists()


def test_the_disk_is_looked_at_first(line, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10**12, 10**12, 1_000))
    with pytest.raises(UserError) as fault:
        line.run()
    assert fault.value.code == "download_no_room"
    assert not line.asked


def test_a_full_disk_keeps_what_was_fetched(line, monkeypatch):
    real = part_file.write_all

    def full(file, block):
        if file.tell() > 1_000_000:
            raise OSError(28, "No space left on device")
        real(file, block)

    monkeypatch.setattr(part_file, "write_all", full)
    with pytest.raises(UserError) as fault:
        line.run()
    assert fault.value.code == "download_no_room"
    monkeypatch.setattr(part_file, "write_all", real)
    assert line.part.stat().st_size > 1_000_000
    assert line.run() == SUM
    assert "range" in line.asked[-1].headers


@pytest.mark.parametrize("links", [True, False])
def test_an_existing_file_is_never_overwritten(line, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *paths: (_ for _ in ()).throw(OSError(95, "no hard links here")))
    line.target.write_bytes(b"someone else's")
    with pytest.raises(UserError) as fault:
        line.run()
    assert fault.value.code == "file_exists"
    assert line.target.read_bytes() == b"someone else's"
    line.target.unlink()
    assert line.run() == SUM
    assert os.listdir(line.target.parent) == ["ink.safetensors"]


def test_a_name_given_just_before_the_end_came_is_finished(line):
    line.run()
    os.link(line.target, line.part)  # the process died between link and unlink
    line.validator = None
    assert line.run() == SUM
    assert os.listdir(line.target.parent) == ["ink.safetensors"]


def test_nothing_is_listed_before_it_is_proven(line):
    listed = []
    progress = lambda done, total: listed.append(os.listdir(line.target.parent))  # noqa: E731
    job = Job("civitai", (line.address,), line.target, len(FILE), SUM, 1 << 40)
    Transfer(line.web, job, None, line.remember, lambda: False, progress).run()
    assert {name for names in listed for name in names} == {"ink.safetensors.part"}
