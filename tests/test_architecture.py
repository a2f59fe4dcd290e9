"""The house rules that people forget, as tests."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pack.errors import LANGUAGES

ROOT = Path(__file__).parent.parent
CORE = ("choices", "plan", "offers", "feedback", "readout", "values", "errors", "data", "intelligence", "graph", "pipeline")
HOST = {"comfy", "comfy_api", "comfy_execution", "folder_paths", "server", "nodes", "execution", "comfyui_version"}
HEAVY = {
    "torch",
    "transformers",
    "sentence_transformers",
    "sqlalchemy",
    "sqlite3",
    "requests",
    "huggingface_hub",
    "ollama",
    "aiohttp",
}
IMPURE = {"time", "random", "datetime", "secrets"}
ADAPTERS = {"ollama", "embedding", "minilm"}  # thin, and imported late as a whole
BANNED_NAMES = {"utils", "helper", "helpers", "manager", "service", "services", "handler", "common", "core"}
MAY_IMPORT = {
    "choices": set(),
    "plan": {"choices", "values"},
    "values": {"errors"},
    "errors": set(),
    "offers": {"choices", "plan", "values", "errors"},
    "feedback": {"choices", "plan", "values", "errors"},
    "readout": {"plan"},
    "files": set(),
    "wal": set(),
    "data": {"plan", "errors"},
    "intelligence": {"plan", "offers", "feedback", "values", "data", "errors"},
    "graph": {"plan", "values", "data", "errors"},
    "pipeline": {"intelligence", "plan", "data", "errors"},
    "hub": {"plan", "offers", "values", "data", "errors", "files", "wal"},
    "learning": {"plan", "feedback", "values", "errors", "files", "wal"},
    "memory": {"choices", "plan", "readout", "values", "data", "errors", "files"},
    "demo": {"data", "plan"},
}
NOUNS = ("plan.py", "feedback.py")  # as long as there is to name
WORDS = {language: ROOT / "locales" / language for language in LANGUAGES}


def sources() -> list[Path]:
    skipped = {".check", ".venv", "build", "tests", "bench"}
    return [path for path in ROOT.rglob("*.py") if not skipped & set(path.relative_to(ROOT).parts)]


def room(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports(path: Path, late: bool) -> Iterator[tuple[str, int]]:
    """(dotted name, level) of imports; module-level ones only unless ``late``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if late else iter_module_level(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.module, node.level
            else:
                yield from ((alias.name, node.level) for alias in node.names)


def iter_module_level(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from iter_module_level(node)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    own = room(path)
    if own not in MAY_IMPORT:
        return
    depth = len(path.relative_to(ROOT).parts)
    for name, level in imports(path, late=True):
        if level == depth:  # relative to the root of the package
            assert name.split(".")[0] in MAY_IMPORT[own] | {own}, f"{own} imports {name}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_nodes_knows_the_host_and_nothing_heavy_loads_early(path: Path) -> None:
    own = room(path)
    for name, level in imports(path, late=True):
        top = name.split(".")[0]
        if level == 0 and top in HOST:
            assert own in ("nodes", "memory"), f"{path.name} imports {name}"
    for name, level in imports(path, late=False):
        top = name.split(".")[0]
        if level == 0 and own == "memory":
            assert top not in HOST | HEAVY, f"{path.name} imports {name} at module level"
        if level == 0 and own in CORE and path.stem not in ADAPTERS:
            assert top not in HEAVY | IMPURE, f"{path.name} imports {name} at module level"
        if level and path.stem not in ADAPTERS:
            assert name.split(".")[-1] not in ADAPTERS, f"{path.name} imports the adapter {name} early"


def test_loading_the_nodes_loads_no_planner_and_no_library() -> None:
    """ComfyUI's start pays for what ``nodes/__init__.py`` reaches at module level: no noun (making a dataclass takes a
    millisecond), nothing that decides."""
    light = {"choices", "values", "errors", "routes", "files"}
    reached, waiting = set(), ["__init__"]
    while waiting:
        module = waiting.pop()
        reached.add(module)
        for name, level in imports(ROOT / "nodes" / f"{module}.py", late=False):
            if level == 1 and (ROOT / "nodes" / f"{name}.py").exists() and name not in reached:
                waiting.append(name)
            assert level != 2 or name in light, f"nodes/{module}.py loads {name} at ComfyUI's start"
    assert "planning" not in reached and "auto" in reached


def test_no_family_is_named_in_code() -> None:
    from pack.data.families import families

    allowed = {ROOT / "graph" / "recipes.py"}
    for path in sources():
        if room(path) in ("data", "demo") or path in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                constants = [item.value for item in ast.walk(node) if isinstance(item, ast.Constant)]
                named = set(constants) & set(families())
                assert not named, f"{path.relative_to(ROOT)}:{node.lineno} compares with {named}"


def test_files_are_short_and_well_named() -> None:
    for path in sources():
        assert path.stem not in BANNED_NAMES, path
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 330 or path.name in NOUNS, path


def test_no_broad_except_but_to_clean_up_and_raise_again() -> None:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[-1]) != "raise":
                caught = ast.unparse(node.type) if node.type else "everything"
                assert caught not in ("everything", "Exception", "BaseException"), f"{path}:{node.lineno}"


def flat(value: object, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {key: text for name, part in value.items() for key, text in flat(part, f"{path}/{name}").items()}
    return {path: str(value)}


@pytest.mark.parametrize("name", sorted(path.name for path in WORDS["en"].glob("*.json")))
def test_every_text_is_there_in_every_language_with_the_same_values(name: str) -> None:
    texts = {language: flat(json.loads((folder / name).read_text(encoding="utf-8"))) for language, folder in WORDS.items()}
    assert texts["en"].keys() == texts["es"].keys()
    for key, english in texts["en"].items():
        assert fields(english) == fields(texts["es"][key]), key


def fields(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)", text))


def test_every_error_raised_has_its_sentence() -> None:
    sentences = json.loads((WORDS["en"] / "errors.json").read_text(encoding="utf-8"))
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
                "UserError",
                "BadRequest",
                "MissingModel",
                "Unreachable",
                "Refused",
                "NotFound",
            ):
                key = node.args[0]
                if isinstance(key, ast.Constant):
                    assert key.value in sentences, f"{path.name}:{node.lineno} {key.value}"
                    given = {word.arg for word in node.keywords if word.arg}
                    assert fields(sentences[key.value]) <= given, f"{path.name}:{node.lineno} {key.value}"


def test_every_node_has_help_and_words() -> None:
    for language, folder in WORDS.items():
        for node, words in json.loads((folder / "nodeDefs.json").read_text(encoding="utf-8")).items():
            help_page = (ROOT / "web" / "docs" / node / f"{language}.md").read_text(encoding="utf-8")
            for socket in [*words["inputs"].values(), *words["outputs"].values()]:
                assert socket["name"] in help_page, f"{node} {language}: {socket['name']}"


# --------------------------------------------------------------------------- the canvas side

SCRIPTS = ROOT / "web" / "js"
BEFORE_THE_PANEL_BYTES = 60_000
MODULES = sorted([*SCRIPTS.glob("*.js"), *SCRIPTS.glob("*.mjs")])
STATIC = re.compile(r"^(?:import|export)\s[^;]*?\bfrom\s+\"([^\"]+)\"|^import\s+\"([^\"]+)\"", re.MULTILINE)
LATE = re.compile(r"\bimport\(\s*\"([^\"]+)\"")
HOST_SCRIPTS = {"../../../scripts/app.js", "../../../scripts/api.js"}
ELSEWHERE = re.compile(r"https?://(?!www\.w3\.org/|localhost\b|127\.0\.0\.1\b)")
UNSAFE = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")


def imported(path: Path) -> list[str]:
    return [one or other for one, other in STATIC.findall(path.read_text(encoding="utf-8"))]


def test_scripts_lie_where_they_are_looked_for() -> None:
    assert sorted(path for path in (ROOT / "web").rglob("*.*js")) == MODULES, "every *.js below web/ is loaded with the page"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_script_is_short_says_what_it_is_for_and_reads_no_text_as_html(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.startswith("// "), "what it is for"
    assert len(source.splitlines()) <= 330
    assert path.stem not in BANNED_NAMES
    assert not UNSAFE.search(source)
    assert not ELSEWHERE.search(source), "nothing is had from another host"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_script_imports_its_neighbours_and_two_of_the_hosts(path: Path) -> None:
    for name in [*imported(path), *LATE.findall(path.read_text(encoding="utf-8"))]:
        assert name in HOST_SCRIPTS or (name.startswith("./") and (SCRIPTS / name).is_file()), name


def test_little_is_loaded_with_the_page() -> None:
    reached: set[Path] = set()
    waiting = list(SCRIPTS.glob("*.js"))
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting += [(SCRIPTS / name).resolve() for name in imported(path) if name.startswith("./")]
    assert sum(path.stat().st_size for path in reached) <= BEFORE_THE_PANEL_BYTES, sorted(path.name for path in reached)
