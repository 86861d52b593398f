"""`pandora vectors` as its users run it: a process of its own, a free port, a directory of its own."""
import atexit
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile

PROGRAM = os.environ.get("PANDORA_PROGRAM", "build/pandora")


class Vectors:
    def __init__(self, directory=None, environment=None):
        self.own = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="pandora-vectors-")
        self.environment = environment or {}
        self.process = None
        self.connection = None
        atexit.register(self.remove)  # a test that ends early leaves no process behind
        self.start()

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "--json", "vectors", "--port", "0", "--data", self.directory],
                                        stdout=subprocess.PIPE, env={**os.environ, **self.environment})
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"pandora vectors did not start: exit code {self.process.wait()}")
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def kill(self):
        self.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def end(self):
        """As its user does, with Ctrl-C; the exit code."""
        self.close()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code

    def remove(self):
        if self.process.poll() is None:
            self.kill()
        if self.own:
            shutil.rmtree(self.directory, ignore_errors=True)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def ask(self, method, path, body=None, raw=None, headers=None):
        """(status, content type, the answer as JSON or text)"""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = raw.encode() if raw is not None else json.dumps(body).encode() if body is not None else None
        sent = {"Content-Type": "application/json"} if data is not None else {}
        self.connection.request(method, path, data, {**sent, **(headers or {})})
        response = self.connection.getresponse()
        text = response.read().decode()
        kind = response.headers.get("Content-Type")
        return response.status, kind, json.loads(text) if kind == "application/json" else text
