"""Our estimates of memory against ComfyUI's own figures.

    python bench/memory.py [--host PATH …]

This checks arithmetic, not a GPU: it says whether we reckon as ComfyUI does, not whether ComfyUI reckons right. Each host
runs in its own process with ``--cpu``. Toy models are really loaded and measured; full-size architectures are built on the
meta device, where weights have a size and no content, and the predicates that ask for CUDA's attention are answered yes.
Weights on our side come from the header of a file that holds the same tensors, as the registry reads it.

Last line: one JSON object {"worst_relative_error", "worst_row", "rows", "hosts": {version: worst}, "patched_share"}.
Where a row has another factor on an older host than the pack's tables, which follow the newest, it is listed as revised and
counts apart ("revised").
"""

# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIDE = 1024
TOYS = ("checkpoints/toy_sd15.safetensors", "checkpoints/toy_sdxl.safetensors")
ATTENDS = ("attn", "proj_in", "proj_out", ".ff.", "_mlp.", ".linear1.", ".linear2.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", action="append", type=Path, help="a ComfyUI checkout; the usual ones when left out")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        print(json.dumps(_inside(asked.inside)))
        return
    usual = [Path.home() / "comfy" / name for name in ("ComfyUI", "ComfyUI-0.3.64")]
    hosts = asked.host or [place for place in usual if (place / "main.py").is_file()]
    if not hosts:
        parser.error("no ComfyUI found; name one with --host")
    _report([_in_process(host) for host in hosts])


def _in_process(host: Path) -> dict[str, Any]:
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--inside", str(host.resolve())]
    done = subprocess.run(command, cwd=host, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _report(hosts: Sequence[Mapping[str, Any]]) -> None:
    for host in hosts:
        print(f"\nComfyUI {host['version']}\n{'row':<42}{'ours, MiB':>12}{'ComfyUI, MiB':>14}{'error':>9}")
        for row in host["rows"]:
            error = f"{row['error']:9.1%}" + ("  revised" if row["revised"] else "")
            print(f"{row['name']:<42}{row['ours'] / 2**20:>12,.1f}{row['theirs'] / 2**20:>14,.1f}{error}")
        for name, why in host["left_out"].items():
            print(f"{name:<42}not on this host: {why}")
    counted = [row | {"host": host["version"]} for host in hosts for row in host["rows"] if not row["revised"]]
    revised = [row["error"] for host in hosts for row in host["rows"] if row["revised"]]
    worst = max(counted, key=lambda row: row["error"])
    told = {
        "worst_relative_error": round(worst["error"], 4),
        "worst_row": f"{worst['host']} {worst['name']}",
        "rows": len(counted),
        "hosts": {host["version"]: _worst([row for row in host["rows"] if not row["revised"]]) for host in hosts},
        "revised": {"rows": len(revised), "worst": round(max(revised, default=0.0), 4)},
        "patched_share": hosts[0]["patched_share"],
    }
    print(json.dumps(told))


def _worst(rows: Sequence[Mapping[str, Any]]) -> float:
    return round(max((row["error"] for row in rows), default=0.0), 4)


# --------------------------------------------------------------------------- inside a host


def _inside(host: Path) -> dict[str, Any]:
    sys.path.insert(0, str(host))
    sys.argv = [sys.argv[0]]
    from comfy.cli_args import args

    args.cpu = True
    import comfyui_version

    sys.path.insert(1, str(HERE))
    import rows  # noqa: F401  registers the package under the name ``pack``

    made: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        made += _toys(Path(folder))
        made += _full_size(Path(folder), left_out)
        made += _decodes(left_out)
    version = comfyui_version.__version__
    return {"version": version, "rows": made, "left_out": left_out, "patched_share": _patched_share(left_out)}


def _row(name: str, ours: float, theirs: float, revised: bool = False) -> dict[str, Any]:
    return {"name": name, "ours": ours, "theirs": theirs, "error": abs(ours - theirs) / theirs, "revised": revised}


def _read(folder: Path, kind: Any) -> Any:
    """The one model file in the folder, as the registry would list it."""
    from pack.hub.describe import describe
    from pack.hub.registry import model_files
    from pack.hub.walk import walk

    (found,) = walk(str(folder), {".safetensors"}, [], lambda path, identity: False)
    facts = json.dumps(describe(kind, found).facts)
    return model_files(kind, [(found.name, found.size_bytes, 0, None, facts)])[found.name]


def _settings(cfg: float = 7.0) -> Any:
    from pack.plan import Settings

    return Settings(20, cfg, "euler", "normal", SIDE, SIDE)


def _machine(device: str) -> Any:
    import comfyui_version
    from pack.plan import Machine

    return Machine(device, host_version=comfyui_version.__version__)


def _toys(folder: Path) -> Iterator[dict[str, Any]]:
    """Small models, really loaded: their weights by part, working memory and decode on a CPU."""
    import comfy.model_management as management
    import comfy.sd
    from pack.data.families import families
    from pack.demo.write import write_models
    from pack.intelligence.estimate import activation_bytes, decode_bytes, load_of
    from pack.plan import Kind

    for name in TOYS:
        (path,) = write_models(folder / Path(name).stem, [name])
        file = _read(path.parent, Kind.CHECKPOINT)
        model, clip, vae = comfy.sd.load_checkpoint_guess_config(str(path))[:3]
        load, label = load_of(file, _machine("cpu")), f"loaded {path.stem}"
        yield _row(f"{label}: diffusion model", load.diffusion_bytes, model.model_size())
        yield _row(f"{label}: text encoders", load.encoder_bytes, clip.patcher.model_size())
        yield _row(f"{label}: VAE", load.vae_bytes, vae.patcher.model_size())
        family, shape = families()[file.family], [2, 4, SIDE // 8, SIDE // 8]
        yield _row(f"{label}: sampling", activation_bytes(family, _settings(), _machine("cpu")), model.memory_required(shape))
        decode = vae.memory_used_decode((1, *shape[1:]), vae.vae_dtype)
        yield _row(f"{label}: decode", decode_bytes(family, _settings(), _machine("cpu")), decode)
        management.unload_all_models()


def _full_size(folder: Path, left_out: dict[str, str]) -> Iterator[dict[str, Any]]:
    import comfy.model_management as management
    from memory_hosts import FULL_SIZE
    from pack.data.families import families
    from pack.intelligence.estimate import activation_bytes, load_of

    for family_id, (config, channels) in FULL_SIZE.items():
        model = _tried(family_id, left_out, partial(_built, config))
        if model is None:
            continue
        file = _written(folder / family_id, family_id, model.diffusion_model)
        load = load_of(file, _machine("cuda"))
        yield _row(f"{family_id}: weights", load.diffusion_bytes, management.module_size(model.diffusion_model))
        family = families()[file.family]
        side = SIDE // family.latent_scale
        frames = (1,) if family_id in ("anima", "qwen_image", "wan21", "wan22_5b") else ()
        for device, lean in {"cuda": True, "cpu": False}.items():
            with _attention(lean):
                theirs = model.memory_required([2, channels, *frames, side, side])
            revised = not math.isclose(model.memory_usage_factor, family.memory_factor, rel_tol=0.05)
            label = f"{family_id}: sampling, {'lean' if lean else 'other'} attention"
            yield _row(label, activation_bytes(family, _settings(), _machine(device)), theirs, revised and _is_old())


def _built(config: Mapping[str, Any]) -> Any:
    """The model on the meta device, in 16 bit."""
    import comfy.model_detection as detection
    import torch
    from memory_hosts import NEW, NEW_EMPTY

    if _is_old():
        config = {name: value for name, value in config.items() if name not in NEW and (value or name not in NEW_EMPTY)}
    model_config = detection.model_config_from_unet_config(dict(config), {})
    if model_config is None:
        raise LookupError("its model detection does not know the configuration")
    model_config.set_inference_dtype(torch.bfloat16, None)
    with torch.device("meta"):
        return model_config.get_model({}, "", device=torch.device("meta"))


def _tried(name: str, left_out: dict[str, str], build: Callable[[], Any]) -> Any:
    """What ``build`` gives, ``None`` where this host is too old for it: its constructors then lack what they are given."""
    try:
        return build()
    except (LookupError, TypeError, AttributeError, ImportError, ValueError) as fault:
        left_out[name] = f"{type(fault).__name__}: {fault}"[:110]
        return None


def _written(folder: Path, family_id: str, module: Any) -> Any:
    """A file with the header of these weights, read back; what follows the header is a hole."""
    from memory_hosts import NAMES
    from pack.plan import Kind

    header, offset = {}, 0
    for key, weight in module.state_dict().items():
        end = offset + 2 * weight.numel()
        header[key] = {"dtype": "BF16", "shape": list(weight.shape), "data_offsets": [offset, end]}
        offset = end
    raw = json.dumps(header).encode()
    folder.mkdir()
    path = folder / f"{NAMES.get(family_id, family_id)}.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw)
    os.truncate(path, 8 + len(raw) + offset)
    file = _read(folder, Kind.DIFFUSION_MODEL)
    path.unlink()
    return file


class _attention:
    """Answers for this host whether its attention is a lean one."""

    def __init__(self, lean: bool) -> None:
        self.lean = lean

    def __enter__(self) -> None:
        import comfy.model_management as management

        self.kept = management.xformers_enabled, management.pytorch_attention_flash_attention
        management.xformers_enabled = lambda: False
        management.pytorch_attention_flash_attention = lambda: self.lean

    def __exit__(self, *_: object) -> None:
        import comfy.model_management as management

        management.xformers_enabled, management.pytorch_attention_flash_attention = self.kept


def _is_old() -> bool:
    import comfyui_version

    return tuple(int(part) for part in comfyui_version.__version__.split(".")[:2]) < (0, 33)


def _decodes(left_out: dict[str, str]) -> Iterator[dict[str, Any]]:
    import torch
    from memory_hosts import VAES
    from pack.data.families import families
    from pack.intelligence.estimate import decode_bytes

    for family_id, (module, name, arguments, shape) in VAES.items():
        vae = _tried(f"{family_id} VAE", left_out, partial(_vae, module, name, arguments))
        if vae is None:
            continue
        theirs = vae.memory_used_decode(shape, torch.bfloat16)
        ours = decode_bytes(families()[family_id], _settings(), _machine("cuda"))
        yield _row(f"{family_id}: decode", ours, theirs)


def _vae(module: str, name: str, arguments: Mapping[str, Any]) -> Any:
    import comfy.sd
    import torch

    with torch.device("meta"):
        made = getattr(importlib.import_module(f"comfy.ldm.{module}"), name)(**arguments)
        return comfy.sd.VAE(sd=made.state_dict())


def _patched_share(left_out: dict[str, str]) -> dict[str, float]:
    """The share of weights that a LoRA of all attention and feed-forward layers changes."""
    from memory_hosts import FULL_SIZE

    shares = {}
    for family_id in ("sd15", "sdxl", "flux_dev", "qwen_image"):
        model = _tried(family_id, left_out, partial(_built, FULL_SIZE[family_id][0]))
        if model is not None:
            sizes = {key: weight.numel() for key, weight in model.diffusion_model.state_dict().items() if weight.ndim > 1}
            patched = sum(size for key, size in sizes.items() if any(part in key for part in ATTENDS))
            shares[family_id] = round(patched / sum(sizes.values()), 3)
    return shares


if __name__ == "__main__":
    main()
