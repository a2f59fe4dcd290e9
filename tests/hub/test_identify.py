import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from pack.errors import Unreachable
from pack.hub.answers import Answers
from pack.hub.identify import identify
from pack.hub.newer import find_newer, newer_than
from pack.hub.refusals import Refused
from pack.hub.registry import Registry
from pack.hub.remembering import Remembering
from pack.offers import Offer, Ref, RemoteFile, Version
from pack.plan import Kind, Verification

ROOT = Path(__file__).parent.parent.parent


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def autov3(path):
    raw = path.read_bytes()
    return hashlib.sha256(raw[8 + struct.unpack("<Q", raw[:8])[0] :]).hexdigest()[:12]


class Shop:
    """A hub in memory that knows versions by SHA-256 and AutoV3."""

    knows_hashes = True

    def __init__(self, name="civitai"):
        self.name, self.by, self.refs, self.questions, self.trouble = name, {}, {}, [], []

    def sell(self, *paths, model="7", version="70", with_hash=True, known_by=(sha256, autov3), **told):
        files = tuple(
            RemoteFile(f"{version}{n}", path.name, "u", sha256=sha256(path) if with_hash else None)
            for n, path in enumerate(paths)
        )
        values = {"base_model": "Illustrious", "trigger_groups": (("ink",),), "licence": {"no_credit": True}, **told}
        offer = Offer(Ref(self.name, model, version), "Ink style", "v2", Kind.LORA, files=files, **values)
        self.by |= {digest(path): offer for path in paths for digest in known_by}
        self.refs[str(offer.ref)] = self.refs[str(offer.ref.of_model)] = offer
        return offer

    def by_hash(self, digest):
        return self._answer(digest, self.by.get(digest))

    def describe(self, ref):
        return self._answer(str(ref), self.refs[str(ref.of_version)])

    def _answer(self, question, answer):
        self.questions.append(question)
        if self.trouble and (fault := self.trouble.pop(0)):
            raise fault
        return answer


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def sources(shop, tmp_path):
    return {"civitai": Remembering(shop, Answers(tmp_path / "answers.sqlite", 10_000_000, 90))}


@pytest.fixture
def lora(tree, write_model, sd15_lora):
    def write(name, metadata=None, fill=b"w", kind="loras"):
        path = write_model(tree / kind / name, sd15_lora, metadata)
        with path.open("r+b") as file:
            file.seek(-len(fill), os.SEEK_END)
            file.write(fill)
        return path

    return write


def only(registry):
    (file,) = registry.library().files
    return file


def test_a_file_the_hub_knows_gets_its_words_and_is_verified(registry, lora, shop, sources):
    shop.sell(lora("a.safetensors"), strength=(0.5, 0.7, 1.0), page_url="https://hub/7", creator="Ana", nsfw=True, downloads=12)
    registry.scan()
    before = registry.library()
    report = identify(registry, sources)
    assert (report.hashed, report.asked, report.identified, report.complete) == (1, 1, 1, True)
    file = only(registry)
    assert registry.library().version != before.version
    assert (file.hub_id, file.version, file.base_model, file.title) == ("civitai:7@70", "v2", "Illustrious", "Ink style")
    assert (file.trigger_groups, file.strength, file.licence) == ((("ink",),), (0.5, 0.7, 1.0), {"no_credit": True})
    assert (file.page_url, file.creator, file.nsfw, file.downloads) == ("https://hub/7", "Ana", True, 12)
    assert file.verification is Verification.VERIFIED
    report = identify(registry, sources)
    assert (report.hashed, report.asked, report.identified) == (0, 0, 0) and len(shop.questions) == 1


def test_the_hubs_base_model_decides_the_family(registry, tree, write_model, shop, sources):
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight"
    path = write_model(tree / "loras" / "x.safetensors", {name: (4, 2048), name.replace("down", "up"): (640, 4)})
    registry.scan()
    assert only(registry).family != "illustrious"
    shop.sell(path)
    identify(registry, sources)
    assert (only(registry).family, only(registry).confidence) == ("illustrious", 0.95)


def test_a_file_no_hub_knows_is_not_asked_for_again(registry, lora, shop, sources):
    lora("a.safetensors")
    registry.scan()
    report = identify(registry, sources)
    assert (report.hashed, report.asked, report.identified, report.complete) == (1, 2, 0, True)  # SHA-256, then AutoV3
    assert only(registry).verification is Verification.LOCAL
    assert identify(registry, sources).asked == 0


def test_a_copy_whose_metadata_was_edited_is_found_by_its_weights(registry, lora, shop, sources):
    original = lora("a.safetensors")
    shop.sell(original)
    original.unlink()
    lora("a.safetensors", {"ss_note": "mine"})
    registry.scan()
    assert identify(registry, sources).identified == 1
    file = only(registry)
    assert (file.hub_id, file.trigger_groups) == ("civitai:7@70", (("ink",),))
    assert file.verification is Verification.LOCAL


def test_a_header_names_the_file_before_anything_is_read_and_reading_proves_it(registry, lora, shop, sources):
    weights = autov3(lora("b.safetensors"))
    path = lora("a.safetensors", {"sshs_model_hash": weights + "0" * 52})
    (path.parent / "b.safetensors").unlink()
    shop.sell(path)
    registry.scan()
    assert identify(registry, sources, stop=lambda: len(shop.questions) > 0).hashed == 0
    assert only(registry).hub_id == "civitai:7@70" and only(registry).verification is Verification.LOCAL
    assert identify(registry, sources).hashed == 1
    assert only(registry).verification is Verification.VERIFIED and shop.questions == [weights]


def test_a_header_that_lies_is_found_out(registry, lora, shop, sources):
    other = lora("other.safetensors", fill=b"other")
    shop.sell(other)
    lora("a.safetensors", {"sshs_model_hash": autov3(other) + "0" * 52})
    other.unlink()
    registry.scan()
    identify(registry, sources, stop=lambda: len(shop.questions) > 0)
    assert only(registry).hub_id == "civitai:7@70"
    identify(registry, sources)
    assert only(registry).hub_id is None and only(registry).verification is Verification.LOCAL


def test_a_sidecar_claims_and_the_sum_decides(registry, lora, shop, sources):
    true, false = lora("true.safetensors"), lora("false.safetensors", fill=b"damaged")
    shop.sell(true, known_by=(sha256,))
    for path in (true, false):
        path.with_suffix(".metadata.json").write_text(json.dumps({"sha256": sha256(true), "model_name": "Mine"}))
    registry.scan()
    assert len(registry.by_sha256(sha256(true))) == 2  # what is claimed is enough to look closer
    identify(registry, sources)
    library = registry.library()
    good, bad = (library.find(Kind.LORA, f"{name}.safetensors") for name in ("true", "false"))
    assert (good.verification, good.title, good.base_model) == (Verification.VERIFIED, "Mine", "Illustrious")
    assert bad.verification is Verification.MISMATCH and bad.sha256 == sha256(false)
    assert [file.name for file in registry.by_sha256(sha256(true))] == ["true.safetensors"]
    assert Counter(shop.questions)[sha256(true)] == 1


def test_a_hub_that_gives_no_hash_identifies_without_proof(registry, lora, shop, sources):
    shop.sell(lora("a.safetensors"), with_hash=False)
    registry.scan()
    identify(registry, sources)
    assert only(registry).verification is Verification.NO_HASH and only(registry).hub_id == "civitai:7@70"


def test_the_other_files_of_a_version_need_no_question(registry, lora, shop, sources):
    shop.sell(lora("full.safetensors", fill=b"full"), lora("pruned.safetensors", fill=b"pruned"))
    registry.scan()
    assert identify(registry, sources).asked == 1
    assert {file.verification for file in registry.library().files} == {Verification.VERIFIED}


def test_a_replaced_file_is_hashed_and_asked_for_anew(registry, lora, shop, sources):
    path = lora("a.safetensors")
    shop.sell(path)
    registry.scan()
    identify(registry, sources)
    time.sleep(0.01)
    lora("a.safetensors", fill=b"something else")
    registry.scan()
    assert only(registry).hub_id is None and only(registry).sha256 is None and not only(registry).trigger_groups
    assert identify(registry, sources).hashed == 1
    assert only(registry).sha256 == sha256(path) and only(registry).verification is Verification.LOCAL


class Listed:
    def __init__(self, name, ref):
        self.name, self.kind, self.ref = name, Kind.VAE, ref


def test_official_files_are_known_by_name_and_proven_by_sum(registry, lora, shop, tmp_path):
    path, fake = lora("ae.safetensors", kind="vae"), lora("sub/ae.safetensors", fill=b"fake", kind="vae")
    hub = Shop("huggingface")
    offer = hub.sell(path, model="Comfy-Org/z", version="abc", known_by=())
    answers = Answers(tmp_path / "answers.sqlite", 10_000_000, 90)
    sources = {each.name: Remembering(each, answers) for each in (hub, shop)}
    registry.scan()
    identify(registry, sources, hubs=["civitai"], catalogue=[Listed("AE.safetensors", offer.ref.of_file("abc0"))])
    found = {file.name: file for file in registry.library().files}
    assert (found["ae.safetensors"].hub_id, found["ae.safetensors"].verification.value) == (
        "huggingface:Comfy-Org/z@abc",
        "verified",
    )
    assert found[os.path.join("sub", "ae.safetensors")].hub_id is None
    assert sha256(path) not in shop.questions and sha256(fake) in shop.questions
    assert hub.questions == [str(offer.ref.of_file("abc0"))]


# ------------------------------------------------------------------------- trouble, pace, stopping


def test_offline_the_hashing_goes_on_and_what_is_stored_is_used(registry, lora, shop, sources):
    known, other = lora("a.safetensors"), lora("b.safetensors", fill=b"b")
    shop.sell(known)
    sources["civitai"].by_hash(sha256(known))
    shop.trouble = [Unreachable("hub_offline", hub="civitai")] * 9
    registry.scan()
    report = identify(registry, sources)
    assert (report.hashed, report.identified, report.complete) == (2, 1, False)
    assert [fault.code for fault in report.trouble] == ["hub_offline"]
    assert len(shop.questions) == 2  # once before, and once to find that there is no network
    shop.trouble = []
    report = identify(registry, sources)
    assert (report.hashed, report.complete) == (0, True) and sha256(other) in shop.questions


def test_without_a_hub_files_are_only_hashed(registry, lora):
    lora("a.safetensors")
    registry.scan()
    report = identify(registry, {})
    assert (report.hashed, report.asked, report.complete) == (1, 0, True)


def test_a_busy_hub_is_waited_for_and_asked_more_slowly(registry, lora, shop, sources):
    for number in range(3):
        lora(f"{number}.safetensors", fill=b"%d" % number)
    registry.scan()
    shop.trouble = [Refused("hub_busy", hub="civitai", seconds=7).after(7)]
    slept = []
    report = identify(registry, sources, sleep=slept.append)
    assert report.complete and report.trouble == () and len(set(shop.questions)) == 6
    assert 7 + 0.5 * 6 - 0.6 < sum(slept) < 7 + 0.5 * 6 + 0.6


@pytest.mark.parametrize(
    "fault", [Refused("hub_busy", hub="civitai", seconds=999).after(999), Refused("hub_region", hub="civitai")]
)
def test_a_hub_that_wants_to_be_left_alone_is(registry, lora, shop, sources, fault):
    for number in range(3):
        lora(f"{number}.safetensors", fill=b"%d" % number)
    registry.scan()
    shop.trouble = [fault]
    report = identify(registry, sources, sleep=lambda seconds: pytest.fail("waited"))
    assert (report.hashed, len(shop.questions), report.complete, report.trouble) == (3, 1, False, (fault,))


def test_it_stops_when_told_and_reads_slowly_while_busy(registry, lora, sources):
    lora("a.safetensors")
    registry.scan()
    slept = []
    assert identify(registry, sources, stop=lambda: True).hashed == 0
    assert identify(registry, sources, busy=lambda: True, sleep=slept.append).hashed == 1 and slept


def test_progress_small_files_first_and_files_with_claims_last(registry, tree, lora, write_model, sources, monkeypatch):
    monkeypatch.setattr("pack.hub.identify.HASHERS", 1)  # two end in any order
    write_model(tree / "loras" / "large.safetensors", {"x.lora_up.weight": (4000, 100), "x.lora_down.weight": (100, 40)})
    claimed = lora("claimed.safetensors")
    claimed.with_suffix(".metadata.json").write_text(json.dumps({"sha256": "ab" * 32}))
    lora("vae.safetensors", kind="vae")
    lora("small.safetensors")
    registry.scan()
    told = []
    identify(registry, sources, on_progress=lambda *each: told.append(each))
    assert [each[:2] for each in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    names = [each[2] for each in told]
    assert set(names[:2]) == {"small.safetensors", "large.safetensors"} and len(set(names)) == 4


def test_a_refresh_asks_for_everything_again(registry, lora, shop, sources):
    path = lora("a.safetensors")
    shop.sell(path)
    registry.scan()
    identify(registry, sources)
    shop.sell(path, downloads=99)
    assert identify(registry, sources).asked == 0
    report = identify(registry, sources, refresh=True)
    assert (report.hashed, report.asked, only(registry).downloads) == (0, 1, 99)


# ------------------------------------------------------------------------- newer versions


def test_newer_versions_are_asked_for_by_model(registry, lora, shop, sources):
    shop.sell(lora("a.safetensors", fill=b"a"), version="70")
    shop.sell(lora("b.safetensors", fill=b"b"), version="71", versions=(Version("70", base_model="Illustrious"),))
    registry.scan()
    identify(registry, sources)
    shop.questions.clear()
    before = registry.library().version
    updates = find_newer(registry, sources)
    assert updates.newer == {"civitai:7@70": "71"} and shop.questions == ["civitai:7"]
    newer = {file.name: file.newer for file in registry.library().files}
    assert newer == {"a.safetensors": "71", "b.safetensors": ""} and registry.library().version != before
    registry.scan()
    assert registry.library().find(Kind.LORA, "a.safetensors").newer == "71"


def test_only_versions_for_the_same_base_model_count():
    versions = (Version("3", base_model="Flux.1 D"), Version("2", base_model="SDXL 1.0"), Version("1", base_model="SDXL 1.0"))
    newest = Offer(Ref("civitai", "7", "4"), "x", base_model="Flux.1 D", versions=versions)
    assert [newer_than(each, newest) for each in ("1", "2", "3", "4", "gone")] == ["2", "", "4", "", ""]


# ------------------------------------------------------------------------- kills and processes

WORKER = """
import importlib.util, sys
from pathlib import Path
root, work = Path(sys.argv[1]), Path(sys.argv[2])
spec = importlib.util.spec_from_file_location("pack", root / "__init__.py", submodule_search_locations=[str(root)])
module = importlib.util.module_from_spec(spec); sys.modules["pack"] = module; spec.loader.exec_module(module)
import pack.hub.identify as identification
from pack.hub.answers import Answers
from pack.hub.registry import Registry
from pack.hub.remembering import Remembering
from pack.offers import Offer, Ref
from pack.plan import Kind

log = open(work / "log", "ab", buffering=0)
file_sha256 = identification.file_sha256

def logged(path, *rest):
    log.write(f"hash {path}\\n".encode())
    return file_sha256(path, *rest)

class Hub:
    name, knows_hashes = "civitai", True
    def by_hash(self, digest):
        log.write(f"ask {digest}\\n".encode())
        return Offer(Ref("civitai", digest[:6], "1"), "known") if digest[0] in "01234567" else None

class Kept(Answers):
    def put(self, source, kind, key, *rest):
        super().put(source, kind, key, *rest)
        log.write(f"answered {key}\\n".encode())

identification.file_sha256 = logged
registry = Registry(work / "r.sqlite", {Kind.LORA: [work / "loras"]})
keep = registry.proofs.keep_sum
def kept(path, stamp, sha256):
    keep(path, stamp, sha256)
    log.write(f"hashed {path}\\n".encode())
registry.proofs.keep_sum = kept
registry.scan()
report = identification.identify(registry, {"civitai": Remembering(Hub(), Kept(work / "answers.sqlite", 10**7, 90))})
assert report.complete, report
"""


def start(work):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(ROOT), str(work)], stderr=subprocess.PIPE)


def repeated(lines, begun, finished):
    """What was begun again although it had been finished."""
    done, again = set(), []
    for line in lines:
        act, _, what = line.partition(" ")
        if act == begun and what in done:
            again.append(what)
        elif act == finished:
            done.add(what)
    return again


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 on Windows")
def test_a_recognition_that_is_killed_repeats_nothing(tmp_path, write_model, sd15_lora):
    count = 300
    for number in range(count):
        path = write_model(tmp_path / "loras" / f"{number}.safetensors", sd15_lora)
        with path.open("r+b") as file:
            file.seek(-8, os.SEEK_END)
            file.write(struct.pack("<Q", number))
    chance, log, kills = random.Random(7), tmp_path / "log", 0
    log.touch()
    for _ in range(12):
        target = log.stat().st_size + chance.randrange(1, 9000)
        process = start(tmp_path)
        while process.poll() is None and log.stat().st_size < target:
            time.sleep(0.001)
        if process.poll() is None:
            kills += 1
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = start(tmp_path)
    assert last.communicate()[1].decode() == "" and last.returncode == 0
    lines = log.read_text().splitlines()
    acts = Counter(line.partition(" ")[0] for line in lines)
    assert kills >= 5
    assert repeated(lines, "hash", "hashed") == [] and repeated(lines, "ask", "answered") == []
    assert count <= acts["hash"] <= count + 2 * kills  # at most what the two readers had in hand
    files = Registry(tmp_path / "r.sqlite", {Kind.LORA: [tmp_path / "loras"]}).library().files
    assert len(files) == count and all(file.sha256 for file in files)
    assert {file.hub_id is not None for file in files if file.sha256[0] in "01234567"} == {True}
    questions = {file.sha256 for file in files} | {line[4:] for line in lines if line.startswith("ask ")}
    assert acts["ask"] <= len(questions) + kills


def test_two_processes_may_recognise_at_once(tmp_path, write_model, sd15_lora):
    for number in range(60):
        path = write_model(tmp_path / "loras" / f"{number}.safetensors", sd15_lora)
        with path.open("r+b") as file:
            file.seek(-8, os.SEEK_END)
            file.write(struct.pack("<Q", number))
    running = [start(tmp_path) for _ in range(2)]
    assert [process.communicate()[1].decode() for process in running] == ["", ""]
    files = Registry(tmp_path / "r.sqlite", {Kind.LORA: [tmp_path / "loras"]}).library().files
    assert len(files) == 60 and all(file.sha256 for file in files)
    assert {file.hub_id is not None for file in files if file.sha256[0] in "01234567"} == {True}
