"""The command line: make a picture, make a plan, look at the disk, explain a picture."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from . import cli_batch, cli_feedback, cli_hub, cli_memory
from .errors import LANGUAGES, UserError
from .files import write_whole
from .plan import Fixed, Kind, Mode, Offload, Plan, Priority, Request, Verbosity
from .routes import DEFAULT_SERVER
from .terminal import INTERRUPTED, is_agreed, note, say, tell_retry
from .values import clean, to_json

_MODE_HELP = "assisted: show the plan and ask; without a terminal nothing is made unless --run-anyway is given"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked, 1 with a sentence on stderr otherwise, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names in any script, also where the terminal knows ASCII alone
    try:
        return int(options.command(options))
    except UserError as error:
        note(error.in_language(options.language))
        return 1
    except KeyboardInterrupt:
        note(say("stopped", options.language))
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="intelligent-generation", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "run", _run, "start ComfyUI headless, make a picture, say why", _asks, _places)
    plan = _command(commands, "plan", _plan, "print the plan for a prompt; nothing is run", _asks, _places)
    plan.add_argument("--workflow", type=Path, help="also write the plan as a workflow of native nodes for the canvas")
    generate = _command(commands, "generate", _generate, "make a picture on a running ComfyUI", _wishes, _server)
    generate.add_argument("--mode", choices=[mode.value for mode in Mode], default="auto", help=_MODE_HELP)
    generate.add_argument("--run-anyway", action="store_true", help="with --mode assisted: make the picture without asking")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--output", type=Path, default=Path("output"), help="where pictures go (default: %(default)s)")
    _command(commands, "scan", _scan, "list the models on the disk and what they are", _places)
    family = _command(commands, "family", _family, "tell a running ComfyUI which family a model file belongs to", _server)
    family.add_argument("kind", choices=[kind.value for kind in Kind])
    family.add_argument("name", help="the file as ComfyUI lists it")
    family.add_argument("family", help="a family such as pony or illustrious; - takes back what was told")
    explain = _command(commands, "explain", _explain, "why a picture is what it is: reads the plan in its PNG")
    explain.add_argument("picture", type=Path)
    explain.add_argument("--verbosity", choices=[level.value for level in Verbosity], default="standard")
    cli_hub.add_commands(partial(_command, commands))
    cli_batch.add_commands(partial(_command, commands), _asks)
    cli_feedback.add_commands(partial(_command, commands))
    cli_memory.add_commands(partial(_command, commands))
    return top


def _command(commands: Any, name: str, act: Any, about: str, *options: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    command.set_defaults(command=act)
    command.add_argument("--language", choices=LANGUAGES, default=_language())
    command.add_argument("--json", action="store_true", help="print JSON for scripts")
    for add in options:
        add(command)
    return command


def _server(command: argparse.ArgumentParser) -> None:
    command.add_argument("--server", default=DEFAULT_SERVER, help="ComfyUI's address (default: %(default)s)")


def _asks(command: argparse.ArgumentParser) -> None:
    _wishes(command)
    command.add_argument("--mode", choices=["auto", "manual"], default="auto")


def _wishes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--prompt", required=True, help="what you want to see")
    command.add_argument("--negative", help="what you do not want to see")
    command.add_argument("--priority", choices=[member.value for member in Priority], default="balanced")
    command.add_argument("--checkpoint", help="model to use; part of its name is enough")
    command.add_argument("--width", type=int)
    command.add_argument("--height", type=int)
    command.add_argument("--steps", type=int)
    command.add_argument("--cfg", type=float)
    command.add_argument("--memory", choices=["auto", *(each.value for each in Offload)], default="auto")
    command.add_argument("--verbosity", choices=[level.value for level in Verbosity], default="standard")


def _places(command: argparse.ArgumentParser) -> None:
    cli_hub.models_place(command)
    command.add_argument("--output", type=Path, default=Path("output"), help="where pictures go (default: %(default)s)")


def request_of(options: argparse.Namespace) -> Request:
    """The request that the options make."""
    fixed = Fixed(width=options.width, height=options.height, steps=options.steps, cfg=options.cfg)
    return Request(
        prompt=clean(options.prompt),
        negative=options.negative,
        mode=Mode(options.mode),
        priority=Priority(options.priority),
        fixed=fixed,
        checkpoint=options.checkpoint,
        loras=() if options.mode == "manual" else None,
        language=options.language,
        memory=None if options.memory == "auto" else Offload(options.memory),
    )


def _run(options: argparse.Namespace) -> int:
    from .local import run_locally

    return run_locally(request_of(options), options)


def _plan(options: argparse.Namespace) -> int:
    from .local import plan_locally

    plan = plan_locally(request_of(options), options)
    _print_plan(plan, options)
    if options.workflow:
        _write_workflow(plan, options.workflow)
    return 0


def _write_workflow(plan: Plan, path: Path) -> None:
    from .graph import saving
    from .graph.workflow import to_workflow

    if path.exists():
        raise UserError("file_exists", path=str(path))
    write_whole(path, json.dumps(to_workflow(saving(plan, 0, "IIG")), indent=1, ensure_ascii=False) + "\n")


def _family(options: argparse.Namespace) -> int:
    from .api import tell_family

    tell_family(options.server, Kind(options.kind), options.name, None if options.family == "-" else options.family)
    return 0


def _generate(options: argparse.Namespace) -> int:
    from .api import generate, recommend

    plan = recommend(options.server, request_of(options))
    if options.mode == Mode.ASSISTED.value and not options.run_anyway and not _agreed(plan, options):
        return 0
    result = generate(options.server, plan, options.seed, tell_retry)
    pictures = [str(path) for path in result.save(free_name(options.output / f"{result.id}.png"))]
    if options.json:
        print(json.dumps({"id": result.id, "images": pictures, "plan": json.loads(to_json(result.plan))}))
    else:
        print("\n".join([result.explanation.get_full_explanation(Verbosity(options.verbosity)), *pictures]))
    return 0


def _agreed(plan: Plan, options: argparse.Namespace) -> bool:
    """Show the plan and ask; where nobody can answer, nothing is made."""
    _print_plan(plan, options)
    agreed = None if options.json else is_agreed(say("assisted.ask", options.language), options.language)
    if agreed is None:
        note(say("assisted.waits", options.language))
    return bool(agreed)


def free_name(path: Path) -> Path:
    """``path``, or the first of ``path_2``, ``path_3`` … that is not there yet."""
    numbered = (path.with_stem(f"{path.stem}_{number}") for number in count(2))
    return path if not path.exists() else next(name for name in numbered if not name.exists())


def _scan(options: argparse.Namespace) -> int:
    from .local import local_library

    files = local_library(options).files
    if options.json:
        print(json.dumps([json.loads(to_json(file)) for file in files]))
        return 0
    for kind in Kind:
        for file in (file for file in files if file.kind is kind):
            print(f"{kind.value:17} {file.family or '?':14} {file.name}  {_state(file, options.language)}".rstrip())
    return 0


def _explain(options: argparse.Namespace) -> int:
    from .intelligence.explain import explain
    from .result import generation_in

    generation = generation_in(options.picture)
    if options.json:
        print(to_json(generation))
    else:
        print(explain(generation.plan, Verbosity(options.verbosity), options.language))
    return 0


def _print_plan(plan: Plan, options: argparse.Namespace) -> None:
    from .intelligence.explain import explain

    print(to_json(plan) if options.json else explain(plan, Verbosity(options.verbosity), options.language))


def _state(file: Any, language: str) -> str:
    return "" if file.usable else str(UserError(file.problem, language, name=file.name))


def _language() -> str:
    spoken = os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return spoken[:2] if spoken[:2] in LANGUAGES else "en"
