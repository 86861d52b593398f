"""A real Redis for tests of the program, on a port of 127.0.0.1. Ends with the test."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from postgres_server import free_port

# Debian's redis-tools, whose installation starts nothing, has the server under another name: which it is, it sees by what it is called.
PROGRAM = next((one for one in ("/usr/bin/redis-server", "/usr/bin/redis-check-rdb") if os.path.exists(one)), None)


class RedisServer:
    Failed = subprocess.CalledProcessError

    def __init__(self, *settings):
        self.folder = tempfile.mkdtemp(prefix="pandora-redis-")
        self.settings, self.port, self.process = settings, free_port(), None
        self.start()

    def environment(self):
        return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.port), "PANDORA_CACHE_STORE": "redis"}

    def start(self):
        log = os.path.join(self.folder, "log")
        with open(os.path.join(self.folder, "redis.conf"), "w", encoding="ascii") as file:
            file.write("\n".join(["bind 127.0.0.1", f"port {self.port}", f"dir {self.folder}", 'save ""', *self.settings]) + "\n")
        with open(log, "wb") as out:
            self.process = subprocess.Popen(["redis-server", os.path.join(self.folder, "redis.conf")], executable=PROGRAM, stdout=out, stderr=out)
        end = time.monotonic() + 30
        while "Ready to accept connections" not in self.said():
            if time.monotonic() > end:
                raise RuntimeError(self.said())
            time.sleep(0.02)

    def said(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()

    def ask(self, *command):
        return subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *command], capture_output=True, text=True, check=True).stdout.strip()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
