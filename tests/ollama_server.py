"""A small stand-in that speaks Ollama's protocol."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GOOD = {
    "style": "watercolor",
    "content": "animal",
    "concepts": [
        {"category": "subject", "name": "quokka", "words": ["quokka"]},
        {"category": "subject", "name": "castle", "words": ["castle"]},
    ],
    "translation": None,
}


class Server(ThreadingHTTPServer):
    """Answers every chat with the next of ``answers``; keeps the requests."""

    daemon_threads = True

    def __init__(self, answers, models=("nomic-embed-text:latest", "big:cloud", "qwen3:4b"), pause_s=0.0, silent_s=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.models, self.pause_s, self.silent_s = list(answers), models, pause_s, silent_s
        self.requests, self.unloaded = [], []
        self.times = []  # of everything asked of the model, in seconds since the epoch
        self.tags_asked = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.tags_asked += 1
        self._begin("application/json")
        self.wfile.write(json.dumps({"models": [{"model": name, "name": name} for name in self.server.models]}).encode())

    def do_POST(self):
        self.server.times.append(time.time())
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/generate":
            self._unload(request)
            return
        self.server.requests.append(request)
        time.sleep(self.server.silent_s)
        answer = self.server.answers.pop(0) if self.server.answers else ""
        self._begin("application/x-ndjson")
        try:
            for begin in range(0, len(answer), 20):
                self._line(request, answer[begin : begin + 20], False)
                time.sleep(self.server.pause_s)
            self._line(request, "", True)
        except OSError:
            pass

    def _unload(self, request):
        assert request["keep_alive"] == 0 and not request.get("prompt")
        self.server.unloaded.append((request["model"], len(self.server.requests)))
        self._begin("application/json")
        self.wfile.write(json.dumps({"model": request["model"], "response": "", "done": True}).encode())

    def _begin(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _line(self, request, text, done):
        chunk = {"model": request["model"], "message": {"role": "assistant", "content": text}, "done": done}
        self.wfile.write(json.dumps(chunk).encode() + b"\n")
        self.wfile.flush()


def started(*answers, **options):
    """A server that runs; each answer is a text or a value to be sent as JSON."""
    server = Server([answer if isinstance(answer, str) else json.dumps(answer) for answer in answers], **options)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
