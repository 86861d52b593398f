"""What the tests of the stack share: an instance in a folder of its own, beside the Engine of `with_engine`."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

PROGRAM = os.environ["PANDORA_PROGRAM"]
ENGINE = os.environ["PANDORA_ENGINE"]
START_DOCKERD = pathlib.Path(__file__).resolve().parent / "start_dockerd"
# Its image is built from source; where there is no Go, all else is tested, and that is said.
HAS_OBJECTS = "/objects-" in os.environ["PANDORA_ENGINE_IMAGES"]
if not HAS_OBJECTS:
    print("skipped: the S3 server, of which there is no image (no Go here)", file=sys.stderr)
PROFILES = tuple(name for name in ("cache", "objects", "monitoring") if HAS_OBJECTS or name != "objects")
SERVICES = tuple(name for name in ("grafana", "objects", "postgres", "postgres_exporter", "prometheus", "redis", "vectordb")
                 if HAS_OBJECTS or name != "objects")
PORTS = {name: port for name, port in {"vectordb": 6333, "postgres": 5432, "redis": 6379, "objects": 7070, "prometheus": 9090}.items()
         if HAS_OBJECTS or name != "objects"}


def has_ended(pid):
    """Also when nobody has waited for it yet."""
    try:
        return re.search(r"State:\s+Z", pathlib.Path(f"/proc/{pid}/status").read_text()) is not None
    except (FileNotFoundError, ProcessLookupError):  # which it can become between its file's opening and its reading
        return True


class StackCase(unittest.TestCase):
    compose = 2  # or 1, which is 1.29

    @classmethod
    def make_instance(cls, *flags):
        cls.home = tempfile.mkdtemp(prefix="pandora-stack-")
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        cls.folder = os.path.join(cls.home, "instance")
        cls.secrets = os.path.join(cls.home, ".config/pandora/secrets/pandora")
        cls.environment = {**os.environ, "HOME": cls.home, "PANDORA_ENCODER": "hashing",
                           "DOCKER_CONFIG": os.environ[f"PANDORA_COMPOSE_{cls.compose}"]}
        cls.environment.pop("XDG_CONFIG_HOME", None)
        cls.addClassCleanup(cls.remove_instance)
        cls.pandora_of(cls.environment, "init", "--dir", cls.folder, *flags)

    @classmethod
    def remove_instance(cls):
        if not os.path.exists(os.path.join(ENGINE, "docker.sock")):  # a test that failed has left it so
            subprocess.run([START_DOCKERD], check=True, timeout=120)
        containers = cls.docker("ps", "-aq").split()
        if containers:
            cls.docker("rm", "-f", "-v", *containers)
        cls.docker("network", "prune", "-f")
        volumes = cls.docker("volume", "ls", "-q").split()
        if volumes:
            cls.docker("volume", "rm", "-f", *volumes)

    @staticmethod
    def pandora_of(environment, *arguments, code=0, folder=None):
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, env=environment, timeout=300, cwd=folder)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def pandora(self, *arguments, code=0, **environment):
        return self.pandora_of({**self.environment, **environment}, *arguments, code=code, folder=self.folder)

    def begin(self, *arguments):
        return subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment, cwd=self.folder)

    @staticmethod
    def docker(*arguments, code=0):
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
        if code is not None and done.returncode != code:
            raise AssertionError(f"docker {arguments}: {done.stderr}")
        return done.stdout

    def compose_command(self, *arguments):
        """As a person types it in the folder."""
        words = ["docker", "compose"] if self.compose == 2 else ["docker-compose"]
        done = subprocess.run([*words, *arguments], capture_output=True, text=True, env=self.environment, cwd=self.folder,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def container(self, service):
        return "pandora-" + service + "-1" if self.compose == 2 else "pandora_" + service + "_1"

    def inspect(self, service):
        return json.loads(self.docker("inspect", self.container(service)))[0]

    def status(self):
        shown = json.loads(self.pandora("status", "--json", code=None).stdout or '{"services": [], "processes": []}')
        return {**{row["service"]: row for row in shown["services"]}, **{row["name"]: row for row in shown["processes"]}}

    def wait_until(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come about")
            time.sleep(0.05)

    def secret(self, name):
        return pathlib.Path(self.secrets, name).read_text().strip()

    def edit(self, file, *pair):
        path = pathlib.Path(self.folder, file)
        before = path.read_text()
        self.assertIn(pair[0], before)
        path.write_text(before.replace(*pair))
        self.addCleanup(path.write_text, before)

    def end_daemon(self, number=signal.SIGTERM):
        pid = int(pathlib.Path(ENGINE, "docker.pid").read_text())
        os.kill(pid, number)
        self.wait_until(lambda: has_ended(pid))

    def start_daemon(self, **environment):
        subprocess.run([START_DOCKERD], check=True, timeout=120, env={**os.environ, **environment})

    def sql(self, text):
        return self.docker("exec", self.container("postgres"), "psql", "-qtAU", "pandora", "-v", "ON_ERROR_STOP=1", "-c", text)

    def http(self, method, path, body=None, service="vectordb", headers=None):
        request = urllib.request.Request(f"http://127.0.0.1:{PORTS[service]}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json", "api-key": self.secret("qdrant_api_key"),
                                                  **(headers or {})})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def redis(self, *words):
        return self.docker("exec", "-e", "REDISCLI_AUTH=" + self.secret("redis_password"), self.container("redis"), "redis-cli",
                           "--user", "pandora", *words).strip()

    def s3(self, *arguments):
        assert HAS_OBJECTS
        done = subprocess.run(["curl", "--silent", "--fail", "--show-error", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                               "pandora:" + self.secret("objects_secret_key"), "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                               *arguments], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout
