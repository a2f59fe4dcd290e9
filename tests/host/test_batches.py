"""Batches on a real ComfyUI: what is shared is loaded once, what fails stands alone, what was made is not made again."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pack.api import IntelligentGenerationPipeline, PipelineConfig
from pack.batch.make import batch_of, graph_of
from pack.batch.run import BatchProgress, run_batch
from pack.client import Client, Run
from pack.errors import BadRequest
from pack.feedback import Batch, ItemState, Strategy
from pack.plan import Library, Machine, Models, Plan

from .conftest import Host

Followed = list[BatchProgress]


class Counting(Client):
    """A client that remembers its runs."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.runs: list[Run] = []

    def run(self, *given: Any, **named: Any) -> Run:
        self.runs.append(super().run(*given, **named))
        return self.runs[-1]

    @property
    def executed(self) -> list[str]:
        """The native nodes that really ran, over all runs."""
        return [node.rsplit(".", 1)[-1] for run in self.runs for node in run.executed if ".iig." in node]


def plan_of(host: Host, prompt: str, **widgets: Any) -> Plan:
    """The plan the host makes; its picture is made as well, 64 × 64 in 2 steps."""
    return host.picture(host.auto(prompt=prompt, checkpoint="toy_sd15.safetensors", steps=2, **widgets)).plan


def batch(plan: Plan, count: int = 3, strategy: Strategy = Strategy.SEED, seed: int = 0) -> Batch:
    return batch_of(plan, strategy, count, seed, library=Library(), machine=Machine())


def test_seeds_load_the_model_and_read_the_prompt_once(host: Host) -> None:
    plan = replace(plan_of(host, "a dog"), prompt="a grey heron in the reeds")
    host.client.post("/free", {"unload_models": True, "free_memory": True})
    client = Counting(host.client.url)
    made = run_batch(batch(plan, 4), client)
    assert [each.item.state for each in made] == [ItemState.DONE] * 4
    executed = client.executed
    assert executed.count("checkpoint") == 1 and executed.count("sampler") == 4 == executed.count("decode")
    assert executed.count("positive") == executed.count("negative") == 1


def test_results_come_in_the_stated_order_with_their_seeds(host: Host, tmp_path: Path) -> None:
    followed: Followed = []
    wanted = batch(plan_of(host, "a red kite"), 3, seed=41)
    made = run_batch(wanted, host.client, on_progress=followed.append, save_dir=tmp_path)
    assert [each.result.generation.seed for each in made] == [41, 42, 43]
    assert len({each.result.pictures[0] for each in made}) == 3
    steps = [(told.place, told.step, told.steps) for told in followed if told.step]
    assert steps == [(place, step, 2) for place in range(3) for step in (1, 2)]
    pictures = {told.place: told.picture for told in followed if told.picture}
    assert pictures == {each.place: each.result.pictures[0] for each in made}
    assert followed[-1].total == 3 and followed[0].done == 0
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == sorted([f"{made.id}.json", f"{made.id}_sheet.png", *(f"{made.id}_00{place}.png" for place in range(3))])
    assert made.sheet().size[0] > 3 * 64


def test_a_failing_item_stands_alone(host: Host) -> None:
    wanted = batch(plan_of(host, "a red tent"), 3)
    broken = wanted.items[1]
    plan = replace(broken.variation.plan, models=Models("not_here.safetensors"))
    items = (wanted.items[0], replace(broken, variation=replace(broken.variation, plan=plan)), wanted.items[2])
    followed: Followed = []
    made = run_batch(replace(wanted, id="broken", items=items), host.client, on_progress=followed.append, language="es")
    assert [each.item.state for each in made] == [ItemState.DONE, ItemState.FAILED, ItemState.DONE]
    assert isinstance(made[1].error, BadRequest) and "not_here" in made[1].item.error
    assert [told.place for told in followed if told.error] == [1]
    assert made.summary == {"waiting": 0, "done": 2, "failed": 1}
    assert made.sheet().size[0] > 64


def test_what_was_saved_is_not_made_again(host: Host, tmp_path: Path) -> None:
    wanted = batch(plan_of(host, "a red sledge"), 3)
    stop_after_two: Followed = []

    def stopping(told: BatchProgress) -> None:
        stop_after_two.append(told)
        if told.place == 2:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        run_batch(wanted, host.client, on_progress=stopping, save_dir=tmp_path)
    client = Counting(host.client.url)
    made = run_batch(wanted, client, save_dir=tmp_path)
    assert [each.item.state for each in made] == [ItemState.DONE] * 3
    assert len(client.runs) == 1
    (tmp_path / f"{made.id}_001.png").unlink()
    client.runs.clear()
    run_batch(wanted, client, save_dir=tmp_path)
    assert len(client.runs) == 1


def test_an_interrupt_stops_the_batch_and_the_rest_waits(host: Host) -> None:
    wanted = batch(plan_of(host, "a red anchor"), 3)

    def interrupting(told: BatchProgress) -> None:
        if told.place == 1 and told.step == 1:
            host.client.post("/interrupt", {})

    slow = replace(wanted.items[1].variation, plan=_slow(wanted.items[1].variation.plan))
    items = (wanted.items[0], replace(wanted.items[1], variation=slow), wanted.items[2])
    made = run_batch(replace(wanted, id="stopped", items=items), host.client, on_progress=interrupting)
    assert made.stopped
    assert [each.item.state for each in made] == [ItemState.DONE, ItemState.WAITING, ItemState.WAITING]


def _slow(plan: Plan) -> Plan:
    return replace(plan, settings=replace(plan.settings, steps=200))


def test_a_full_disk_costs_no_picture(host: Host, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    made = run_batch(batch(plan_of(host, "a red bell"), 2), host.client, save_dir=blocked)
    assert all(each.result for each in made)
    assert made.problems and made.problems[0].code == "batch_not_saved"


def test_a_batch_through_the_api_resumes_where_the_server_stopped(host: Host) -> None:
    pipeline = IntelligentGenerationPipeline(PipelineConfig(base_model="toy_sd15", server=host.client.url))
    plan = plan_of(host, "a red lantern, watercolor painting")
    made = pipeline.generate_batch(strategy="lora", count=4, plan=plan, seed=5)
    assert made[0].item.variation.plan == plan and len(made) > 1
    assert [each.item.state for each in made] == [ItemState.DONE] * len(made)
    stacks = {tuple((choice.use.name, choice.use.strength_model) for choice in each.result.plan.loras) for each in made}
    assert len(stacks) == len(made)
    again = pipeline.generate_batch(strategy="lora", count=4, plan=plan, seed=5)
    assert again.id == made.id and all(each.item.pictures for each in again)
    assert [each.result.pictures for each in again] == [each.result.pictures for each in made]
    assert made.pick(1).batch.winner == 1
    assert len(made.best(2)) == 2


def test_the_plan_of_a_batch_is_the_picture_of_the_plan(host: Host) -> None:
    plan = plan_of(host, "a red barn", seed=9)
    item = batch(plan, 1, seed=9).items[0]
    again = host.picture(host.client.run(graph_of("one", item)))
    assert again.pixels == host.picture(host.auto(accepted_plan=again.texts["intelligent_generation"], seed=9)).pixels


def test_the_command_line_makes_a_batch_and_picks_its_winner(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pack.cli_batch import choose, make

    asked = "--prompt|a red stool|--checkpoint|toy_sd15|--width|64|--height|64|--steps|2|--count|2|--strategy|prompt|--json"
    assert make(parsed(*asked.split("|"), "--server", host.client.url, "--output", str(tmp_path))) == 0
    told = json.loads(capsys.readouterr().out)
    assert [item["state"] for item in told["items"]] == ["done", "done"]
    assert Path(told["sheet"]).exists() and len(list(tmp_path.glob("*_0*.png"))) == 2
    assert choose(parsed(told["id"], "1", "--server", host.client.url, command="pick")) == 0
    assert told["items"][1]["label"] in capsys.readouterr().out


def parsed(*arguments: str, command: str = "batch") -> argparse.Namespace:
    from pack import cli, cli_batch

    top = argparse.ArgumentParser()
    commands = top.add_subparsers()
    cli_batch.add_commands(partial(cli._command, commands), cli._asks)
    return top.parse_args([command, *arguments])
