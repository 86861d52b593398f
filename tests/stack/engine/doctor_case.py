"""What the tests beside an Engine of their own share: an instance with its stores up, doctor, and remedies as typed."""
import json
import os
import pathlib
import pty
import subprocess
import time
import unittest

PROGRAM = pathlib.Path(os.environ["PANDORA_PROGRAM"])
ENGINE = pathlib.Path(os.environ["PANDORA_ENGINE"])
HERE = pathlib.Path(__file__).resolve().parent
AT_MOST = 180  # seconds, of one command
# Rows of the stack; the others are about a data directory, or about what the host of a container decides.
ROWS = {"compose", "docker", "ports", "files", "images", "secrets", "memory", "docker's disk", "clocks", "containers", "networks",
        "volumes", "passwords"}


class StackCase(unittest.TestCase):
    name = "pandora"
    profiles = ""

    @classmethod
    def setUpClass(cls):
        cls.home = ENGINE / cls.__name__
        cls.folder = cls.home / "instance"
        cls.shims = cls.home / "bin"
        cls.shims.mkdir(parents=True)
        # The namespaces have neither; what they do is done all the same.
        cls.shim("sudo", 'exec "$@"')
        cls.shim("systemctl", f'[[ $2 == docker ]] && exec "{HERE}/start_dockerd"')
        cls.environment = {**os.environ, "HOME": str(cls.home), "PANDORA_DATA": str(cls.home / "data"), "PANDORA_ENCODER": "hashing",
                           "PATH": f"{PROGRAM.parent}:{cls.shims}:{os.environ['PATH']}", "COMPOSE_PROFILES": cls.profiles}
        cls.must(f"pandora init --name {cls.name} --dir {cls.folder}", cwd=cls.home)

    @classmethod
    def tearDownClass(cls):
        cls.sh("docker compose --profile '*' down; docker volume prune --force", cwd=cls.folder)

    @classmethod
    def shim(cls, name, text):
        path = cls.shims / name
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)

    @classmethod
    def sh(cls, command, cwd=None, **environment):
        return subprocess.run(["bash", "-c", command], cwd=cwd or cls.folder, env={**cls.environment, **environment}, text=True,
                              capture_output=True, timeout=AT_MOST)

    @classmethod
    def must(cls, command, cwd=None, **environment):
        done = cls.sh(command, cwd, **environment)
        if done.returncode != 0:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def typed(self, command, answer):
        """In a terminal, where somebody types that."""
        mine, theirs = pty.openpty()
        with subprocess.Popen(["bash", "-c", command], cwd=self.folder, env=self.environment, text=True, stdin=theirs,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as run:
            os.close(theirs)
            os.write(mine, answer)
            out, said = run.communicate(timeout=AT_MOST)
        os.close(mine)
        return subprocess.CompletedProcess(command, run.returncode, out, said)

    def up(self):
        """What was paused a moment ago is unhealthy until its next check, and Compose does not wait for that."""
        end = time.monotonic() + 60
        while (done := self.sh("docker compose up -d --wait --quiet-pull")).returncode != 0:
            self.assertLess(time.monotonic(), end, done.stderr)

    def edit(self, name, old, new):
        path = self.folder / name
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    def secret(self, name):
        return self.home / ".config/pandora/secrets" / self.name / name

    def env(self, name):
        return next(line.split("=", 1)[1] for line in (self.folder / ".env").read_text().splitlines() if line.startswith(name + "="))

    def sql(self, text):
        return self.must(f'docker compose exec -T postgres psql -X -q -A -t -U pandora -c "{text}"').strip()

    def logs_in(self, password):
        """As a program of this machine does, over the published port."""
        image = self.env("PANDORA_IMAGE_POSTGRES")
        return self.sh(f"docker run --rm --network host -e PGPASSWORD={password} --entrypoint psql {image} -h 127.0.0.1 "
                       f"-p {self.env('PANDORA_PORT_POSTGRES')} -U pandora -c 'select 1'").returncode == 0

    def complaints(self, prefix="", **environment):
        done = self.sh(prefix + "pandora doctor --json", **environment)
        checks = json.loads(done.stdout or "{}").get("checks")
        self.assertIsNotNone(checks, done.stderr)
        return [check for check in checks if check["check"] in ROWS and check["state"] != "ok"]

    def complaint(self, row, *words, **options):
        """The one about that; as soon as doctor has it: containers take a moment to fail."""
        end = time.monotonic() + 60
        while True:
            found = self.complaints(**options)
            for check in found:
                if check["check"] == row and all(word in check["detail"] for word in words):
                    return check
            self.assertLess(time.monotonic(), end, f"no {row} with {words} in {found}")

    def heal(self, check, **environment):
        """Its command, as typed; then the row is gone."""
        self.assertTrue(check["command"], check)
        self.must(check["command"], **environment)
        end = time.monotonic() + 60
        while any(left["check"] == check["check"] and left["detail"] == check["detail"] for left in self.complaints()):
            self.assertLess(time.monotonic(), end, f"{check} is still there")

    def assert_clean(self):
        end = time.monotonic() + 60
        while left := self.complaints():
            self.assertLess(time.monotonic(), end, left)
