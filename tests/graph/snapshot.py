"""Takes down what a running ComfyUI says of the native nodes that the golden graphs use:
``python tests/graph/snapshot.py http://127.0.0.1:8188``. Adds its version to ``data/native_nodes.json``."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE.parent.parent / "data" / "native_nodes.json"
# What api() puts around a golden graph.
AROUND = {"SaveImage", "LoadImage"}
# Choices of these are the files of one machine.
FILES = {"ckpt_name", "unet_name", "vae_name", "lora_name", "image", "clip_name"} | {f"clip_name{n}" for n in range(1, 5)}


def used_classes() -> set[str]:
    graphs = [json.loads(path.read_text(encoding="utf-8")) for path in (HERE / "golden").glob("*.json")]
    return AROUND | {node["class_type"] for graph in graphs for node in graph["nodes"].values()}


def reduced(info: dict) -> dict:
    fields = [
        _field(name, spec, required)
        for group, required in (("required", True), ("optional", False))
        for name, spec in info["input"].get(group, {}).items()
    ]
    names = info.get("output_name") or info["output"]
    outputs = [{"name": name, "type": kind} for name, kind in zip(names, info["output"], strict=True)]
    return {"inputs": fields, "outputs": outputs}


def _field(name: str, spec: list, required: bool) -> dict:
    options = spec[1] if len(spec) > 1 else {}
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    field = {"name": name, "type": "COMBO" if isinstance(spec[0], list) else spec[0], "required": required}
    if choices is not None and name not in FILES:
        field["choices"] = choices
    for key in ("default", "min", "max"):
        if key in options:
            field[key] = options[key]
    marks = {"control_after_generate": "control", "image_upload": "upload", "multiline": "multiline"}
    return field | {mark: True for key, mark in marks.items() if options.get(key)}


def _ask(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def main(server: str) -> None:
    version = _ask(f"{server}/system_stats")["system"]["comfyui_version"]
    infos = _ask(f"{server}/object_info")
    hosts = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    hosts[version] = {name: reduced(infos[name]) for name in sorted(used_classes()) if name in infos}
    TABLE.write_text(json.dumps(dict(sorted(hosts.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
