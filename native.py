"""A plan run as ComfyUI's own nodes, on a server that may lack this pack: what the pack would see to there is seen to
here."""

from __future__ import annotations

from .client import Client, Follow, RanOut
from .errors import BadRequest
from .graph import api
from .intelligence.explain import render
from .intelligence.relief import WARNING, relieve, was_relieved
from .intelligence.revise import Place
from .plan import Generation, Plan, Reason
from .result import Result
from .routes import MEMORY_PATH, RETRIED

PREFIX = "IIG"


def generate_natively(server: str, plan: Plan, seed: int, place: Place, follow: Follow | None = None) -> Result:
    """Run the plan's native graph and fetch its pictures; where memory runs out once more, with the next cheaper plan made
    against ``place``, unless the server's memory settings forbid it. Raises ``RanOut`` with what to do where that does not
    help, ``BadRequest`` with ComfyUI's words when it fails otherwise, ``Unreachable`` when it does not answer."""
    client = Client(server)
    try:
        return _made(client, plan, seed, follow)
    except RanOut as fault:
        cheaper = _cheaper(client, plan, place, fault)
    said = render(next(each for each in cheaper.warnings if each.key == WARNING), cheaper.request.language)
    if follow:
        follow(RETRIED, {"prompt_id": "", "retry_id": "", "node": "", "sentence": said})
    try:
        return _made(client, cheaper, seed, follow, said)
    except RanOut as fault:
        raise _ended(fault, "overflow.again", plan) from fault


def _cheaper(client: Client, plan: Plan, place: Place, fault: RanOut) -> Plan:
    if not _is_wished(client):
        raise fault
    if was_relieved(plan):
        raise _ended(fault, "overflow.again", plan) from fault
    cheaper = relieve(plan, place)
    if cheaper is None:
        raise _ended(fault, "overflow.nothing_left", plan) from fault
    return cheaper


def _is_wished(client: Client) -> bool:
    """Whether the server's settings let a prompt be queued once more; one without this pack has no such settings."""
    try:
        return bool(client.get(f"{MEMORY_PATH}/settings")["options"]["retry"])
    except BadRequest:
        return True


def _ended(fault: RanOut, key: str, plan: Plan) -> RanOut:
    said = render(Reason("memory", key), plan.request.language)
    return RanOut("comfyui_failed", problem=f"{fault.values['problem']}\n{said}")


def _made(client: Client, plan: Plan, seed: int, follow: Follow | None, *said: str) -> Result:
    run = client.run(api(plan, seed, PREFIX), follow)
    pictures = tuple(client.image(image) for image in run.images())
    return Result(Generation(plan, seed), pictures, plan.request.language, warnings=said)
