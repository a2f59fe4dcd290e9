import hashlib
import os
import sqlite3
import time
from pathlib import Path

import pytest
from pack.hub.database import KeptDatabase
from pack.hub.registry import Registry
from pack.offers import Offer, Ref, RemoteFile
from pack.plan import Kind, Verification

REF = Ref("civitai", "7", "70", "700")
CARD = Offer(
    REF.of_version,
    "Ink style",
    "v2",
    Kind.LORA,
    base_model="SD 1.5",
    creator="Ana",
    description="Ink on paper",
    tags=("ink", "style"),
    trigger_groups=(("ink style",), ("ink wash", "paper")),
    strength=(0.5, 0.7, 0.9),
    licence={"commercial_use": ["Image"]},
    page_url="https://civitai.com/models/7?modelVersionId=70",
)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def downloaded(registry, tree, write_model, sd15_lora):
    """A file put in place, with what its download proved."""

    def put(name="a.safetensors", ref=REF, gives_hash=True, card=CARD, shapes=sd15_lora):
        path = write_model(tree / "loras" / name, shapes)
        registry.proved(Kind.LORA, path, sha256(path).upper(), ref, sha256(path) if gives_hash else None, card)
        return path

    return put


def only(registry):
    (file,) = registry.library().files
    return file


def test_a_download_is_known_with_everything_at_the_next_scan(registry, downloaded):
    path = downloaded()
    assert registry.library().files == ()
    registry.scan()
    file = only(registry)
    assert (file.sha256, file.verification, file.hub_id) == (sha256(path), Verification.VERIFIED, "civitai:7@70")
    assert (file.title, file.version, file.base_model, file.creator) == ("Ink style", "v2", "SD 1.5", "Ana")
    assert (file.description, file.tags, file.trigger_groups) == ("Ink on paper", CARD.tags, CARD.trigger_groups)
    assert (file.strength, file.licence, file.page_url) == (CARD.strength, CARD.licence, CARD.page_url)
    assert (file.family, file.confidence) == ("sd15", 0.95)
    assert registry.hash_pending() == 0


def test_a_download_that_a_scan_saw_first_is_known_at_once(registry, tree, write_model, sd15_lora):
    path = write_model(tree / "loras" / "a.safetensors", sd15_lora)
    registry.scan()
    before = registry.library()
    registry.proved(Kind.LORA, path, sha256(path), REF, sha256(path), CARD)
    assert registry.library().version != before.version and only(registry).trigger_groups == CARD.trigger_groups
    assert registry.scan().read == 0


def test_where_the_hub_gave_no_hash_the_file_says_so(registry, downloaded):
    downloaded(gives_hash=False)
    registry.scan()
    assert only(registry).verification is Verification.NO_HASH and only(registry).title == "Ink style"


def test_where_it_came_from_is_known_without_a_card(registry, downloaded):
    downloaded(card=None)
    registry.scan()
    assert (only(registry).hub_id, only(registry).verification) == ("civitai:7@70", Verification.VERIFIED)


def test_the_persons_own_words_come_first_and_the_hub_fills_the_rest(registry, downloaded):
    path = downloaded()
    path.with_suffix(".json").write_text('{"activation text": "my words", "preferred weight": 1.2}')
    registry.scan()
    file = only(registry)
    assert (file.trigger_groups, file.strength) == ((("my words",),), (None, 1.2, None))
    assert (file.description, file.title, file.hub_id) == ("Ink on paper", "Ink style", "civitai:7@70")


def test_a_download_that_changed_afterwards_is_no_longer_what_it_was(registry, downloaded, write_model, sd15_lora):
    path = downloaded()
    registry.scan()
    time.sleep(0.01)
    write_model(path, {**sd15_lora, "more.lora_up.weight": (1, 1)})
    registry.scan()
    assert (only(registry).sha256, only(registry).hub_id) == (None, None)
    registry.hash_pending()
    assert only(registry).sha256 == sha256(path) and only(registry).verification is Verification.MISMATCH


def test_a_swap_of_equal_size_and_time_drops_the_sum(registry, tree, downloaded, write_model, sd15_lora):
    path = downloaded()
    registry.scan()
    status = path.stat()
    twin = write_model(tree / "twin", {name.replace("768", "1024"): shape for name, shape in sd15_lora.items()})
    os.utime(twin, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(twin, path)
    registry.scan()
    assert only(registry).sha256 is None


def test_files_are_found_by_sum_only_while_they_are_there(registry, downloaded):
    path = downloaded()
    downloaded("copy/of a.safetensors")
    registry.scan()
    wanted = sha256(path)
    assert len(registry.by_sha256(wanted.upper())) == 2 and registry.by_sha256("00" * 32) == ()
    path.write_bytes(b"changed")
    assert [file.name for file in registry.by_sha256(wanted)] == [os.path.join("copy", "of a.safetensors")]
    (path.parent / "copy" / "of a.safetensors").unlink()
    assert registry.by_sha256(wanted) == ()


def test_a_reference_finds_its_file(registry, downloaded, sd15_lora):
    downloaded("full.safetensors")
    other = Ref("civitai", "7", "70", "701")
    downloaded("pruned.safetensors", other, shapes={**sd15_lora, "more.lora_up.weight": (1, 1)})
    downloaded(
        "next.safetensors", Ref("civitai", "7", "71", "711"), card=None, shapes={**sd15_lora, "x.lora_up.weight": (2, 2)}
    )
    downloaded(
        "unlike.safetensors", Ref("civitai", "70", "7", "1"), card=None, shapes={**sd15_lora, "x.lora_up.weight": (3, 2)}
    )
    registry.scan()
    name_of = {str(ref): (found := registry.find_ref(ref)) and found.name for ref in (REF, other, Ref("civitai", "7", "71"))}
    assert name_of == {
        "civitai:7@70#700": "full.safetensors",
        "civitai:7@70#701": "pruned.safetensors",
        "civitai:7@71": "next.safetensors",
    }
    assert registry.find_ref(Ref("civitai", "7", "70", "702")) is None  # another file of a version that is here
    assert registry.find_ref(REF.of_version).name in ("full.safetensors", "pruned.safetensors")
    assert registry.find_ref(Ref("civitai", "7")).name in ("full.safetensors", "pruned.safetensors", "next.safetensors")
    assert registry.find_ref(Ref("civitai", "7", "72")) is None and registry.find_ref(Ref("huggingface", "7")) is None


def test_a_version_known_from_a_sidecar_stands_for_any_file_of_it(registry, tree, write_model, sd15_lora):
    path = write_model(tree / "loras" / "a.safetensors", sd15_lora)
    path.with_suffix(".civitai.info").write_text('{"id": 70, "modelId": 7, "name": "v2", "baseModel": "SD 1.5"}')
    registry.scan()
    assert registry.find_ref(REF).name == "a.safetensors" and registry.find_ref(REF.of_version).version == "v2"


def test_everything_survives_a_rebuilt_cache(registry, downloaded, tmp_path):
    path = downloaded()
    registry.scan()
    registry.close()
    with sqlite3.connect(tmp_path / "user" / "registry.sqlite3") as connection:
        connection.execute("UPDATE meta SET value = 'older' WHERE key = 'schema'")
    connection.close()
    again = Registry(tmp_path / "user" / "registry.sqlite3", registry.folders)
    assert again.scan().read == 1
    assert (only(again).sha256, only(again).trigger_groups) == (sha256(path), CARD.trigger_groups)
    assert only(again).verification is Verification.VERIFIED


def test_a_damaged_record_is_set_aside_with_a_note(registry, downloaded, tmp_path):
    downloaded()
    registry.scan()
    registry.close()
    record = tmp_path / "user" / "registry-hub.sqlite3"
    record.write_bytes(b"this is no database" * 500)
    for suffix in ("-wal", "-shm"):
        Path(f"{record}{suffix}").unlink(missing_ok=True)
    again = Registry(tmp_path / "user" / "registry.sqlite3", registry.folders)
    again.scan()
    assert again.hash_pending() == 1
    assert [note.code for note in again.notes] == ["proofs_damaged"] and "damaged-1" in str(again.notes[0])
    assert record.with_name("registry-hub.sqlite3.damaged-1").read_bytes().startswith(b"this is no database")


def test_damage_in_use_is_mended(registry, downloaded, tmp_path, tree, write_model, sd15_lora):
    for number in range(60):
        downloaded(f"{number}.safetensors")
    registry.close()
    record = tmp_path / "user" / "registry-hub.sqlite3"
    with record.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (record.stat().st_size - 4096))
    write_model(tree / "loras" / "new.safetensors", sd15_lora)
    assert registry.scan().complete and len(registry.library().files) == 61
    assert "proofs_damaged" in [note.code for note in registry.notes]


def test_a_kept_database_grows_by_steps_and_forgets_nothing(tmp_path):
    path = tmp_path / "kept.sqlite"
    steps = ["CREATE TABLE one (a)", "ALTER TABLE one ADD COLUMN b; CREATE TABLE two (c)"]
    old = KeptDatabase(path, steps[:1])
    with old.writing() as connection:
        connection.execute("INSERT INTO one VALUES (1)")
    old.close()
    new = KeptDatabase(path, steps)
    with new.writing() as connection:
        assert connection.execute("SELECT * FROM one").fetchall() == [(1, None)]
        connection.execute("INSERT INTO two VALUES (2)")
    new.close()
    with KeptDatabase(path, steps[:1]).reading() as connection:  # an older version of the pack
        assert connection.execute("SELECT a FROM one").fetchall() == [(1,)]
    with KeptDatabase(path, steps).reading() as connection:
        assert connection.execute("SELECT c FROM two").fetchall() == [(2,)]


def test_an_offer_without_files_still_makes_a_card(registry, downloaded):
    downloaded(card=Offer(REF.of_version, "Bare", files=(RemoteFile("1", "x", "u", sha256="AB" * 32),)))
    registry.scan()
    assert (only(registry).title, only(registry).verification) == ("Bare", Verification.VERIFIED)
