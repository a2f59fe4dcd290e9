"""REST routes of memory: how full it is, once or every second; give some back; the settings."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from ..errors import BadRequest
from ..memory.options import change_options as change
from ..memory.options import read_options
from ..memory.release import WHAT, ask_host
from ..memory_report import figures, report
from ..plan import Verbosity
from ..readout import Readout
from ..routes import LANGUAGE
from . import asking, host
from .answering import Asked
from .feedback import one_of
from .keep import KEEPER
from .listening import LONGEST_S, MOST_CLIENTS, listeners
from .pooling import note_clean_up, pool
from .watching import let_go_if_idle, readout

FREED_WITHIN_S = 20.0
CHECK_S = 0.1


def memory(asked: Asked) -> dict[str, Any]:
    """How full the memory is, and what fills it; also as Markdown."""
    verbosity = asking.choice(Verbosity, asked.text("verbosity", Verbosity.STANDARD.value))
    found = readout()
    return {**figures(found, asked.language), "markdown": report(found, verbosity, asked.language)}


def listen(asked: Asked) -> dict[str, Any]:
    """Send the event ``intelligent_generation.memory`` to a client every second, for some seconds from now."""
    client_id, seconds = asked.text("client_id"), asked.given.get("seconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= LONGEST_S:
        raise BadRequest("out_of_range", faults=f"seconds {str(seconds)[:20]} (0–{LONGEST_S})")
    if not listeners().lend(client_id, seconds, asked.language):
        raise BadRequest("memory_listeners", most=MOST_CLIENTS)
    return {"client_id": client_id, "seconds": seconds}


def settings(asked: Asked) -> dict[str, Any]:
    """The settings of memory in force, the environment's included."""
    from ..memory.reading import ram

    options = read_options(host.data_folder())
    return {"options": asdict(options), "pool_bytes": options.pool_bytes(ram().total_bytes)}


def change_settings(asked: Asked) -> dict[str, Any]:
    """Keep changed settings; what the environment sets stays."""
    change(host.data_folder(), {name: value for name, value in asked.given.items() if name != LANGUAGE})
    return settings(asked)


# --------------------------------------------------------------------------- free


def free(asked: Asked) -> dict[str, Any]:
    """Give memory back: ``models`` leave the GPU, ``pool`` forgets what it keeps in RAM, ``everything`` is as ComfyUI's own
    button and the pool. While a prompt runs it happens when that is over, and ``later`` says so."""
    from ..plan import Reason

    what = one_of(asked.text("what"), WHAT)
    before = readout()
    if what != "pool":
        ask_host(unload=True, results=what == "everything")  # as ComfyUI's own button, on dynamic VRAM, too
    if what != "models":
        pool().forget()
    if what == "everything":
        KEEPER.forget()
    later = not _went()
    freed = 0 if later else _freed_bytes(before, readout())
    if freed:
        note_clean_up(freed, Reason("memory", "clean.asked", {}))
    return {"what": what, "freed_bytes": freed, "later": later}


def _went() -> bool:
    """Wait until the worker did what it was asked for; then what was set aside goes, while it is held. False while a
    prompt runs: what was set aside goes when the worker comes by."""
    deadline = time.monotonic() + FREED_WITHIN_S
    while not host.is_sampling() and time.monotonic() < deadline:
        if let_go_if_idle():
            return True
        time.sleep(CHECK_S)
    return False


def _freed_bytes(before: Readout, after: Readout) -> int:
    """On every device and in RAM: what left the GPU lies in RAM afterwards, and is given back there all the same."""
    used = {each.device: each.used_bytes for each in after.devices}
    devices = sum(max(0, each.used_bytes - used.get(each.device, 0)) for each in before.devices)
    return devices + max(0, before.ram.process_bytes - after.ram.process_bytes)
