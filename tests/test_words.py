"""Everything a person reads exists in English and in Spanish, on the canvas too, and nothing was left untranslated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pack.errors import LANGUAGES

from .canvas.scripts import Token, closing, literal, modules, parts, tables, tokens

ROOT = Path(__file__).parent.parent
LOCALES = {language: ROOT / "locales" / language for language in LANGUAGES}
NAMES = sorted(path.name for path in LOCALES["en"].glob("*.json"))
SAME = {
    "terms of the field, which Spanish speakers use as they are": """prompt prompts checkpoint checkpoints lora loras cfg guidance sampler
        scheduler shift clip skip denoise vae lora_stack json batch hub hubs token tokens steps embeddings
        controlnet controlnets vision""",
    "Spanish words that are written the same": "no plan normal simple error manual total final natural visible favorita editable ideas",
    "names and units": """intelligent generation comfyui ollama civitai hugging face huggingface nvidia sha mb gb gib mib vram ram px mp min s url
        gpu cpu auto png ai id ui nsfw sfw""",
}
ALLOWED = {word for words in SAME.values() for word in words.split()}
SPOKEN = ("title", "placeholder", "label", "aria-label", "ariaLabel", "textContent", "innerText", "alt", "tooltip", "summary")
CALLS = {
    "element": 2,
    "toast": 1,
    "append": 0,
    "replaceChildren": 0,
    "prepend": 0,
    "confirm": 0,
    "alert": 0,
}  # first argument that is read
NAME = "Intelligent Generation"
LOOKED_FOR = {  # entries of the frontend's own menus, found by their names in its languages
    "Copy Image", "Copiar Imagen", "Copiar imagen", "Save Image", "Guardar Imagen", "Guardar imagen",
}  # fmt: skip
IDENTIFIER = re.compile(r"^[a-z]+(_[a-z]+)+$")
SENTENCE = re.compile(r"^(?!Intelligent Generation$)[A-ZÁÉÍÓÚÑ¿¡][\w'’]*,?( [\w'’(]+,?)+[ .:?!…]*$")
COMMANDS_OURS = re.compile(r"^(IIG|IntelligentGeneration)\.[A-Za-z.]*$")


def texts(name: str, language: str) -> dict[str, Any]:
    words: dict[str, Any] = json.loads((LOCALES[language] / name).read_text(encoding="utf-8"))
    return words


def flat(value: object, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {key: text for name, part in value.items() for key, text in flat(part, f"{path}/{name}").items()}
    return {path: str(value)}


def untranslated(english: str, spanish: str) -> list[str]:
    """The words of a text that is the same in both languages and that Spanish does not share."""
    if english != spanish:
        return []
    plain = re.sub(r"\{\w+\}|https?://\S+|\b\w+/\w+\b", " ", english)
    return [word for word in re.findall(r"[^\W\d_]\w*", plain) if word.lower() not in ALLOWED and len(word) > 1]


# --------------------------------------------------------------------------- files of words


@pytest.mark.parametrize("name", NAMES)
def test_files_of_words_are_translated(name: str) -> None:
    both = {language: flat(texts(name, language)) for language in LANGUAGES}
    assert both["en"].keys() == both["es"].keys()
    left = {key: text for key, text in both["en"].items() if untranslated(text, both["es"][key])}
    assert not left


def test_the_languages_have_the_same_files() -> None:
    assert len({tuple(sorted(path.name for path in folder.glob("*"))) for folder in LOCALES.values()}) == 1


def test_every_input_has_its_tooltip() -> None:
    for language in LANGUAGES:
        for node, words in texts("nodeDefs.json", language).items():
            assert words["display_name"] and words["description"], f"{language} {node}"
            bare = [name for name, socket in words["inputs"].items() if not socket.get("tooltip")]
            assert not bare, f"{language} {node}: {bare}"


# --------------------------------------------------------------------------- the canvas side


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_tables_of_words_are_translated(path: Path) -> None:
    found = tokens(path.read_text(encoding="utf-8"))
    for first, _ in tables(found):
        words = {language: flat(literal(found, first)[language]) for language in LANGUAGES}
        where = f"{path.name}:{found[first].line}"
        assert words["en"].keys() == words["es"].keys(), where
        for key, english in words["en"].items():
            assert not untranslated(english, words["es"][key]), f"{where} {key}: {english}"
            assert fields(english) == fields(words["es"][key]), f"{where} {key}"


def fields(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_words_asked_for_are_in_the_tables(path: Path) -> None:
    found = tokens(path.read_text(encoding="utf-8"))
    known = {key for first, _ in tables(found) for key in flat(literal(found, first)["en"])}
    for at, token in enumerate(found[:-2]):
        if known and token.text == "say" and found[at + 1].text == "(" and found[at + 2].kind == "string":
            single = found[at + 3].text in (",", ")")
            assert not single or f"/{found[at + 2].said}" in known, f"{path.name}:{token.line} {found[at + 2].said}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_nothing_is_said_outside_the_tables(path: Path) -> None:
    found = tokens(path.read_text(encoding="utf-8"))
    spans = tables(found)
    left = [token for at, token in spoken(found) if not any(first <= at <= last for first, last in spans)]
    left = [token for token in left if token.said not in (translated_by_host() | LOOKED_FOR)]
    assert not [f"{path.name}:{token.line} {token.text}" for token in left]


@cache
def translated_by_host() -> set[str]:
    """English labels of commands and settings, and names of their groups: ComfyUI says them in the person's language."""
    labels = {text for name in ("commands.json", "settings.json") if name in NAMES for text in flat(texts(name, "en")).values()}
    groups = texts("main.json", "en").get("settingsCategories", {}) if "main.json" in NAMES else {}
    return labels | set(groups) | set(groups.values())


def spoken(found: list[Token]) -> Iterator[tuple[int, Token]]:
    """Literals that a person would read: arguments of what shows them, and what is assigned to what is read."""
    for at, token in enumerate(found):
        if SENTENCE.match(token.said) and token.kind in ("string", "template") and not is_command(found, at):
            yield at, token
        elif token.kind == "word" and token.text in CALLS and found[at + 1].text == "(":
            yield from arguments(found, at + 1, CALLS[token.text])
        elif token.text == "setAttribute" and found[at + 2].said in SPOKEN:
            yield from arguments(found, at + 1, 1)
        elif token.text.strip("\"'") in SPOKEN and at + 2 < len(found) and found[at + 1].text in (":", "="):
            yield from [(at + 2, found[at + 2])] if is_words(found[at + 2]) and not is_command(found, at) else []


def arguments(found: list[Token], bracket: int, first: int) -> Iterator[tuple[int, Token]]:
    assert closing(found, bracket)
    for at, (start, end) in enumerate(parts(found, bracket)):
        if at >= first and start == end and is_words(found[start]):
            yield start, found[start]


@pytest.mark.parametrize(
    "line",
    [
        'place.append(element("p", {}, "Nothing here"));',
        'box.textContent = "Loading";',
        'element("button", { type: "button", "aria-label": "close" }, mark)',
        'box.setAttribute("title", "more")',
        "const told = found ? `Found it at ${place}` : say('none');",
    ],
)
def test_a_literal_is_found_out(line: str) -> None:
    assert list(spoken(tokens(line)))


@pytest.mark.parametrize("line", ['element("p", { class: "quiet" }, say("none"))', 'element("p", {}, `${count}/${total}`)'])
def test_what_is_no_literal_is_let_be(line: str) -> None:
    assert not list(spoken(tokens(line)))


def is_words(token: Token) -> bool:
    return (
        token.kind in ("string", "template")
        and token.said != NAME
        and not IDENTIFIER.match(token.said)
        and bool(untranslated(token.said, token.said))
    )


def is_command(found: list[Token], at: int) -> bool:
    """Commands carry an English label of their own, for hosts that do not look into locales/*/commands.json."""
    nearby = found[max(0, at - 14) : at]
    return any(token.text == "id" for token in nearby) and any(COMMANDS_OURS.match(token.said) for token in nearby)


# --------------------------------------------------------------------------- commands and settings


def registered() -> set[str]:
    """Ids of commands and settings in the scripts; one made of a view's id is written out."""
    ids = set()
    for path in modules():
        source = path.read_text(encoding="utf-8")
        ids |= set(re.findall(r"\bid: \"((?:IIG|IntelligentGeneration)\.[\w.]+)\"", source))
        if "`IIG.Show.${id}`" in source:
            ids |= {f"IIG.Show.{view}" for view in re.findall(r"\{ id: \"(\w+)\", label: ", source)}
    return ids


@pytest.mark.parametrize("language", LANGUAGES)
def test_commands_and_settings_have_their_labels(language: str) -> None:
    labels = {key: words["label"] for key, words in texts("commands.json", language).items()}
    if "settings.json" in NAMES:
        labels |= {key: words["name"] for key, words in texts("settings.json", language).items()}
    ids = {name.replace(".", "_") for name in registered()}
    assert len(ids) >= 9
    assert not ids - labels.keys(), "registered in a script and without a label"
    assert all(labels.values())
