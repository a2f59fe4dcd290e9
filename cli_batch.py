"""The commands of batches: variations of a prompt on running ComfyUI servers, and which of them is the best."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .feedback import ItemState, Strategy
from .routes import DEFAULT_SERVER
from .terminal import Line, columns, note, say

if TYPE_CHECKING:
    from .batch.job import BatchProgress, Hear
    from .batch.results import BatchResult, ItemResult
    from .feedback import Batch

Command = Callable[..., argparse.ArgumentParser]


def add_commands(command: Command, asks: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the commands of this module. ``command(name, act, about, *options)`` makes one; ``asks`` adds the options that
    make a request."""
    batch = command("batch", make, "make variations of a prompt on a running ComfyUI, or on several", asks)
    batch.add_argument("--strategy", choices=[member.value for member in Strategy], default=Strategy.SEED.value)
    batch.add_argument("--count", type=int, default=4, help="pictures, 1 to 100 (default: %(default)s)")
    batch.add_argument("--seed", type=int, default=0)
    batch.add_argument("--max-seconds", type=float, help="take no more pictures than fit in so long")
    batch.add_argument("--axes", default="", help="what the strategy parameter varies: cfg, guidance, steps, sampler, size")
    batch.add_argument("--server", action="append", help=f"ComfyUI's address (default: {DEFAULT_SERVER}); may be repeated")
    batch.add_argument("--scheduler", default="", help="a Dask scheduler whose workers drive the servers")
    batch.add_argument("--output", type=Path, default=Path("output"), help="where pictures go (default: %(default)s)")
    pick = command("pick", choose, "say which picture of a batch is the best")
    pick.add_argument("id", help="the batch")
    pick.add_argument("place", type=int, help="the picture's number in it")
    pick.add_argument("--server", default=DEFAULT_SERVER, help="ComfyUI's address (default: %(default)s)")


def make(options: argparse.Namespace) -> int:
    """``batch``: 0 when every picture was made."""
    from .batch.order import order_batch
    from .cli import request_of

    servers = options.server or [DEFAULT_SERVER]
    wanted = {
        "seed": options.seed,
        "max_seconds": options.max_seconds,
        "axes": [name for name in options.axes.replace(",", " ").split() if name],
    }
    batch = order_batch(servers[0], request_of(options), options.strategy, options.count, **wanted)
    _announce(batch, options.language)
    line = Line(steps=len(batch.items))
    try:
        made = _run(batch, servers, options, lambda told: _show(line, told, options.language))
    finally:
        line.end()
    _report(made, options)
    return 0 if made.summary[ItemState.DONE.value] == len(made) else 1


def _run(batch: Batch, servers: Sequence[str], options: argparse.Namespace, hear: Hear) -> BatchResult:
    asked: dict[str, Any] = {"on_progress": hear, "save_dir": options.output, "language": options.language}
    if len(servers) > 1 or options.scheduler:
        from .batch.spread import run_spread

        return run_spread(batch, servers, scheduler=options.scheduler, **asked)
    from .batch.run import run_batch
    from .client import Client

    return run_batch(batch, Client(servers[0]), **asked)


def _announce(batch: Batch, language: str) -> None:
    from .intelligence.explain import render

    key = "batch_begins" if batch.seconds is None else "batch_begins_takes"
    note(say(key, language, id=batch.id, count=len(batch.items), seconds=f"{batch.seconds or 0:.0f}"))
    for reason in batch.reasons:
        note(render(reason, language))


def _show(line: Line, told: BatchProgress, language: str) -> None:
    left = "" if told.seconds_left is None else say("batch_left", language, seconds=f"{told.seconds_left:.0f}")
    if told.warning:
        line.end()
        note(f"{told.label}: {told.warning}")
    step = f" {told.step}/{told.steps}" if told.steps else ""
    line.show(f"{told.done}/{told.total} {told.label}{step} {told.error}{left}", told.done, told.total)


def _report(made: BatchResult, options: argparse.Namespace) -> None:
    for problem in made.problems:
        note(problem.in_language(options.language))
    sheet = options.output / f"{made.id}_sheet.png"
    items = [_told(each, options.language) for each in made]
    if options.json:
        print(json.dumps({"id": made.id, "sheet": str(sheet), "items": items}, ensure_ascii=False))
        return
    print(columns([[str(told["place"]), told["label"], told["id"] or told["error"] or told["state"]] for told in items]))
    print(sheet if sheet.exists() else options.output)


def _told(each: ItemResult, language: str) -> dict[str, Any]:
    return {
        "place": each.place,
        "label": each.label,
        "seed": each.item.variation.seed,
        "state": each.item.state.value,
        "id": each.result.id if each.result else "",
        "error": str(each.error.in_language(language)) if each.error else "",
    }


def choose(options: argparse.Namespace) -> int:
    """``pick``: the server remembers the winner, and that it is liked."""
    from .batch.order import pick_winner

    batch = pick_winner(options.server, options.id, options.place)
    label = batch.items[options.place].variation.label
    if options.json:
        print(json.dumps({"id": batch.id, "winner": batch.winner, "label": label}, ensure_ascii=False))
    else:
        print(say("batch_picked", options.language, place=options.place, label=label))
    return 0
