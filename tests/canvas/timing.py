"""How long a page's scripts take, as the browser itself measures it: its CPU profiler, and its observer of long tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page

INTERVAL_US = 200
WATCH = """() => { window.iigLong = []; window.iigWatch = new PerformanceObserver((list) =>
    window.iigLong.push(...list.getEntries().map((each) => each.duration))); window.iigWatch.observe({ type: "longtask" }); }"""
STOP = """() => { window.iigLong.push(...window.iigWatch.takeRecords().map((each) => each.duration));
    window.iigWatch.disconnect(); return window.iigLong; }"""


@contextmanager
def profiled(page: Page) -> Iterator[dict[str, Any]]:
    """The CPU profile of what happens meanwhile; filled in when it is over."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Profiler.enable")
    devtools.send("Profiler.setSamplingInterval", {"interval": INTERVAL_US})
    devtools.send("Profiler.start")
    profile: dict[str, Any] = {}
    yield profile
    profile.update(devtools.send("Profiler.stop")["profile"])
    devtools.detach()


def time_below_ms(profile: dict[str, Any], address: str) -> float:
    """Milliseconds in which a function of a script whose address holds ``address`` was running, what it called of others' code
    included. Waiting and loading over the network are no running."""
    nodes = {node["id"]: node for node in profile["nodes"]}
    ours = {key for key, node in nodes.items() if address in node["callFrame"]["url"]}
    waiting = list(ours)
    while waiting:
        below = set(nodes[waiting.pop()].get("children", ())) - ours
        ours |= below
        waiting += below
    spent = zip(profile["samples"], [*profile["timeDeltas"][1:], 0], strict=True)
    return sum(micros for node, micros in spent if node in ours) / 1000


def watch_long_tasks(page: Page) -> None:
    page.evaluate(WATCH)


def long_tasks_ms(page: Page) -> list[float]:
    """Tasks of more than 50 ms since ``watch_long_tasks``, in milliseconds."""
    page.wait_for_timeout(100)  # the observer is told a moment later
    return [float(each) for each in page.evaluate(STOP)]
