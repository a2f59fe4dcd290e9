"""The commands of the model hubs: what they are called and what they take. Each is loaded when it is run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .offers import Period, Sort

if TYPE_CHECKING:
    from .hub.desk import Desk

Command = Callable[..., argparse.ArgumentParser]


def models_place(command: argparse.ArgumentParser) -> None:
    """The options that say where the models lie."""
    comfyui = os.environ.get("COMFYUI_PATH") or None
    command.add_argument("--comfyui", type=Path, default=comfyui, help="ComfyUI's folder")
    command.add_argument("--models", type=Path, help="a models folder to use instead of ComfyUI's")


def add_commands(command: Command) -> None:
    """Add every command of this module and its neighbours. ``command(name, act, about, *options)`` makes one."""
    from .hub.sources import hub_names

    _search_command(command, hub_names())
    _download_commands(command)
    _library_commands(command)
    token = command(
        "token", _late("cli_settings", "token"), "store the key to a hub, read from the terminal or from stdin", models_place
    )
    token.add_argument("hub", nargs="?", help="the hub; without it: which hubs there is a key for")
    token.add_argument("--forget", action="store_true", help="delete the stored key")
    settings = command(
        "hub-settings", _late("cli_settings", "hub_settings"), "show or change the settings of the hubs", models_place
    )
    settings.add_argument("changes", nargs="*", metavar="NAME=VALUE", help="lists are separated by commas")
    cache = command(
        "cache", _late("cli_settings", "cache"), "show or clear what is kept of the hubs' answers and previews", models_place
    )
    cache.add_argument("--clear", nargs="?", const="all", metavar="KIND", help="clear one kind, or all")


def _search_command(command: Command, hubs: tuple[str, ...]) -> None:
    search = command("search", _late("cli_search", "search_hubs"), "search the hubs for models", models_place)
    search.add_argument("words", nargs="*", help="what to look for")
    search.add_argument("--hub", action="append", choices=hubs, help="ask this hub only; may be repeated")
    search.add_argument("--kind", action="append", default=[], help="lora, checkpoint, embedding …; may be repeated")
    bases = search.add_mutually_exclusive_group()
    bases.add_argument("--base-model", action="append", default=[], help='as hubs write it, such as "SDXL 1.0"')
    bases.add_argument("--fitting", action="store_true", help="only what works with the models that are here")
    search.add_argument("--tag", default="")
    search.add_argument("--sort", choices=[member.value for member in Sort], default=Sort.RELEVANCE.value)
    search.add_argument("--period", choices=[member.value for member in Period], default=Period.ALL.value)
    search.add_argument("--nsfw", action="store_true", help="adult content too")
    search.add_argument("--limit", type=int, default=10, help="results of each hub (default: %(default)s)")
    search.add_argument("--cursor", default="", help="go on where an earlier search of one hub ended")
    search.add_argument("--verbose", action="store_true", help="say why something fits or does not")


def _download_commands(command: Command) -> None:
    download = command("download", _late("cli_download", "download"), "fetch a model, check it, put it in place", models_place)
    download.add_argument("ref", help="a page address, an AIR urn, a Hugging Face repository, or a reference from search")
    download.add_argument("--kind", default="", help="the folder it belongs in, where the hub does not say")
    download.add_argument("--file", default="", help="which of the model's files: its name or id")
    download.add_argument("--allow-pickle", action="store_true", help="fetch this file although opening it can run code")
    download.add_argument("--yes", action="store_true", help="fetch it even if it does not fit this machine")
    downloads = command("downloads", _late("cli_download", "downloads"), "list the downloads, or change one", models_place)
    one = downloads.add_mutually_exclusive_group()
    for act in ("pause", "resume", "cancel", "forget"):
        one.add_argument(f"--{act}", metavar="ID")


def _library_commands(command: Command) -> None:
    identify = command("identify", _late("cli_library", "identify"), "recognise model files by their checksums", models_place)
    identify.add_argument("file", nargs="?", help="a file or a checksum; without it: all files that are here")
    identify.add_argument("--refresh", action="store_true", help="ask the hubs again")
    library = command(
        "library", _late("cli_library", "library"), "list the models that are here with all that is known", models_place
    )
    library.add_argument("words", nargs="*", help="only files with these words in their name, title or tags")
    library.add_argument("--kind", action="append", default=[], help="lora, checkpoint, embedding …; may be repeated")
    library.add_argument("--updates", action="store_true", help="ask the hubs for newer versions and list those")
    library.add_argument("--delete", metavar="NAME", help="delete this model file")
    library.add_argument("--yes", action="store_true", help="delete without asking")


def _late(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """A command of another module, which is loaded when it is run."""

    def act(options: argparse.Namespace) -> int:
        from importlib import import_module

        return int(getattr(import_module(f".{module}", __package__), name)(options))

    return act


@contextmanager
def opened(options: argparse.Namespace, needs_place: bool = True) -> Iterator[Desk]:
    """The desk of the person's place, closed at the end."""
    from .local import local_desk

    desk = local_desk(options, needs_place)
    try:
        yield desk
    finally:
        desk.close()
