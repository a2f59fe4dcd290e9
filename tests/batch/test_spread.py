"""What several servers need is asked for in words."""

from __future__ import annotations

import sys

import pytest
from pack.batch.spread import run_spread
from pack.errors import BadRequest, Unreachable, UserError
from pack.feedback import Strategy

from .test_make import made, plan_of


def test_without_dask_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install -r requirements-distributed\.txt"):
        run_spread(made(plan_of(), Strategy.SEED, 2), ["http://127.0.0.1:1"])


def test_servers_are_needed() -> None:
    with pytest.raises(BadRequest, match="No server is named"):
        run_spread(made(plan_of(), Strategy.SEED, 2))


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    pytest.importorskip("distributed", reason="DISTRIBUTED SKIPPED: pip install -r requirements-distributed.txt")
    with pytest.raises(Unreachable, match=r"tcp://127\.0\.0\.1:1"):
        run_spread(made(plan_of(), Strategy.SEED, 2), scheduler="tcp://127.0.0.1:1")
