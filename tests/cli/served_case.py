"""`pandora serve` in front of a model server that does as its script says."""
import http.client
import http.server
import json
import os
import signal
import subprocess
import threading

from pandora_case import PROGRAM, PandoraCase

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
CALL = {"id": "call-abc", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Lisbon"}'}}
USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": "first-model", "choices": [choice], **more}


def words(*texts, finish="stop", usage=True):
    """A stream's events, as OpenAI's server sends them."""
    events = [chunk({"role": "assistant", "content": ""})] + [chunk({"content": text}) for text in texts] + [chunk({}, finish)]
    return events + ([{**chunk({}), "choices": [], "usage": USAGE}] if usage else [])


def whole(text=None, tool_calls=None, **more):
    message = {"role": "assistant", "content": text, **({"tool_calls": tool_calls} if tool_calls else {})}
    finish = "tool_calls" if tool_calls else "stop"
    return {"id": "up-1", "object": "chat.completion", "created": 1, "model": "first-model", "usage": USAGE,
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}], **more}


class Upstream:
    """Each call takes the next step: a dict (a whole answer), a list (a stream's events; a bytes or str one is sent as it
    is), a tuple (status, body, headers), or a function of (handler, request)."""

    def __init__(self, *script, models=("first-model", "second-model")):
        self.script, self.asked, self.headers, self.left = list(script), [], [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body, headers=()):
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **dict(headers)}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(200, json.dumps({"object": "list", "data": [{"id": name} for name in models]}).encode(), {"Connection": "close"})
                self.close_connection = True

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(request)
                outer.headers.append(dict(self.headers))
                step = outer.script.pop(0) if outer.script else (500, b'{"error":{"message":"nothing more is scripted"}}', {})
                try:
                    if callable(step):
                        return step(self, request)
                    if isinstance(step, dict):
                        return self.answer(200, json.dumps(step).encode())
                    if isinstance(step, tuple):
                        return self.answer(*step)
                    self.stream(step)
                except (BrokenPipeError, ConnectionResetError):
                    outer.left.set()

            def stream(self, events, done=True):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for event in events:
                    raw = event if isinstance(event, bytes) else f"data: {json.dumps(event)}\n\n".encode()
                    self.wfile.write(raw)
                    self.wfile.flush()
                if done:
                    self.wfile.write(b"data: [DONE]\n\n")
                self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def then(self, *steps):
        self.script.extend(steps)
        return self

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class ServedCase(PandoraCase):
    serve_command = "serve"
    patience = 60  # seconds for an answer

    def upstream(self, *script, **options):
        up = Upstream(*script, **options)
        self.addCleanup(up.close)
        self.environment["PANDORA_MODEL_URL"] = up.url
        return up

    def serve(self, *arguments, **environment):
        """Starts it on a free port; self.port, self.url."""
        self.process = subprocess.Popen([PROGRAM, self.serve_command, "--json", "--set", "gateway.port=0", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**self.environment, **environment})
        self.addCleanup(self.end_one, self.process)
        line = self.process.stdout.readline()
        self.assertTrue(line, "it did not start: " + (self.process.stderr.read().decode() if not line else ""))
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def settle(self):
        """Until what was said is findable, also from other sessions."""
        self.out("turns", "search", "anything")

    def assert_acknowledged(self, head, headers=()):
        """A whole answer waits a moment for its save, on a busy machine in vain: then it says so, and the turn is asked after."""
        self.assertIn(head["Pandora-Acknowledged"], ("true", "pending"))
        if head["Pandora-Acknowledged"] == "true":
            return
        path = f"/v1/turns/{head['Pandora-Turn']}/progress"
        self.wait_until(lambda: self.ask(path, headers=headers)[2].get("stage") in ("acknowledged", "findable", "waits"))

    def assert_kept(self, head):
        """A whole answer waits a moment for its save, on a busy machine in vain: then it says so, and the turn is kept."""
        self.assertIn(head["Pandora-Acknowledged"], ("true", "pending"))
        self.wait_until(lambda: head["Pandora-Turn"] in [turn["uid"] for turn in self.turns()])

    def turns(self):
        self.settle()
        return self.json("turns", "list")["turns"]

    def end(self, how=signal.SIGTERM):
        return self.end_one(self.process, how)

    @staticmethod
    def end_one(process, how=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(how)
        try:
            _, err = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, err.decode(errors="replace")

    def ask(self, path, body=None, method=None, headers=(), raw=None):
        """(status, headers, body as JSON or text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        connection.request(method or ("GET" if data is None else "POST"), path, data, {"Content-Type": "application/json", **dict(headers)})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        try:
            return response.status, response.headers, json.loads(text)
        except ValueError:
            return response.status, response.headers, text.decode(errors="replace")

    def chat(self, message, headers=(), **more):
        messages = message if isinstance(message, list) else [{"role": "user", "content": message}]
        return self.ask("/v1/chat/completions", {"model": "pandora", "messages": messages, **more}, headers=headers)

    def stream(self, message, headers=(), **more):
        """(headers, [data as JSON or text], the pandora.turn event)"""
        status, head, text = self.chat(message, headers, stream=True, **more)
        self.assertEqual(status, 200, text)
        events, turn = [], None
        for block in text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if lines.get("event") == "pandora.turn":
                turn = json.loads(lines["data"])
            elif "data" in lines:
                events.append(lines["data"] if lines["data"] == "[DONE]" else json.loads(lines["data"]))
        return head, events, turn
