"""Commands about an instance, beside an Engine that is none: what they ask of it, and what they leave alone."""
import http.server
import json
import os
import pathlib
import signal
import subprocess
import threading
import unittest
import urllib.parse

from fake_engine import FakeEngine, fake_compose
from host_test import HOST_PROGRAM, HostCase
from pandora_case import PROGRAM, PandoraCase


class EngineCase(PandoraCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.home, "instance")
        self.json("init", "--dir", str(self.folder))
        socket = f"{self.home}/docker.sock"
        pathlib.Path(self.home, "volumes").mkdir()
        self.engine = FakeEngine(socket, pathlib.Path(self.home, "volumes"))
        self.addCleanup(self.engine.close)
        self.environment["DOCKER_HOST"] = f"unix://{socket}"

    def in_folder(self, *arguments, **options):
        return self.run_pandora(*arguments, "--dir", str(self.folder), **options)

    def env(self, name):
        lines = (self.folder / ".env").read_text().splitlines()
        return next((line.partition("=")[2] for line in lines if line.startswith(name + "=")), None)


class Reset(EngineCase):
    def test_a_volume_without_a_name_is_left_where_it_is(self):
        self.engine.add_container("pandora-mine-1", "mine", volumes=["0f3a" * 16])
        for command in (["reset"], ["down", "--volumes"]):
            self.in_folder(*command, "--no-backup", "--yes", "pandora")
        removed = [asked for asked in self.engine.asked if asked.startswith("DELETE /containers/")]
        self.assertEqual(removed, ["DELETE /containers/id-pandora-mine-1?force=1"])


class Move(EngineCase):
    def test_half_a_copy_is_no_data(self):
        labels = {"pandora.instance": self.env("PANDORA_INSTANCE"), "com.docker.compose.volume": "postgres_data"}
        (self.engine.add_volume("pandora_postgres_data", **labels) / "kept").write_text("42")
        begun, over = threading.Event(), threading.Event()

        def killed_meanwhile(_):
            begun.set()
            over.wait(60)
            return 137
        self.engine.instead_of_one_off = killed_meanwhile
        move = subprocess.Popen([PROGRAM, "volumes", "move", "pandora_postgres_data", "--dir", str(self.folder)], env=self.environment)
        self.assertTrue(begun.wait(60))
        move.kill()
        move.wait()
        self.assertEqual(self.engine.volume_names(), ["pandora_postgres_data", "pandora_postgres_data_2"])
        listed = json.loads(self.in_folder("volumes", "list", "--json").stdout)["volumes"]
        self.assertNotIn("pandora_postgres_data_2", [volume["volume"] for volume in listed])
        # The container goes on copying: the next command ends it.
        self.engine.instead_of_one_off = lambda _: None
        self.in_folder("volumes", "move", "pandora_postgres_data")
        over.set()
        self.assertEqual((self.engine.containers, self.engine.volume_names()), ([], ["pandora_postgres_data", "pandora_postgres_data_2"]))
        self.assertEqual(self.env("PANDORA_VOLUME_POSTGRES_DATA"), "pandora_postgres_data_2")
        self.assertEqual((self.engine.folder / "pandora_postgres_data_2/kept").read_text(), "42")
        self.assertFalse((self.folder / ".pandora/copying").exists())

    def test_a_copy_that_fails_leaves_nothing(self):
        self.engine.add_volume("pandora_postgres_data", **{"pandora.instance": self.env("PANDORA_INSTANCE")})
        self.engine.instead_of_one_off = lambda _: 1
        self.in_folder("volumes", "move", "pandora_postgres_data", code=8)
        self.assertEqual(self.engine.volume_names(), ["pandora_postgres_data"])
        self.assertEqual(self.env("PANDORA_VOLUME_POSTGRES_DATA"), "pandora_postgres_data")
        self.assertFalse((self.folder / ".pandora/copying").exists())


class Built(EngineCase):
    def test_a_service_that_compose_builds_is_not_pulled(self):
        programs = fake_compose(f"{self.home}/bin", {"name": "pandora", "services": {"mine": {"build": {"context": "."}}}})
        self.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
        self.engine.missing_images.add("pandora-mine")
        plan = json.loads(self.in_folder("up", "--containers", "--dry-run", "--json").stdout)
        self.assertEqual([(step["step"], step["service"]) for step in plan["steps"]], [("create", "mine")])
        self.assertIn("GET /images/pandora-mine/json", self.engine.asked)


class Adopt(EngineCase):
    def setUp(self):
        super().setUp()
        volumes = {key: {"name": f"pandora_{key}"} for key in ("postgres_data", "qdrant_data")}
        services = {"postgres": {"image": "postgres:16.14", "volumes": [{"type": "volume", "source": "postgres_data", "target": "/d"}]},
                    "vectordb": {"image": "qdrant", "volumes": [{"type": "volume", "source": "qdrant_data", "target": "/d"}]}}
        programs = fake_compose(f"{self.home}/bin", {"name": "pandora", "services": services, "volumes": volumes})
        (programs / "pandora").symlink_to(PROGRAM)
        self.environment["PATH"] = f"{programs}:{os.environ['PATH']}"

    def files(self):
        return [(self.folder / name).read_text() for name in (".env", "compose.yaml")]

    def test_undo_gives_back_what_was_in_use_after_a_reset(self):
        labels = {"pandora.instance": self.env("PANDORA_INSTANCE")}
        self.engine.add_volume("pandora_qdrant_data", **labels)
        self.in_folder("reset", "--no-backup", "--yes", "pandora")
        self.assertEqual(self.env("PANDORA_VOLUME_QDRANT_DATA"), "pandora_qdrant_data_2")
        before = self.files()
        theirs = self.engine.add_volume("old_qdrant_data")
        (theirs / "collections").mkdir()
        done = json.loads(self.in_folder("init", "--yes", "--adopt", "old", "--json").stdout)["adoption"]
        self.assertEqual(self.env("PANDORA_VOLUME_QDRANT_DATA"), "old_qdrant_data")
        subprocess.run(["sh", "-ec", done["undo"]], cwd=self.folder, env=self.environment, check=True, capture_output=True, timeout=60)
        self.assertEqual(self.files(), before)

    def test_an_empty_volume_stays_empty(self):
        empty = self.engine.add_volume("old_postgres_data")
        (self.engine.add_volume("old_qdrant_data") / "collections").mkdir()
        self.in_folder("init", "--yes", "--adopt", "old")
        self.assertEqual(list(empty.iterdir()), [])
        self.assertEqual((self.engine.folder / "old_qdrant_data/.pandora-instance").read_text().strip(), self.env("PANDORA_INSTANCE"))
        self.assertEqual(self.env("PANDORA_VOLUME_POSTGRES_DATA"), "old_postgres_data")

    def test_what_was_begun_is_said_with_how_to_undo_it(self):
        (self.engine.add_volume("old_postgres_data") / "PG_VERSION").write_text("15\n")
        refused = self.in_folder("init", "--yes", "--adopt", "old", code=12)
        self.assert_one_clear_line(refused, "nothing was taken over")
        (self.engine.folder / "old_postgres_data/PG_VERSION").write_text("16\n")
        self.engine.instead_of_one_off = lambda wanted: 1 if "chown" in wanted["Cmd"][1] else None
        broken = self.in_folder("init", "--yes", "--adopt", "old", code=8)
        self.assert_one_clear_line(broken, "was begun", "rm -f /v/.pandora-instance", "pandora init --yes")
        self.assertNotIn("nothing was taken over", broken.stderr.decode())


class Status(EngineCase):
    def test_a_collection_may_be_called_anything(self):
        name, asked = "my notes/50%?", []

        class Qdrant(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                asked.append(self.path)
                known = {"/readyz": "all shards are ready", "/collections": json.dumps({"result": {"collections": [{"name": name}]}}),
                         "/collections/" + urllib.parse.quote(name, safe=""): json.dumps({"result": {"status": "green"}})}
                text = known.get(self.path, "").encode()
                self.send_response(200 if text else 404)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
        qdrant = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Qdrant)
        threading.Thread(target=qdrant.serve_forever, daemon=True).start()
        self.addCleanup(qdrant.server_close)
        self.addCleanup(qdrant.shutdown)
        self.environment["PANDORA_PORT_VECTORDB"] = str(qdrant.server_port)
        self.engine.add_container("pandora-vectordb-1", "vectordb")
        rows = json.loads(self.in_folder("status", "--json", code=8).stdout)["services"]
        self.assertEqual([row["state"] for row in rows if row["service"] == "vectordb"], ["ready"], (rows, asked))

    def test_a_process_that_nobody_looks_after_is_not_well(self):
        # Containers that are all ready: of services that this program knows no store of.
        for service in ("vectordb", "postgres"):
            env = self.folder / ".env"
            env.write_text("\n".join(f"PANDORA_PORT_{service.upper()}=" if line.startswith(f"PANDORA_PORT_{service.upper()}=") else line
                                     for line in env.read_text().splitlines()) + "\n")
            self.engine.add_container(f"pandora-{service}-1", service)
        self.in_folder("status")
        mark = "0190b3a2-0000-7000-8000-000000000001"
        left = subprocess.Popen(["sleep", "1000"], env={**self.environment, "PANDORA_HOST_PROCESS": mark})
        self.addCleanup(left.wait)
        self.addCleanup(left.kill)
        host = pathlib.Path(self.data, "host")
        host.mkdir(parents=True)
        (host / "gateway.pid").write_text(json.dumps({"version": 1, "mark": mark, "pid": 0, "start_ticks": 0, "boot_id": "",
                                                      "fingerprint": "", "restarts": 0}))
        shown = self.in_folder("status", "--json", code=8)
        self.assertEqual(json.loads(shown.stdout)["processes"][0]["state"], "left")


class Daemon(EngineCase):
    def test_compose_speaks_to_the_engine_that_is_spoken_to(self):
        programs = fake_compose(f"{self.home}/bin", {})
        self.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
        self.assertEqual(self.in_folder("logs").stdout.decode(), f"DOCKER_HOST={self.environment['DOCKER_HOST']}\n")
        # Not to that of a context, which Compose alone would know of.
        del self.environment["DOCKER_HOST"]
        self.assertEqual(self.in_folder("logs").stdout, b"DOCKER_HOST=unix:///var/run/docker.sock\n")


class Detached(HostCase):
    def test_ctrl_c_ends_the_wait_and_not_what_is_waited_for(self):
        folder = pathlib.Path(self.home, "instance")
        self.json("init", "--dir", str(folder))
        (pathlib.Path(self.home) / "volumes").mkdir()
        engine = FakeEngine(f"{self.home}/docker.sock", f"{self.home}/volumes")
        self.addCleanup(engine.close)
        self.environment["DOCKER_HOST"] = f"unix://{self.home}/docker.sock"
        self.environment["PATH"] = f"{fake_compose(f'{self.home}/bin', {'services': {}})}:{os.environ['PATH']}"
        self.write_config(f'[model_servers.late]\ncommand = "{HOST_PROGRAM} waits-for {{port}} {self.home}/never"\nport = {self.model}\n')
        process = subprocess.Popen([PROGRAM, "up", "--detach", "--dir", str(folder)], env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        self.wait_until(lambda: process.poll() is not None or self.rows().get("model-late", {}).get("state") == "starting")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn(b"what was begun goes on", err)
        self.assertEqual(self.rows()["model-late"]["state"], "starting")


if __name__ == "__main__":
    unittest.main()
