"""`pandora lint`: what it takes, how it answers, and with which code it ends."""
import json
import os
import pathlib
import shutil
import subprocess
import unittest

from init_test import composes
from pandora_case import PandoraCase, PROGRAM, SOURCE

FRAGMENTS = SOURCE / "tests/compose/specification"


class Lint(PandoraCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.home, "stack")
        self.folder.mkdir()

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def lint(self, *arguments, code=0):
        # Quick; what Compose merges is compared with it below.
        return json.loads(self.run_pandora("lint", "--json", "--without-compose", *map(str, arguments), code=code).stdout)

    def rules(self, *arguments, code=4):
        return {finding["rule"] for finding in self.lint(*arguments, code=code)["findings"]}

    def test_a_finding_says_all_that_is_needed(self):
        findings = self.lint(FRAGMENTS / "2.1-docker-compose.yml", code=4)["findings"]
        curl = next(finding for finding in findings if finding["rule"] == "check-program")
        self.assertEqual((curl["severity"], curl["line"], curl["path"]), ("error", 9, "/services/vectordb/healthcheck/test"))
        self.assertTrue(curl["file"].endswith("2.1-docker-compose.yml"))
        for field in ("message", "why", "fix"):
            self.assertTrue(curl[field])
        text = self.run_pandora("lint", str(FRAGMENTS / "2.1-docker-compose.yml"), code=4).stdout.decode()
        self.assertIn("2.1-docker-compose.yml:9:7 error check-program: ", text)

    def test_files_merge_in_the_order_given(self):
        found = self.rules(*(FRAGMENTS / name for name in ("2.1-docker-compose.yml", "7.1-production.yml", "7.3-networking.yml")))
        self.assertLessEqual({"password-twice", "secret-external", "port-in-base", "network-internal"}, found)

    def test_what_init_writes_is_clean(self):
        for overlay in ("--development", "--production"):
            self.run_pandora("init", "--dir", str(self.folder), overlay, "--yes")
            done = self.lint(self.folder)
            self.assertEqual(done["findings"], [])
            self.assertGreaterEqual(done["files"], 4)  # base, overlay, .env, and what Prometheus mounts

    def test_sees_a_secret_that_a_container_cannot_read(self):
        made = self.json("init", "--dir", str(self.folder), "--production")
        password = pathlib.Path(made["secrets"], "postgres_password")
        password.chmod(0o600)
        self.assertEqual(self.rules(self.folder), {"secret-unreadable"})
        password.unlink()
        self.assertEqual(self.rules(self.folder), {"secret-unreadable"})

    def test_without_files_those_of_the_folder_are_taken(self):
        self.write("docker-compose.yml", "services: {a: {image: 'a:1.0', ports: ['80:80']}}\n")
        self.write("docker-compose.override.yml", "services: {a: {environment: {A_PASSWORD: x}}}\n")
        done = subprocess.run([PROGRAM, "lint", "--json"], cwd=self.folder, capture_output=True, env=self.environment)
        self.assertEqual(done.returncode, 4, done.stderr)
        rules = {finding["rule"] for finding in json.loads(done.stdout)["findings"]}
        self.assertLessEqual({"port-exposed", "password-in-file"}, rules)

    def test_warnings_alone_do_not_fail(self):
        path = self.write("a.sh", "docker compose up -d --wait\n")
        self.assertEqual(self.rules(path, code=0), {"compose-wait"})

    def test_variables_come_from_the_env_beside_it(self):
        path = self.write("compose.yaml", "services: {a: {image: 'a:${TAG:?no tag}', logging: {driver: none}, healthcheck: {test: x}}}\n")
        self.assert_one_clear_line(self.run_pandora("lint", path, code=2), "compose.yaml:1:", "TAG")
        self.write(".env", "TAG=1.0\n")
        self.assertEqual(self.lint(path)["findings"], [])
        self.assertEqual({finding["rule"] for finding in json.loads(
            self.run_pandora("lint", "--json", path, code=4, TAG="latest").stdout)["findings"]}, {"image-floating"})

    def test_bad_input_ends_in_one_clear_line(self):
        self.assert_one_clear_line(self.run_pandora("lint", self.write("a.yaml", "services:\n  a: [1\n"), code=2), "a.yaml:3:1")
        self.assert_one_clear_line(self.run_pandora("lint", self.write("b.yaml", "a: 1\na: 2\n"), code=2), "b.yaml:2:1", "twice")
        self.assert_one_clear_line(self.run_pandora("lint", self.write("c.txt", ""), code=2), "c.txt")
        self.assert_one_clear_line(self.run_pandora("lint", str(self.folder / "missing.yaml"), code=3), "missing.yaml")
        self.assert_one_clear_line(self.run_pandora("lint", str(self.folder), code=3), "no Compose file", "pandora init")
        self.assert_one_clear_line(self.run_pandora("lint", self.write("d.yaml", "a: " + "x" * (1 << 20)), code=6), "d.yaml")

    def test_a_file_of_parts_and_one_that_needs_compose_say_so(self):
        done = self.json("lint", str(FRAGMENTS / "7.1-production.yml"), code=4)
        self.assertIn("7.1-production.yml is a part of a file", done["merged"])
        path = self.write("compose.yaml", "services: {a: {extends: {service: b}}, b: {image: 'b:1.0'}}\n")
        self.assert_one_clear_line(self.run_pandora("lint", "--without-compose", path, code=8), "extends")


@unittest.skipUnless(composes(), "no Compose is installed")
class WithCompose(PandoraCase):
    """What Compose merges, and what we merge, have the same findings."""

    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.home, "stack")

    def lint_by(self, compose, *arguments):
        """With this Compose alone on the path."""
        environment = dict(self.environment, PATH=os.path.join(self.home, compose[0]))
        os.makedirs(environment["PATH"], exist_ok=True)
        link = os.path.join(environment["PATH"], compose[0])
        if not os.path.exists(link):
            os.symlink(shutil.which(compose[0]), link)
        if "DOCKER_CONFIG" in os.environ:
            environment["DOCKER_CONFIG"] = os.environ["DOCKER_CONFIG"]
        done = subprocess.run([PROGRAM, "lint", "--json", *map(str, arguments)], capture_output=True, env=environment)
        self.assertIn(done.returncode, (0, 4), done.stderr)
        return json.loads(done.stdout)

    def where(self, answer):
        return [(finding["rule"], finding["file"], finding["line"]) for finding in answer["findings"]]

    def test_finds_the_same(self):
        base = [FRAGMENTS / name for name in ("2.1-docker-compose.yml", "7.2-limits.yml", "7.3-networking.yml")]
        ours = self.json("lint", "--without-compose", *map(str, base), code=4)
        for compose in composes():
            theirs = self.lint_by(compose, *base)
            self.assertTrue(theirs["merged"].startswith("merged by " + " ".join(compose)), theirs["merged"])
            self.assertEqual(self.where(theirs), self.where(ours), compose)

    def test_finds_nothing_in_what_init_writes(self):
        for overlay in ("--development", "--production"):
            self.run_pandora("init", "--dir", self.folder, overlay, "--yes")
            for compose in composes():
                answer = self.lint_by(compose, self.folder)
                self.assertTrue(answer["merged"].startswith("merged by"), answer["merged"])
                self.assertEqual(answer["findings"], [], compose)

    def test_what_compose_refuses_is_a_finding(self):
        path = os.path.join(self.home, "compose.yaml")
        pathlib.Path(path).write_text("services:\n  a:\n    image: a:1.0\n    helthcheck: {test: x}\n")
        for compose in composes():
            found = {rule for rule, _, _ in self.where(self.lint_by(compose, path))}
            self.assertLessEqual({"compose-refuses", "unknown-key"}, found, compose)


if __name__ == "__main__":
    unittest.main()
