"""A ComfyUI server as seen from outside: queue a graph, follow its progress, fetch its pictures."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from .errors import BadRequest, Unreachable
from .intelligence.out_of_memory import is_out_of_memory
from .routes import RETRIED, RETRY_PATH

TIMEOUT_S = 30
DECIDE_S = 90  # the server plans anew after memory ran out, then waits up to 60 s (nodes/own_queue.py) to queue that
SILENCE_S = 600  # longest pause between two messages of a running prompt: a big model loading from a slow disk

Graph = dict[str, dict[str, Any]]
Follow = Callable[[str, dict[str, Any]], None]


class RanOut(BadRequest):
    """Memory ran out on the server, and it does not try again."""


@dataclass(frozen=True)
class Run:
    """What became of a queued prompt. ``outputs`` maps node ids to what they showed; ``executed`` lists the
    nodes that really ran, in order, children of expanded nodes included. ``retried`` says what was changed where memory
    ran out and another prompt was queued in the place of the first: ``prompt_id`` is then the other's."""

    prompt_id: str
    outputs: dict[str, dict[str, Any]]
    executed: tuple[str, ...] = ()
    messages: tuple[tuple[str, dict[str, Any]], ...] = field(default=(), repr=False)
    retried: tuple[str, ...] = ()

    def images(self) -> list[dict[str, str]]:
        """Every saved or previewed picture, as ComfyUI names it."""
        return [image for output in self.outputs.values() for image in output.get("images", [])]


class Client:
    """One ComfyUI server by its URL. Raises ``Unreachable`` when it does not answer and ``BadRequest`` with
    its own words when it refuses or fails a graph."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.client_id = uuid.uuid4().hex

    def get(self, path: str, **parameters: object) -> Any:
        return self._answer("GET", path, params=parameters).json()

    def post(self, path: str, body: object) -> Any:
        answer = self._answer("POST", path, json=body)
        return answer.json() if answer.content.strip() else None

    def image(self, picture: dict[str, str]) -> bytes:
        """The bytes of one entry of ``Run.images()``."""
        keys = ("filename", "subfolder", "type")
        return self._answer("GET", "/view", params={key: picture[key] for key in keys if key in picture}).content

    def run(
        self, graph: Graph, follow: Follow | None = None, extra_data: dict[str, Any] | None = None, prompt_id: str = ""
    ) -> Run:
        """Queue ``graph`` (API format) and wait until it is done; ``follow`` hears every message. With a ``prompt_id`` (a
        UUID) of the caller's own it can be cancelled."""
        import websocket

        address = self.url.replace("http", "ws", 1) + f"/ws?clientId={self.client_id}"
        try:
            socket = websocket.create_connection(address, timeout=SILENCE_S)
        except (OSError, websocket.WebSocketException) as fault:
            raise Unreachable("comfyui_unreachable", url=self.url) from fault
        listener, retried = _Listener(socket, follow), []
        try:
            prompt_id = self.queue(graph, extra_data, prompt_id)
            while error := listener.until_done(prompt_id):
                told = self._retry(prompt_id, error)
                listener.hear(RETRIED, told)
                prompt_id = told["retry_id"]
                retried.append(told["sentence"])
        except (OSError, websocket.WebSocketException) as fault:
            raise Unreachable("comfyui_silent", url=self.url) from fault
        finally:
            socket.close()
        outputs = self.get(f"/history/{prompt_id}").get(prompt_id, {}).get("outputs", {})
        return Run(prompt_id, outputs, tuple(listener.executed), tuple(listener.messages), tuple(retried))

    def _retry(self, prompt_id: str, error: dict[str, Any]) -> dict[str, str]:
        """What the server queued in the place of a prompt that failed. Raises ``RanOut`` where it does not try again after
        memory ran out, ``BadRequest`` for any other error."""
        message = error["exception_message"].strip()
        if not is_out_of_memory(error["exception_type"], message):
            raise BadRequest("comfyui_failed", problem=message)
        told = self._decided(prompt_id)
        if not told["retry_id"]:
            raise RanOut("comfyui_failed", problem="\n".join(filter(None, (message, told["sentence"]))))
        return {"prompt_id": prompt_id, "node": str(error["node_id"]), **told}

    def _decided(self, prompt_id: str) -> dict[str, str]:
        until, told = time.monotonic() + DECIDE_S, {"pending": True}
        while told["pending"] and time.monotonic() < until:
            try:
                told = self.get(RETRY_PATH, id=prompt_id)
            except BadRequest:  # this server has no pack, or an older one
                return {"retry_id": "", "sentence": ""}
            time.sleep(0.1 if told["pending"] else 0)
        return {name: str(told.get(name, "")) for name in ("retry_id", "sentence")}

    def queue(self, graph: Graph, extra_data: dict[str, Any] | None = None, prompt_id: str = "") -> str:
        """Put ``graph`` in the queue; its prompt id."""
        prompt_id = prompt_id or str(uuid.uuid4())
        body = {"prompt": graph, "client_id": self.client_id, "prompt_id": prompt_id, "extra_data": extra_data or {}}
        answer = self.post("/prompt", body)
        return str(answer["prompt_id"])

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt out of the queue, or stop it where it runs; nothing happens to any other."""
        self.post("/queue", {"delete": [prompt_id]})
        self.post("/interrupt", {"prompt_id": prompt_id})

    def _answer(self, method: str, path: str, **call: Any) -> requests.Response:
        try:
            answer = requests.request(method, self.url + path, timeout=TIMEOUT_S, **call)
        except requests.RequestException as fault:
            raise Unreachable("comfyui_unreachable", url=self.url) from fault
        if not answer.ok:
            raise BadRequest("comfyui_refused", problem=_refusal(answer))
        return answer


class _Listener:
    """Collects a prompt's messages until ComfyUI says that nothing of it runs any more."""

    def __init__(self, socket: Any, follow: Follow | None) -> None:
        self.socket, self.follow = socket, follow
        self.executed: list[str] = []
        self.messages: list[tuple[str, dict[str, Any]]] = []

    def hear(self, kind: str, data: dict[str, Any]) -> None:
        self.messages.append((kind, data))
        if self.follow:
            self.follow(kind, data)

    def until_done(self, prompt_id: str) -> dict[str, Any] | None:
        """The error that ended the prompt; ``None`` where it ended well."""
        while True:
            raw = self.socket.recv()
            if not isinstance(raw, str) or not raw:
                continue  # binary frames are preview pictures
            message = json.loads(raw)
            kind, data = message["type"], message.get("data", {})
            if data.get("prompt_id", prompt_id) != prompt_id or kind == RETRIED:
                continue
            self.hear(kind, data)
            if kind == "execution_error":
                return dict(data)
            if kind == "execution_interrupted":
                raise BadRequest("comfyui_interrupted")
            if kind == "executing" and data.get("prompt_id") == prompt_id:
                if data.get("node") is None:
                    return None
                self.executed.append(data["node"])


def _refusal(answer: requests.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code} {answer.text[:200]}"
    if not isinstance(body, dict):
        return f"HTTP {answer.status_code}"
    error = body.get("error") or {}
    said = [error.get("message", "") if isinstance(error, dict) else str(error)]
    for node in (body.get("node_errors") or {}).values():
        said += [f"{fault.get('message', '')}: {fault.get('details', '')}" for fault in node.get("errors", [])]
    return "; ".join(part for part in said if part) or f"HTTP {answer.status_code}"
