import os
import subprocess
import sys
from pathlib import Path

import pytest
from pack.hub.walk import walk

MODELS = frozenset({".safetensors", ".ckpt"})
ROOT = Path(__file__).parent.parent.parent


def found_in(root):
    unreadable = []
    found = {each.name: each for each in walk(str(root), MODELS, unreadable, lambda name, identity: False)}
    assert unreadable == []
    return found


def test_two_models_may_share_a_sidecar_and_a_preview(tmp_path):
    for name in ("a.safetensors", "a.ckpt", "a.json", "a.png", "b.CKPT", "notes.txt", ".ckpt"):
        (tmp_path / name).write_text("{}")
    found = found_in(tmp_path)
    assert sorted(found) == ["a.ckpt", "a.safetensors", "b.CKPT"]
    for name in ("a.ckpt", "a.safetensors"):
        assert found[name].sidecars == (str(tmp_path / "a.json"),) and found[name].preview == "a.png"
    assert found["b.CKPT"].extension == ".ckpt" and found["b.CKPT"].sidecars == ()


def test_what_lies_in_a_folder_is_named_below_the_root(tmp_path):
    (tmp_path / "style.safetensors").mkdir()
    (tmp_path / "style.safetensors" / "a.safetensors").write_text("")
    (tmp_path / "style.safetensors" / "a.preview.png").write_text("")
    name = os.path.join("style.safetensors", "a.safetensors")
    found = found_in(tmp_path)
    assert list(found) == [name] and found[name].path == str(tmp_path / name)
    assert found[name].preview == os.path.join("style.safetensors", "a.preview.png")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_to_itself_is_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "a.safetensors").symlink_to(tmp_path / "a.safetensors")
    assert found_in(tmp_path)["a.safetensors"].size_bytes == -1


def test_only_unknown_files_are_named(tmp_path):
    (tmp_path / "a.ckpt").write_text("x")
    (tmp_path / "b.ckpt").write_text("y")
    before = {name: each.identity for name, each in found_in(tmp_path).items()}
    (tmp_path / "b.json").write_text("{}")
    changed = walk(str(tmp_path), MODELS, [], lambda name, identity: before[name] == identity)
    assert [each.name for each in changed] == ["b.ckpt"]


def test_an_identity_is_the_same_in_every_process(tmp_path):
    for name in ("a.ckpt", "a.json", "a.png"):
        (tmp_path / name).write_text("{}")
    code = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("pack", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}])
sys.modules["pack"] = pack = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
from pack.hub.walk import walk
print(*next(walk({str(tmp_path)!r}, {{".ckpt"}}, [], lambda name, identity: False)).identity)
"""
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert tuple(map(int, other.split())) == found_in(tmp_path)["a.ckpt"].identity
