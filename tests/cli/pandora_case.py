"""What the tests of the program share: a fresh data directory, and ways to run it."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["PANDORA_PROGRAM"]
SOURCE = pathlib.Path(os.environ["PANDORA_SOURCE"])


def weights_are_here():
    cache = os.environ.get("PANDORA_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pandora")
    return os.path.exists(os.path.join(cache, "models/bge-small-en-v1.5/manifest.json"))


def free_ports(count):
    """So many that differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class PandoraCase(unittest.TestCase):
    encoder = "hashing"  # quick; tests of meaning use the real one

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="pandora-cli-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.data = os.path.join(self.home, "data")
        keep = {name: os.environ[name] for name in ("PATH", "XDG_CACHE_HOME", "PANDORA_CACHE", "ASAN_OPTIONS") if name in os.environ}
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self.environment = {"HOME": self.home, "LANG": "C.UTF-8", "XDG_CACHE_HOME": cache, "PANDORA_DATA": self.data,
                            "PANDORA_ENCODER": self.encoder, **keep}

    def run_pandora(self, *arguments, stdin="", code=0, **environment):
        done = subprocess.run([PROGRAM, *arguments], input=stdin if isinstance(stdin, bytes) else stdin.encode(),
                              capture_output=True, timeout=120, env={**self.environment, **environment})
        if code is not None:
            self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr.decode(errors='replace')}")
        return done

    def out(self, *arguments, **options):
        return self.run_pandora(*arguments, **options).stdout.decode()

    def json(self, *arguments, **options):
        return json.loads(self.out(*arguments, "--json", **options))

    def say(self, text, *arguments, **options):
        return self.out("chat", *arguments, stdin=text + "\n", **options)

    def wait_until(self, condition, seconds=120):  # of a busy machine
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come about")
            time.sleep(0.02)

    def assert_one_clear_line(self, done, *words):
        """An error is one line on stderr that names the thing; nothing on stdout."""
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        self.assertEqual(done.stdout, b"")
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])
