"""The command ``memory``: how full the memory of a running ComfyUI is, give some back, the settings, a line every second."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import BadRequest
from .memory.release import WHAT
from .plan import Verbosity
from .routes import DEFAULT_SERVER
from .terminal import cell, columns, printable, say

if TYPE_CHECKING:
    from .readout import Readout

Command = Callable[..., argparse.ArgumentParser]
EVERY_S = 1.0
ESCAPED = re.compile(r"\\([\\|`*_\[\]<>#])")  # what Markdown would take for its own, and a terminal does not
AUTO = "auto"  # how a setting that is left to the pack is typed and shown


def add_commands(command: Command) -> None:
    """Add the command of this module. ``command(name, act, about, *options)`` makes one."""
    memory = command("memory", act, "how full a running ComfyUI's memory is; give some back; the settings of memory")
    memory.add_argument("action", nargs="?", choices=tuple(_ACTIONS), default="show", help="(default: %(default)s)")
    memory.add_argument(
        "arguments",
        nargs="*",
        metavar="ARGUMENT",
        help=f"free: {', '.join(WHAT)}; settings: NAME=VALUE, such as pool_gb=8 or pool_gb=auto",
    )
    memory.add_argument("--verbosity", choices=[level.value for level in Verbosity], default="standard")
    memory.add_argument("--server", default=DEFAULT_SERVER, help="ComfyUI's address (default: %(default)s)")


def act(options: argparse.Namespace) -> int:
    """Run the action that was named. Raises ``BadRequest`` for arguments that it does not take."""
    if options.arguments and options.action in ("show", "watch"):
        raise BadRequest("memory_arguments", action=options.action, arguments=" ".join(options.arguments)[:80])
    return _ACTIONS[options.action](options)


def show(options: argparse.Namespace) -> int:
    """The whole readout, once."""
    told = _asked(options)
    print(json.dumps(told) if options.json else printable(ESCAPED.sub(r"\1", told["markdown"])).rstrip())
    return 0


def watch(options: argparse.Namespace) -> int:
    """A line every second, until Ctrl-C."""
    from .memory_report import line

    while True:
        told = _asked(options)
        print(json.dumps(told) if options.json else f"{_clock(told['at'])}  {line(_readout(told), options.language)}")
        sys.stdout.flush()
        time.sleep(EVERY_S)


def free(options: argparse.Namespace) -> int:
    """Give memory back: of models, unless something else is named."""
    from .api import ask_server
    from .intelligence.explain import in_binary_units
    from .routes import MEMORY_PATH

    what = " ".join(options.arguments) or WHAT[0]
    if what not in WHAT:
        raise BadRequest("not_a_choice", value=what[:80], choices=", ".join(WHAT))
    told = json.loads(ask_server(options.server, f"{MEMORY_PATH}/free", _body(options, what=what)))
    if options.json:
        print(json.dumps(told))
    else:
        print(say(_outcome(told), options.language, freed=in_binary_units(told["freed_bytes"])))
    return 0


def _outcome(told: Mapping[str, Any]) -> str:
    if told["later"]:
        return "memory_freed_later"
    return "memory_freed" if told["freed_bytes"] else "memory_freed_none"


def settings(options: argparse.Namespace) -> int:
    """Show the settings, changed first where changes are given."""
    from .api import ask_server
    from .intelligence.explain import in_binary_units
    from .routes import MEMORY_PATH

    path = f"{MEMORY_PATH}/settings"
    if options.arguments:
        told = json.loads(ask_server(options.server, path, _body(options, **dict(map(_setting, options.arguments)))))
    else:
        told = _get(options, path)
    if options.json:
        print(json.dumps(told["options"]))
        return 0
    rows = [[name, _printed(value)] for name, value in told["options"].items()]
    print(columns(rows))
    print(say("memory_pool_limit", options.language, limit=in_binary_units(told["pool_bytes"])))
    return 0


_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "show": show,
    "free": free,
    "settings": settings,
    "watch": watch,
}


# --------------------------------------------------------------------------- asked


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    from .routes import MEMORY_PATH

    return _get(options, MEMORY_PATH, verbosity=options.verbosity)


def _get(options: argparse.Namespace, path: str, **query: str) -> dict[str, Any]:
    from .client import Client

    told: dict[str, Any] = Client(options.server).get(path, language=options.language, **query)
    return told


def _body(options: argparse.Namespace, **given: Any) -> str:
    return json.dumps({**given, "language": options.language})


def _readout(told: Mapping[str, Any]) -> Readout:
    from .readout import Readout
    from .values import from_json

    return from_json(Readout, json.dumps(told))


def _setting(text: str) -> tuple[str, Any]:
    """``name=value``, the value as JSON where it is some. Raises ``BadRequest``."""
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest("setting_unreadable", text=text)
    name = name.strip().replace("-", "_")
    if value.strip().lower() == AUTO:
        return name, None
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _printed(value: object) -> str:
    return AUTO if value is None else cell(json.dumps(value).strip('"'), 200)


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
