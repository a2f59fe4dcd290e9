import hashlib
import json
import os
import struct

import numpy as np
import pytest
from pack.demo import checkpoints
from pack.demo.catalogue import MANAGED, VISITED
from pack.demo.files import DEMO, FILES, STYLE_LORAS
from pack.demo.schedule import fitted_gains
from pack.demo.write import write_demo, write_models

SIZES = {"F16": 2, "F32": 4}
BROKEN = "loras/formats/broken_truncated.safetensors"
TENSORS = sorted(name for name in FILES if name.endswith(".safetensors") and name != BROKEN)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


def header(path):
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return length, json.loads(file.read(length))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", TENSORS)
def test_headers_are_contiguous_and_aligned(models, name):
    length, rows = header(models / name)
    assert length % 8 == 0
    assert rows.pop("__metadata__"), "every file says what it is"
    end = 0
    for row in rows.values():
        size = SIZES[row["dtype"]]
        start, stop = row["data_offsets"]
        assert start == end and start % size == 0
        assert stop - start == size * int(np.prod(row["shape"], dtype=np.int64))
        end = stop
    assert (models / name).stat().st_size == 8 + length + end


def test_files_are_sparse(models):
    if not hasattr(os.stat_result, "st_blocks"):
        pytest.skip("this system does not count blocks")
    sizes = {name: (models / name).stat() for name in TENSORS}
    nano = sizes["checkpoints/toy_sd15.safetensors"]
    assert nano.st_size > 250e6
    if nano.st_blocks * 512 >= nano.st_size:
        pytest.skip("this file system has no holes")
    assert sum(sizes[name].st_blocks * 512 for name in DEMO if name in sizes) < 10e6
    assert sum(size.st_blocks * 512 for size in sizes.values()) < 200e6


def test_every_file_says_that_it_is_a_toy(models):
    for name in TENSORS:
        assert "toy" in header(models / name)[1]["__metadata__"]["modelspec.description"], name


def test_the_same_bytes_each_time(models, tmp_path):
    names = [name for name in FILES if (models / name).stat().st_size < 60e6]
    write_models(tmp_path, names)
    assert {name: sha256(tmp_path / name) for name in names} == {name: sha256(models / name) for name in names}


def test_a_checkpoint_has_the_same_numbers_each_time():
    first = checkpoints.sd15()
    fitted_gains.cache_clear()
    second = checkpoints.sd15()
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert np.array_equal(tensor, second[name]) if isinstance(tensor, np.ndarray) else tensor == second[name], name


def test_the_demonstration_is_a_library_of_its_own(tmp_path):
    written = write_demo(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in written) == sorted(DEMO)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == sorted(DEMO)


def test_what_is_complete_stays(tmp_path):
    names = ["embeddings/toy_teal.safetensors", "loras/anime_style_v2.metadata.json"]
    paths = write_models(tmp_path, names)
    before = [path.stat().st_ino for path in paths]
    assert write_models(tmp_path, names) == paths
    assert [path.stat().st_ino for path in paths] == before


def test_what_people_wrote_in_a_side_file_stays(tmp_path):
    name = "loras/anime_style_v2.metadata.json"
    (path,) = write_models(tmp_path, [name])
    path.write_text('{"favorite": true}')
    write_models(tmp_path, [name])
    assert json.loads(path.read_text()) == {"favorite": True}


@pytest.mark.parametrize("name", ["embeddings/toy_teal.safetensors", "loras/anime_style_v2.metadata.json"])
def test_a_truncated_leftover_is_replaced(models, tmp_path, name):
    (path,) = write_models(tmp_path, [name])
    path.write_bytes(path.read_bytes()[:-100])
    write_models(tmp_path, [name])
    assert sha256(path) == sha256(models / name)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(KeyError, match="nonsense"):
        write_models(tmp_path, ["embeddings/toy_teal.safetensors", "nonsense"])
    assert not list(tmp_path.iterdir())


def test_the_broken_file_is_broken(models):
    raw = (models / BROKEN).read_bytes()
    assert struct.unpack("<Q", raw[:8])[0] > len(raw)


def test_velocity_is_marked_as_hosts_look_for_it(models):
    assert header(models / "checkpoints/toy_sdxl_v.safetensors")[1]["v_pred"]["shape"] == [0]
    assert "v_pred" not in header(models / "checkpoints/toy_sdxl.safetensors")[1]


def test_style_loras_can_be_recommended(models):
    for name in STYLE_LORAS:
        if name.endswith(".safetensors"):
            metadata = header(models / name)[1]["__metadata__"]
            (captions,) = json.loads(metadata["ss_tag_frequency"]).values()
            assert metadata["modelspec.trigger_phrase"] in captions, name
            assert metadata["modelspec.title"] and metadata["modelspec.tags"]


def test_side_files_speak_of_their_model(models):
    side = json.loads((models / "loras/anime_style_v2.metadata.json").read_bytes())
    assert side["civitai"]["trainedWords"] == ["anime style"]
    assert json.loads(side["usage_tips"])["strength"] == 0.8
    info = json.loads((models / "loras/watercolor_wash.civitai.info").read_bytes())
    assert info["stats"]["downloadCount"] > 0 and info["model"]["nsfw"] is False


def test_every_side_file_belongs_to_a_style():
    sides = [name for name in STYLE_LORAS if not name.endswith(".safetensors")]
    assert len(sides) == len(MANAGED) + len(VISITED)
    for side in sides:
        assert f"{side.removesuffix('.metadata.json').removesuffix('.civitai.info')}.safetensors" in STYLE_LORAS
