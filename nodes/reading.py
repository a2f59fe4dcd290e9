"""The language model that may read prompts: Ollama where it runs, on this machine unless told otherwise. It may share its
memory with what draws, so every prompt of a graph is read before the first picture is drawn."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..intelligence.analyze import analyze
from ..plan import Analysis, Reader
from ..reading_options import read_options
from ..values import clean
from . import own_queue
from .host import data_folder, stop_if_interrupted

if TYPE_CHECKING:
    from ..intelligence.ollama import OllamaReader

TIMEOUT_S = 30.0
MOST_ANSWERS = 64
# Nodes of ours that read a prompt by themselves, unless something brings the reading along.
READING = {
    "IIG_AutoPipeline",
    "IIG_AnalyzePrompt",
    "IIG_ChooseModel",
    "IIG_RecommendLoras",
    "IIG_OptimizeParameters",
    "IIG_NegativePrompt",
    "IIG_BatchVariations",
}
BROUGHT = ("analysis", "plan", "accepted_plan")
SHOWING = {"IIG_BatchVariations"}  # runs though nothing hangs on it

_Key = tuple[str, str, str]  # address, model and prompt
_answers: OrderedDict[_Key, Analysis] = OrderedDict()  # kept from run to run: at temperature 0 it would say the same
_failures: dict[tuple[str, _Key], Analysis] = {}  # of one run, whose id comes first


def ollama() -> OllamaReader:
    """The reader, told by the person's settings and the environment; never by a widget, so that a shared workflow cannot
    point it elsewhere."""
    options = read_options(data_folder())
    return reader_of(options.url, options.model)


@lru_cache(maxsize=4)
def reader_of(url: str, model: str) -> OllamaReader:
    """The reader of a server; ``model`` empty = the first that can read prompts. Kept: it knows who did not answer."""
    from ..intelligence.ollama import OllamaReader

    return OllamaReader(
        url=url,
        model=model or None,
        timeout_s=TIMEOUT_S,
        clock=time.monotonic,
        interrupted=stop_if_interrupted,
    )


def read(analysis: Analysis) -> Analysis:
    """``analysis`` as the language model reads it. Inside a run whatever else in its graph is to be read is read along,
    and nothing twice."""
    run = own_queue.running_id()
    _read_all({_key(each.prompt): each for each in (analysis, *_others(run))}, run)
    return _answers.get(_key(analysis.prompt)) or _failures.get((run, _key(analysis.prompt))) or analysis


def read_ahead() -> None:
    """Read whatever will be read in the graph that runs; for a node that draws and needs no reading itself."""
    run = own_queue.running_id()
    _read_all({_key(each.prompt): each for each in _others(run)}, run)


def _read_all(wanted: Mapping[_Key, Analysis], run: str) -> None:
    # What asks outside a run leaves those of the run that goes on; its own it does not keep.
    for known in [known for known in list(_failures) if (known[0] != run if run else not known[0])]:
        _failures.pop(known, None)
    new = [(key, each) for key, each in wanted.items() if key not in _answers and (run, key) not in _failures]
    if not new:
        return
    for (key, _), answer in zip(new, ollama().read_all([each for _, each in new]), strict=True):
        if answer.reader is Reader.OLLAMA:
            _answers[key] = answer
        else:
            _failures[run, key] = answer
    while len(_answers) > MOST_ANSWERS:
        _answers.popitem(last=False)


def _key(prompt: str) -> _Key:
    reader = ollama()
    return reader.url, reader.model or "", clean(prompt)


def _others(run: str) -> Iterator[Analysis]:
    """The prompts of the graph that runs, as the rules read them."""
    entry = own_queue.running(run) if run else None
    return (analyze(clean(text)) for text in sorted(set(prompts_in(entry.nodes if entry else {}))))


def prompts_in(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The literal prompts that nodes of ours in this graph will have read by the language model."""
    used = {value[0] for node in nodes.values() for value in node["inputs"].values() if isinstance(value, list) and value}
    for name, node in nodes.items():
        if node.get("class_type") in READING and (name in used or node["class_type"] in SHOWING):
            inputs, prompt = node["inputs"], node["inputs"].get("prompt")
            is_read = inputs.get("reader") != Reader.RULES.value and not any(inputs.get(each) for each in BROUGHT)
            if is_read and isinstance(prompt, str) and prompt.strip():
                yield prompt
