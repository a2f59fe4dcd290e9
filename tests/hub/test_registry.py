import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pack.errors import BadRequest, UserError
from pack.hub.registry import Registry
from pack.plan import Kind

ROOT = Path(__file__).parent.parent.parent


def names(registry, kind=Kind.LORA):
    return [file.name for file in registry.library().files if file.kind is kind]


def test_names_are_as_comfyui_lists_them_and_nothing_changes_on_a_second_scan(registry, tree, write_model, sd15_lora):
    write_model(tree / "loras" / "a.safetensors", sd15_lora)
    write_model(tree / "loras" / "estilo" / "niño ñandú 水彩.safetensors", sd15_lora)
    write_model(tree / "loras" / ".git" / "hidden.safetensors", sd15_lora)
    assert registry.library().files == () and not registry.library().complete
    report = registry.scan()
    assert (report.seen, report.read, report.complete) == (2, 2, True)
    assert names(registry) == ["a.safetensors", os.path.join("estilo", "niño ñandú 水彩.safetensors")]
    first = registry.library()
    assert first.complete and first.find(Kind.LORA, "a.safetensors").architecture == "sd15"
    assert registry.scan().read == 0
    assert registry.library() is first


def test_content_changed_in_place_is_noticed(registry, tree, write_model, sd15_lora):
    path = write_model(tree / "loras" / "a.safetensors", sd15_lora)
    registry.scan()
    before = registry.library()
    time.sleep(0.01)
    path.write_bytes(b"<html>expired</html>")
    assert registry.scan().read == 1
    after = registry.library()
    assert after.version != before.version
    assert after.find(Kind.LORA, "a.safetensors").problem == "file_web_page"


def test_a_file_swapped_for_one_of_equal_size_and_time_is_noticed(registry, tree, write_model, sd15_lora):
    path = write_model(tree / "loras" / "a.safetensors", sd15_lora)
    registry.scan()
    status = path.stat()
    twin = write_model(tree / "twin", {name.replace("768", "1024"): shape for name, shape in sd15_lora.items()})
    os.utime(twin, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(twin, path)
    assert path.stat().st_mtime_ns == status.st_mtime_ns and path.stat().st_size == status.st_size
    assert registry.scan().read == 1


def test_sidecars_and_previews_that_come_change_and_go_are_noticed(registry, tree, write_model, sd15_lora):
    write_model(tree / "loras" / "a.safetensors", sd15_lora)
    registry.scan()
    sidecar, preview = tree / "loras" / "a.json", tree / "loras" / "a.preview.png"
    sidecar.write_text('{"activation text": "ink style"}')
    preview.write_bytes(b"x")
    assert registry.scan().read == 1
    file = registry.library().of(Kind.LORA)[0]
    assert file.trigger_groups == (("ink style",),) and file.preview == "a.preview.png"
    sidecar.write_text('{"activation text": "other"}')
    assert registry.scan().read == 1
    sidecar.unlink()
    preview.unlink()
    assert registry.scan().read == 1
    assert registry.library().of(Kind.LORA)[0].trigger_groups == ()


def test_a_new_file_leaves_the_others_as_they_were(registry, tree, write_model, sd15_lora):
    write_model(tree / "loras" / "a.safetensors", sd15_lora)
    write_model(tree / "loras" / "c.safetensors", sd15_lora)
    registry.scan()
    before = registry.library()
    write_model(tree / "loras" / "b.safetensors", sd15_lora)
    (tree / "loras" / "c.safetensors").unlink()
    registry.scan()
    after = registry.library()
    assert [file.name for file in after.files] == ["a.safetensors", "b.safetensors"]
    assert after.files[0] is before.files[0]


def test_a_registry_that_is_held_by_another_says_so(registry, tree, tmp_path, monkeypatch):
    registry.scan()
    monkeypatch.setattr("pack.hub.database.BUSY_TIMEOUT_S", 0.05)
    with sqlite3.connect(tmp_path / "user" / "registry-overrides.sqlite3", isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="cannot be used"):
            registry.override(Kind.LORA, "a", "sd15")
    holder.close()


def test_an_unknown_family_is_refused(registry):
    with pytest.raises(BadRequest, match="no model family"):
        registry.override(Kind.LORA, "a", "nonsense")


def test_removed_files_go(registry, tree, write_model, sd15_lora):
    path = write_model(tree / "loras" / "a.safetensors", sd15_lora)
    registry.scan()
    path.unlink()
    assert registry.scan().removed == 1
    assert registry.library().files == ()


def test_the_first_of_two_folders_wins(tmp_path, write_model, sd15_lora):
    one, two = tmp_path / "one", tmp_path / "two"
    write_model(one / "a.safetensors", sd15_lora)
    write_model(two / "a.safetensors", {**sd15_lora, "more.lora_up.weight": (1, 1)})
    write_model(two / "b.safetensors", sd15_lora)
    registry = Registry(tmp_path / "r.sqlite3", {Kind.LORA: [one, two]})
    registry.scan()
    assert [(file.name, file.keys) for file in registry.library().files] == [("a.safetensors", 3), ("b.safetensors", 3)]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_are_followed_loops_end_and_dead_links_say_so(registry, tree, write_model, sd15_lora, tmp_path):
    write_model(tmp_path / "elsewhere" / "far.safetensors", sd15_lora)
    (tree / "loras" / "deep").mkdir(parents=True)
    (tree / "loras" / "linked").symlink_to(tmp_path / "elsewhere")
    (tree / "loras" / "deep" / "up").symlink_to(tree / "loras")
    (tree / "loras" / "dead.safetensors").symlink_to(tmp_path / "nothing")
    registry.scan()
    library = registry.library()
    assert library.find(Kind.LORA, "linked/far.safetensors").usable
    assert library.find(Kind.LORA, "dead.safetensors").problem == "file_unreadable"


def test_models_are_known_while_a_stopped_scan_left_the_rest(registry, tree, write_model, sd15_lora):
    for number in range(20):
        write_model(tree / "loras" / f"{number}.safetensors", sd15_lora)
    write_model(tree / "checkpoints" / "c.safetensors", {"x": (1,)})
    asked = iter(range(1000))
    report = registry.scan(stop=lambda: next(asked) >= 5)
    assert not report.complete
    library = registry.library()
    assert not library.complete and library.find(Kind.CHECKPOINT, "c.safetensors")
    assert 0 < len(library.of(Kind.LORA)) < 20
    assert registry.scan().complete and len(registry.library().of(Kind.LORA)) == 20


def test_an_override_wins_and_survives_a_rebuilt_cache(registry, tree, write_model, sd15_lora, tmp_path):
    write_model(tree / "loras" / "sub" / "a.safetensors", sd15_lora)
    registry.scan()
    before = registry.library()
    registry.override(Kind.LORA, "sub\\a.safetensors", "sd15")
    assert registry.library().version != before.version
    with sqlite3.connect(tmp_path / "user" / "registry.sqlite3") as connection:
        connection.execute("UPDATE meta SET value = 'older' WHERE key = 'schema'")
    connection.close()
    again = Registry(tmp_path / "user" / "registry.sqlite3", registry.folders)
    assert again.library().files == ()
    again.scan()
    file = again.library().of(Kind.LORA)[0]
    assert (file.family, file.confidence) == ("sd15", 1.0)
    again.override(Kind.LORA, "sub/a.safetensors", None)
    assert again.library().of(Kind.LORA)[0].confidence < 1


def test_a_damaged_database_is_set_aside_and_rebuilt(registry, tree, write_model, sd15_lora, tmp_path):
    write_model(tree / "loras" / "a.safetensors", sd15_lora)
    registry.scan()
    path = tmp_path / "user" / "registry.sqlite3"
    path.write_bytes(b"this is no database" * 500)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    again = Registry(path, registry.folders)
    report = again.scan()
    assert report.read == 1 and [note.code for note in report.notes] == ["registry_damaged"]
    assert path.with_name("registry.sqlite3.damaged-1").read_bytes().startswith(b"this is no database")
    assert "damaged-1" in str(report.notes[0]) and "dañado" in str(report.notes[0].in_language("es"))


def test_damage_during_use_is_mended(registry, tree, write_model, sd15_lora, tmp_path):
    for number in range(200):
        write_model(tree / "loras" / f"{number}.safetensors", sd15_lora)
    registry.scan()
    path = tmp_path / "user" / "registry.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    assert registry.scan().read == 200
    assert [note.code for note in registry.notes] == ["registry_damaged"]


def test_a_place_that_cannot_be_written_degrades_to_this_process(tmp_path, tree, write_model, sd15_lora):
    write_model(tree / "loras" / "a.safetensors", sd15_lora)
    (tmp_path / "file").write_text("not a folder")
    registry = Registry(tmp_path / "file" / "registry.sqlite3", {Kind.LORA: [tree / "loras"]})
    report = registry.scan()
    assert report.read == 1 and "registry_not_writable" in [note.code for note in report.notes]
    registry.override(Kind.LORA, "a.safetensors", "sd15")
    assert registry.library().of(Kind.LORA)[0].confidence == 1.0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_degrades_too(tmp_path, tree):
    (tmp_path / "user").mkdir(mode=0o555)
    assert "registry_not_writable" in [note.code for note in Registry(tmp_path / "user" / "r.sqlite3", {}).scan().notes]


def test_missing_folders_are_no_error(tmp_path):
    report = Registry(tmp_path / "r.sqlite3", {Kind.LORA: [tmp_path / "nothing"]}).scan()
    assert (report.seen, report.complete, report.notes) == (0, True, ())


def test_hashes_come_later_and_follow_the_content(registry, tree, write_model, sd15_lora):
    import hashlib

    path = write_model(tree / "loras" / "a.safetensors", sd15_lora)
    write_model(tree / "loras" / "b.safetensors", sd15_lora, {"ss_x": "y"})
    registry.scan()
    version = registry.library().version
    assert registry.hash_pending(stop=lambda: True) == 0
    assert registry.hash_pending() == 2
    file = registry.library().find(Kind.LORA, "a.safetensors")
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert registry.library().version == version
    assert registry.hash_pending() == 0
    write_model(path, {**sd15_lora, "x.lora_up.weight": (2, 2)})
    assert registry.hash_pending() == 0
    registry.scan()
    assert registry.library().find(Kind.LORA, "a.safetensors").sha256 is None
    assert registry.hash_pending() == 1


def test_a_sidecar_change_keeps_the_hash(registry, tree, write_model, sd15_lora):
    write_model(tree / "loras" / "a.safetensors", sd15_lora)
    registry.scan()
    registry.hash_pending()
    (tree / "loras" / "a.json").write_text("{}")
    assert registry.scan().read == 1
    assert registry.library().of(Kind.LORA)[0].sha256


def test_two_threads_scan_and_read_at_once(registry, tree, write_model, sd15_lora, tmp_path):
    for number in range(60):
        write_model(tree / "loras" / f"{number}.safetensors", sd15_lora)
    other = Registry(tmp_path / "user" / "registry.sqlite3", registry.folders)
    failures = []

    def work(each):
        try:
            each.scan()
            each.library()
            each.hash_pending()
        except sqlite3.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(each,)) for each in (registry, other, registry)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert registry.library() == other.library() and len(registry.library().files) == 60


SCANNER = """
import importlib.util, sys
from pathlib import Path
root = Path(sys.argv[1])
spec = importlib.util.spec_from_file_location("pack", root / "__init__.py", submodule_search_locations=[str(root)])
module = importlib.util.module_from_spec(spec); sys.modules["pack"] = module; spec.loader.exec_module(module)
from pack.hub.registry import Registry
from pack.plan import Kind
registry = Registry(Path(sys.argv[2]), {Kind.LORA: [Path(sys.argv[3])]})
report = registry.scan()
assert report.complete and len(registry.library().files) == 80, report
registry.hash_pending()
"""


def test_two_processes_share_one_registry(tree, write_model, sd15_lora, tmp_path):
    for number in range(80):
        write_model(tree / "loras" / f"{number}.safetensors", sd15_lora)
    call = [sys.executable, "-c", SCANNER, str(ROOT), str(tmp_path / "r.sqlite3"), str(tree / "loras")]
    running = [subprocess.Popen(call, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[1].decode() for process in running] == ["", ""]
    registry = Registry(tmp_path / "r.sqlite3", {Kind.LORA: [tree / "loras"]})
    library = registry.library()
    assert library.complete and len(library.files) == 80 and all(file.sha256 for file in library.files)
    assert registry.scan().read == 0


def test_registries_of_other_folders_leave_each_other_alone(tmp_path, write_model, sd15_lora):
    write_model(tmp_path / "one" / "a.safetensors", sd15_lora)
    write_model(tmp_path / "two" / "b.safetensors", sd15_lora)
    one, two = (Registry(tmp_path / "r.sqlite3", {Kind.LORA: [tmp_path / name]}) for name in ("one", "two"))
    one.scan()
    two.scan()
    assert names(one) == ["a.safetensors"] and names(two) == ["b.safetensors"]
    assert one.scan().read == two.scan().read == 0
