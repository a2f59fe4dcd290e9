"""The benchmark runs as a plain script and keeps its promises about the last line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROWS = [
    {"id": "a", "prompt": "a fox, watercolor", "style": "watercolor", "kind": "explicit"},
    {"id": "b", "prompt": "two men eating lunch", "style": "photo", "kind": "implicit"},
    {"id": "c", "prompt": "a fox, oil painting", "style": "watercolor", "kind": "explicit"},
    {"id": "d", "prompt": "a fox", "style": "other", "kind": "explicit"},
]


def run(tmp_path, rows, *options):
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "analyze.py"), str(file), *options],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_styles(tmp_path):
    result = run(tmp_path, ROWS)
    assert result["rows"] == 3
    assert result["recall"] == {"photo": 1.0, "watercolor": 0.5}
    assert result["by_kind"]["explicit"]["n"] == 2
    assert 0 < result["macro_f1"] < 1 and result["ms_per_prompt"] > 0


def test_contents_merge_and_accept_second_labels(tmp_path):
    rows = [
        {"id": "a", "prompt": "a kitchen", "category": "scene/interior"},
        {"id": "b", "prompt": "a bedroom", "category": "lifestyle/interior"},
        {"id": "c", "prompt": "a logo", "category": "object/product", "secondary": "Logo/Icon Design"},
        {"id": "d", "prompt": "Anubis", "category": "world_knowledge"},
    ]
    result = run(tmp_path, rows)
    assert result["rows"] == 3 and result["recall"]["interior"] == 1.0


def test_spanish_rows_name_their_source_and_licence(tmp_path):
    lines = (ROOT / "bench" / "spanish.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(rows) == 200 == len({row["id"] for row in rows})
    assert {row["licence"] for row in rows} == {"Apache-2.0", "CC BY 4.0"}
    english = [{**row, "prompt": "a cat"} for row in rows[:20]]
    assert run(tmp_path, english, "--spanish")["rows"] == 20
