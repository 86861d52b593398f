#!/usr/bin/env python3
"""Stands in for a model server: model_server.py PORT. It says "peanuts" when that is anywhere in what it is asked."""
import http.server
import json
import sys


class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer("application/json", json.dumps({"object": "list", "data": [{"id": "stand-in"}]}).encode())

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        text = "You said peanuts, and I am a model." if "peanuts" in asked else "I am a model."
        whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "stand-in"}
        if not json.loads(asked).get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            return self.answer("application/json", json.dumps({**whole, "choices": [choice]}).encode())
        events = [{"delta": {"role": "assistant", "content": text}, "finish_reason": None}, {"delta": {}, "finish_reason": "stop"}]
        lines = [json.dumps({**whole, "object": "chat.completion.chunk", "choices": [{"index": 0, **event}]}) for event in events]
        return self.answer("text/event-stream", "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode())


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Model).serve_forever()
