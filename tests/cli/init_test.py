"""`pandora init`: what it writes, what it never replaces, and that both Composes take it."""
import fcntl
import json
import os
import pathlib
import shutil
import stat
import subprocess
import unittest

from pandora_case import PROGRAM, PandoraCase, SOURCE

PROFILES = ("cache", "objects", "monitoring")


def composes():
    """Compose 2 and 1.29, those that are here."""
    found = []
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        found.append(["docker", "compose"])
    if shutil.which("docker-compose"):
        found.append(["docker-compose"])
    return found


class InitCase(PandoraCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.home, "instance")
        self.secrets = pathlib.Path(self.home, ".config/pandora/secrets")

    def init(self, *arguments, **options):
        return self.json("init", "--dir", str(self.folder), *arguments, **options)

    def mode(self, path):
        return stat.S_IMODE(os.stat(path).st_mode)


class Init(InitCase):
    def test_writes_everything_once(self):
        first = self.init()
        self.assertEqual((first["name"], first["overlay"]), ("pandora", "development"))
        for path in pathlib.Path(SOURCE, "deploy").rglob("*"):
            if path.is_file() and path.suffix != ".env":
                self.assertTrue((self.folder / path.relative_to(SOURCE / "deploy")).exists(), path)
        again = self.init()
        self.assertEqual((again["written"], again["secrets_made"]), ([], []))

    def test_secrets_are_outside_and_closed_to_others_but_readable_by_any_container(self):
        made = self.init()["secrets_made"]
        folder = self.secrets / "pandora"
        self.assertEqual(self.mode(folder), 0o700)
        for name in made:
            self.assertEqual(self.mode(folder / name), 0o444)
        password = (folder / "postgres_password").read_text()
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(password, path.read_text())
        self.assertEqual(self.mode(self.folder / ".env"), 0o600)
        self.assertEqual(self.mode(self.folder / "monitoring/prometheus.yml"), 0o644)  # Prometheus is not root

    def test_replaces_nothing_without_a_yes(self):
        self.init()
        (self.folder / "compose.yaml").write_text("services: {}\n")
        refused = self.run_pandora("init", "--dir", str(self.folder), code=4)
        self.assert_one_clear_line(refused, "compose.yaml", "--yes")
        self.assertEqual((self.folder / "compose.yaml").read_text(), "services: {}\n")
        self.assertEqual(self.init("--yes")["written"], ["compose.yaml"])

    def test_keeps_what_was_added_and_a_changed_port(self):
        self.init()
        env = self.folder / ".env"
        env.write_text(env.read_text().replace("PANDORA_PORT_GATEWAY=9000", "PANDORA_PORT_GATEWAY=9100") + "COMPOSE_PROFILES=cache\n")
        self.assertEqual(self.init("--yes")["written"], ["monitoring/prometheus.yml"])
        self.assertIn("127.0.0.1:9100", (self.folder / "monitoring/prometheus.yml").read_text())
        self.assertIn("COMPOSE_PROFILES=cache", env.read_text())

    def test_what_is_started_in_it_keeps_what_is_said_in_its_stores(self):
        self.init()
        env = self.folder / ".env"
        env.write_text(env.read_text().replace("PANDORA_PORT_GATEWAY=9000", "PANDORA_PORT_GATEWAY=9100")
                       .replace("PANDORA_PORT_POSTGRES=5432", "PANDORA_PORT_POSTGRES=15432")
                       .replace("PANDORA_PORT_REDIS=6379", "PANDORA_PORT_REDIS=16379"))
        self.init("--yes")
        del self.environment["PANDORA_DATA"]

        def settings(*arguments, **options):
            done = subprocess.run([PROGRAM, "config", "--json", *arguments], cwd=options.get("cwd", self.folder), env=self.environment,
                                  capture_output=True, check=True, timeout=60)
            return {name: (one["value"], one["source"]) for name, one in json.loads(done.stdout).items()}
        there = settings()
        self.assertEqual(there["gateway.port"], ("9100", "instance"))
        self.assertEqual(there["postgres.port"], ("15432", "instance"))
        self.assertEqual(there["postgres.password"], ("***", "instance file"))
        self.assertEqual((there["rows.store"][0], there["points.store"][0]), ("postgres", "qdrant"))
        self.assertEqual(there["data.path"], (os.path.join(self.home, ".local/share/pandora-instances/pandora"), "instance"))
        # Those of a profile wait for one line that names them.
        self.assertEqual((there["redis.host"][0], there["redis.port"][0], there["redis.user"][0]), ("127.0.0.1", "16379", "pandora"))
        self.assertEqual((there["s3.endpoint"][0], there["s3.bucket"][0]), ("http://127.0.0.1:7070", "pandora"))
        for secret in ("redis.password", "s3.access_key", "s3.secret_key"):
            self.assertEqual(there[secret][0], "***", secret)
        self.assertEqual((there["cache.store"][0], there["objects.store"][0]), ("embedded", "embedded"))
        env.write_text(env.read_text() + "PANDORA_CACHE_STORE=redis\nPANDORA_OBJECTS_STORE=s3\n")
        self.assertEqual((settings()["cache.store"], settings()["objects.store"]), (("redis", "instance"), ("s3", "instance")))
        # Elsewhere nothing of it holds, and in another data directory its stores are not for it.
        self.assertEqual(settings(cwd=self.home)["gateway.port"], ("9000", "default"))
        for store in ("rows.store", "cache.store", "objects.store"):
            self.assertEqual(settings("--data", self.data)[store], ("embedded", "default"))
        self.assertEqual(settings("--data", there["data.path"][0])["rows.store"], ("postgres", "instance"))
        # A service waits for its stores as well, and reads all that anew at each start.
        unit = subprocess.run([PROGRAM, "host", "unit"], cwd=self.folder, env=self.environment, capture_output=True, check=True,
                              text=True, timeout=60).stdout
        self.assertIn(f'"up" "--dir" "{self.folder}"', unit)
        self.assertNotIn("POSTGRES", unit)
        self.assertNotIn("PANDORA_DATA", unit)
        # A port that is none, or a password that is lost, keeps no command from starting.
        env.write_text(env.read_text().replace("PANDORA_PORT_GATEWAY=9100", "PANDORA_PORT_GATEWAY=x"))
        self.assertEqual(settings()["gateway.port"], ("9000", "default"))
        env.write_text(env.read_text().replace("PANDORA_PORT_GATEWAY=x", "PANDORA_PORT_GATEWAY=9100"))
        (self.secrets / "pandora/postgres_password").unlink()
        self.assertEqual(settings()["postgres.password"], ("", "default"))
        self.init("--yes", "--data", self.data)
        self.assertEqual(settings()["data.path"][0], self.data)

    def test_secrets_stay_where_the_instance_has_them(self):
        elsewhere = pathlib.Path(self.home, "elsewhere")
        self.init("--secrets", str(elsewhere))
        again = self.init("--yes")
        self.assertEqual((again["secrets"], again["secrets_made"], again["written"]), (str(elsewhere), [], []))
        self.assertFalse((self.secrets / "pandora").exists())

    def test_a_lost_folder_is_the_same_instance_again(self):
        self.init()
        before = (self.folder / ".env").read_text()
        shutil.rmtree(self.folder)
        self.assertEqual(self.init()["secrets_made"], [])
        self.assertEqual((self.folder / ".env").read_text(), before)

    def test_does_not_take_the_secrets_of_another_instance(self):
        self.init()
        env = self.folder / ".env"
        env.write_text(env.read_text().replace("PANDORA_INSTANCE=0", "PANDORA_INSTANCE=f"))
        self.assert_one_clear_line(self.run_pandora("init", "--dir", str(self.folder), code=4), "another instance")

    def test_waits_for_nobody_who_changes_the_instance(self):
        self.init()
        before = (self.folder / ".env").read_text()
        with open(self.folder / ".pandora/lock", "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            refused = self.run_pandora("init", "--yes", "--production", "--dir", str(self.folder), code=4)
        self.assert_one_clear_line(refused, "another command works on pandora")
        self.assertEqual((self.folder / ".env").read_text(), before)
        self.init("--yes", "--production")

    def test_does_not_rename_an_instance(self):
        self.init()
        self.assert_one_clear_line(self.run_pandora("init", "--dir", str(self.folder), "--name", "other", code=4), "pandora")

    def test_bad_input_ends_in_one_clear_line(self):
        self.assert_one_clear_line(self.run_pandora("init", "--name", "No Name", code=2), "No Name")
        self.assert_one_clear_line(self.run_pandora("init", "--dir", self.home, code=2), "inside", "--dir")
        self.assert_one_clear_line(self.run_pandora("init", "--production", "--development", code=2), "--development")
        self.folder.mkdir()
        (self.folder / ".env").write_text("PANDORA_PORT_REDIS=none\n")
        self.assert_one_clear_line(self.run_pandora("init", "--dir", str(self.folder), code=2), "PANDORA_PORT_REDIS")

    def test_an_empty_secret_is_not_passed_over(self):
        self.init()
        path = self.secrets / "pandora/postgres_password"
        path.unlink()
        path.write_text("")
        self.assert_one_clear_line(self.run_pandora("init", "--dir", str(self.folder), code=11), "postgres_password")


@unittest.skipUnless(composes(), "no Compose is installed")
class Compose(InitCase):
    def test_takes_both_overlays_with_every_profile(self):
        for overlay in ("--development", "--production"):
            self.init(overlay, "--yes")
            for compose in composes():
                chosen = [word for profile in PROFILES for word in ("--profile", profile)]
                done = subprocess.run([*compose, *chosen, "config"], cwd=self.folder, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, (compose, done.stderr))
                for text in ("pandora_qdrant_data", "grafana/grafana:", "versitygw:"):
                    self.assertIn(text, done.stdout, compose)

    def test_starts_the_two_stores_without_a_profile(self):
        self.init()
        for compose in composes():
            done = subprocess.run([*compose, "config", "--services"], cwd=self.folder, capture_output=True, text=True)
            named = set(done.stdout.split())
            self.assertLessEqual({"vectordb", "postgres"}, named, (compose, done.stderr))
            if len(compose) == 2:
                self.assertEqual(named, {"vectordb", "postgres"})


if __name__ == "__main__":
    unittest.main()
