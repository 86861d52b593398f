"""`pandora doctor` in the folder of an instance: each cause made for real, and the remedy that it names tried."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import unittest

from pandora_case import PROGRAM, PandoraCase, free_ports


class DoctorOfAStack(PandoraCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.home, "instance")
        self.json("init", "--dir", str(self.folder))
        # Ports of our own: the usual ones may be in use on the machine that runs the tests.
        env = self.folder / ".env"
        text = env.read_text()
        for name, port in zip(("GATEWAY", "VECTORDB", "POSTGRES"), free_ports(3)):
            old = next(line for line in text.splitlines() if line.startswith(f"PANDORA_PORT_{name}="))
            text = text.replace(old, f"PANDORA_PORT_{name}={port}")
        env.write_text(text)
        self.run_pandora("init", "--yes", "--dir", str(self.folder))  # Prometheus is told the ports
        # Neither an Engine nor a Compose, whatever this machine has.
        self.environment["PATH"] = os.path.join(self.home, "empty")
        os.mkdir(self.environment["PATH"])
        self.environment["DOCKER_HOST"] = f"unix://{self.home}/docker.sock"

    def port(self, name):
        line = next(line for line in (self.folder / ".env").read_text().splitlines() if line.startswith(f"PANDORA_PORT_{name}="))
        return int(line.split("=")[1])

    def checks(self, name, **environment):
        done = subprocess.run([PROGRAM, "doctor", "--json"], cwd=self.folder, capture_output=True, env={**self.environment, **environment})
        return [check for check in json.loads(done.stdout)["checks"] if check["check"] == name]

    def listen(self, address, port):
        server = socket.create_server((address, port))
        self.addCleanup(server.close)
        return server

    def test_elsewhere_nobody_needs_docker(self):
        self.assertNotIn('"docker"', self.run_pandora("doctor", "--json", code=None).stdout.decode())

    def test_names_who_has_a_port_and_a_free_one(self):
        self.assertEqual([check["state"] for check in self.checks("ports")], ["ok"])
        port = self.port("POSTGRES")
        other = self.listen("127.0.0.2", port)  # it is in nobody's way
        self.assertEqual([check["state"] for check in self.checks("ports")], ["ok"])
        other.close()
        self.listen("127.0.0.1", port)
        check, = self.checks("ports")
        self.assertEqual(check["state"], "failure")
        for word in (str(port), "postgres", str(os.getpid())):
            self.assertIn(word, check["detail"])
        setting = next(word for word in check["remedy"].split() if word.startswith("PANDORA_PORT_POSTGRES="))
        env = self.folder / ".env"
        env.write_text(env.read_text().replace(f"PANDORA_PORT_POSTGRES={port}", setting))
        self.run_pandora("init", "--yes", "--dir", str(self.folder))
        self.assertEqual([check["state"] for check in self.checks("ports")], ["ok"])

    def test_a_port_of_a_profile_matters_when_the_profile_does(self):
        env = self.folder / ".env"
        port = free_ports(1)[0]
        env.write_text(env.read_text().replace("PANDORA_PORT_REDIS=6379", f"PANDORA_PORT_REDIS={port}"))
        self.listen("127.0.0.1", port)
        self.assertEqual([check["state"] for check in self.checks("ports")], ["ok"])
        self.assertEqual([check["state"] for check in self.checks("ports", COMPOSE_PROFILES="cache")], ["failure"])

    def test_an_engine_that_is_not_there_or_does_not_answer(self):
        check, = self.checks("docker")
        self.assertEqual(check["state"], "failure")
        self.assertRegex(check["command"], "apt-get install -y docker.io|systemctl start docker")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(os.path.join(self.home, "docker.sock"))
        check, = self.checks("docker")
        self.assertEqual(check["state"], "failure")
        self.assertTrue(check["command"].endswith("systemctl restart docker"), check)
        check, = self.checks("docker", DOCKER_HOST="tcp://127.0.0.1:1")
        self.assertIn("DOCKER_HOST", check["remedy"])

    def test_no_compose(self):
        check, = self.checks("compose")
        self.assertEqual(check["state"], "failure")
        self.assertIn("docker-compose", check["remedy"])
        program = os.path.join(self.environment["PATH"], "docker-compose")
        pathlib.Path(program).write_text("#!/bin/sh\necho 1.25.0\n")
        os.chmod(program, 0o755)
        check, = self.checks("compose")
        self.assertIn("1.25.0 is too old", check["detail"])

    def test_whoever_starts_it_may_ignore_how_programs_end(self):
        program = os.path.join(self.environment["PATH"], "docker-compose")
        pathlib.Path(program).write_text("#!/bin/sh\necho 2.26.1\n")
        os.chmod(program, 0o755)
        done = subprocess.run([PROGRAM, "doctor", "--json"], cwd=self.folder, capture_output=True, env=self.environment,
                              preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual([check["state"] for check in json.loads(done.stdout)["checks"] if check["check"] == "compose"], ["ok"])

    def test_commands_that_need_an_engine_say_so_in_one_line(self):
        for command in (["volumes", "list"], ["volumes", "browse", "x"], ["reset", "--no-backup", "--yes", "pandora"],
                        ["secrets", "rotate"], ["init", "--yes", "--adopt", "other"], ["down", "--volumes", "--no-backup"]):
            self.assert_one_clear_line(self.run_pandora(*command, "--dir", str(self.folder), code=3), "Docker Engine", "pandora doctor")

    def test_what_is_given_with_down_alone_is_refused(self):
        self.assert_one_clear_line(self.run_pandora("down", "--yes", "pandora", "--dir", str(self.folder), code=2), "--volumes")

    def test_a_lost_secret(self):
        self.assertEqual(self.checks("secrets")[0]["state"], "ok")
        pathlib.Path(self.home, ".config/pandora/secrets/pandora/redis_password").unlink()
        check, = self.checks("secrets")
        self.assertIn("redis_password", check["detail"])
        self.assertEqual(check["command"], "pandora init --yes && pandora secrets rotate redis")

    def test_a_lost_password_of_grafana(self):
        path = pathlib.Path(self.home, ".config/pandora/secrets/pandora/grafana_password")
        os.symlink(PROGRAM, os.path.join(self.home, "empty/pandora"))
        for lose in (path.unlink, lambda: (path.chmod(0o644), path.write_text(""))):
            lose()
            check, = self.checks("secrets")
            self.assertIn("grafana_password", check["detail"])
            environment = {**self.environment, "PATH": f"{self.environment['PATH']}:/usr/bin:/bin"}
            subprocess.run(check["command"], shell=True, cwd=self.folder, env=environment, check=True, capture_output=True)
            self.assertEqual(self.checks("secrets")[0]["state"], "ok")

    def test_a_file_that_was_changed(self):
        self.assertEqual(self.checks("files")[0]["state"], "ok")
        (self.folder / "compose.yaml").write_text((self.folder / "compose.yaml").read_text() + "# mine\n")
        check, = self.checks("files")
        self.assertEqual((check["state"], check["command"]), ("warning", "pandora init --yes"))

    def test_limits_beyond_the_memory(self):
        self.run_pandora("init", "--production", "--yes", "--dir", str(self.folder))
        overlay = self.folder / "compose.prod.yaml"
        overlay.write_text(overlay.read_text().replace("memory: 4G", "memory: 4000000G"))
        self.assertEqual(self.checks("memory")[0]["state"], "warning")
        overlay.write_text(overlay.read_text().replace("memory: 4000000G", "memory: 1M").replace("memory: 2G", "memory: 1M"))
        self.assertEqual(self.checks("memory")[0]["state"], "ok")


if __name__ == "__main__":
    unittest.main()
