"""A whole life of the stack, in production and with every profile, with each Compose; and what its containers really are."""
import json
import os
import pathlib
import re
import signal
import subprocess
import unittest
import urllib.request

from stack_case import PORTS, PROFILES, SERVICES, StackCase

LIMITS = {"vectordb": (4 << 30, 2.0), "postgres": (2 << 30, 1.0), "redis": (512 << 20, 0.5), "objects": (512 << 20, 1.0),
          "prometheus": (1 << 30, 1.0), "postgres_exporter": (128 << 20, 0.5), "grafana": (512 << 20, 1.0)}
USERS = {"vectordb": 1000, "postgres": 999, "redis": 999, "objects": 0, "prometheus": 65534, "postgres_exporter": 65534,
         "grafana": 472}


def listening():
    shown = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True)
    return [line.split()[3] for line in shown.stdout.splitlines()]


class Life:
    """The tests run in the order of their names: it is one life."""
    overlay = "--production"

    @classmethod
    def setUpClass(cls):
        cls.make_instance(cls.overlay)
        with open(os.path.join(cls.folder, ".env"), "a", encoding="utf-8") as env:
            env.write("COMPOSE_PROFILES=" + ",".join(PROFILES) + "\n")
        cls.pandora_of(cls.environment, "up", "--containers", folder=cls.folder)

    def write_everywhere(self, mark):
        self.sql("create table if not exists marks (mark text primary key)")
        self.sql(f"insert into marks values ('{mark}')")
        if mark == "first":
            self.http("PUT", "/collections/marks", {"vectors": {"size": 2, "distance": "Dot"}})
            self.s3("--request", "PUT", "http://127.0.0.1:7070/marks")
        number = {"first": 1, "second": 2, "third": 3}[mark]
        self.http("PUT", "/collections/marks/points?wait=true",
                  {"points": [{"id": number, "vector": [1, number], "payload": {"mark": mark}}]})
        self.assertEqual(self.redis("set", mark, "here"), "OK")
        self.s3("--request", "PUT", "--data-binary", mark, "http://127.0.0.1:7070/marks/" + mark)

    def assert_everywhere(self, *marks):
        self.assertEqual(self.sql("select mark from marks order by mark").split(), sorted(marks))
        points = self.http("POST", "/collections/marks/points/scroll", {"limit": 10})["result"]["points"]
        self.assertEqual(sorted(point["payload"]["mark"] for point in points), sorted(marks))
        for mark in marks:
            self.assertEqual(self.redis("get", mark), "here")
            self.assertEqual(self.s3("http://127.0.0.1:7070/marks/" + mark), mark)

    def assert_all_ready(self):
        status = self.status()
        self.assertEqual(sorted(status), sorted(SERVICES))
        for row in status.values():
            self.assertEqual((row["state"], row["reason"]), ("ready", ""), row)
        return status

    def test_1_everything_is_ready_and_said_to_be(self):
        for row in self.assert_all_ready().values():
            self.assertIsNotNone(row["latency_ms"])
            self.assertGreater(row["memory_bytes"], 100_000)
            self.assertIsNotNone(row["since"])
        sizes = json.loads(self.pandora("status", "--json", "--sizes").stdout)["services"]
        self.assertGreater({row["service"]: row["volume_bytes"] for row in sizes}["postgres"], 10_000_000)
        screen = self.pandora("status").stdout
        self.assertIn("127.0.0.1:5432", screen)
        self.assertEqual(len(screen.splitlines()), 3 + len(SERVICES))

    def test_2_commands_of_compose_work_as_typed(self):
        for service in SERVICES:
            self.assertIn(self.container(service), self.compose_command("ps"))
        words = ["exec", "-T", "postgres", "psql", "-U", "pandora", "-d", "pandora", "-tAc", "select 6 * 7"]
        self.assertEqual(self.compose_command(*words).strip(), "42")
        self.assertIn("ready to accept connections", self.compose_command("logs", "postgres"))
        self.assertIn("ready to accept connections", self.pandora("logs", "postgres").stdout)

    def test_3_a_second_up_keeps_everything(self):
        before = {service: self.inspect(service)["Id"] for service in SERVICES}
        plan = json.loads(self.pandora("up", "--dry-run", "--json").stdout)
        self.assertEqual({step["step"] for step in plan["steps"]}, {"keep"})
        self.pandora("up", "--containers")
        self.assertEqual({service: self.inspect(service)["Id"] for service in SERVICES}, before)

    def test_4_containers_are_as_they_were_meant(self):
        for service in SERVICES:
            with self.subTest(service):
                self.look_into(service, self.inspect(service))

    def look_into(self, service, seen):
        host = seen["HostConfig"]
        process = f"/proc/{seen['State']['Pid']}"
        status = pathlib.Path(process, "status").read_text()
        self.assertEqual(host["RestartPolicy"]["Name"], "unless-stopped")
        self.assertEqual(host["LogConfig"], {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}})
        self.assertEqual(int(re.search(r"^Uid:\s+(\d+)", status, re.M)[1]), USERS[service])
        told = json.dumps(seen) + pathlib.Path(process, "cmdline").read_text()
        for secret in os.listdir(self.secrets):
            if not secret.startswith(".") and secret != "instance":
                self.assertNotIn(self.secret(secret), told, secret)
        self.assertEqual(host["Binds"] is not None and [bind for bind in host["Binds"] if "docker.sock" in bind] or [], [])
        if self.overlay == "--production":
            memory, cpus = LIMITS[service]
            self.assertEqual((host["Memory"], host["NanoCpus"]), (memory, int(cpus * 1e9)))
            self.assert_kernel_limits(process, memory, cpus)
            self.assertTrue(host["ReadonlyRootfs"])
            self.assertNotEqual(self.write_in(service), 0)
            self.assertEqual(int(re.search(r"^CapEff:\s+(\w+)", status, re.M)[1], 16), 0)
            self.assertEqual(re.search(r"^NoNewPrivs:\s+(\d)", status, re.M)[1], "1")
        else:
            self.assertEqual(host["Memory"], 0)

    def write_in(self, service):
        return subprocess.run(["docker", "exec", "--user", "0", self.container(service), "touch", "/usr/written"],
                              capture_output=True, timeout=60).returncode

    def assert_kernel_limits(self, process, memory, cpus):
        groups = dict((line.split(":")[1], line.strip().split(":")[2]) for line in pathlib.Path(process, "cgroup").read_text().splitlines())
        if "memory" in groups:
            quota = int(pathlib.Path("/sys/fs/cgroup/cpu" + groups["cpu"], "cpu.cfs_quota_us").read_text())
            period = int(pathlib.Path("/sys/fs/cgroup/cpu" + groups["cpu"], "cpu.cfs_period_us").read_text())
            limit = int(pathlib.Path("/sys/fs/cgroup/memory" + groups["memory"], "memory.limit_in_bytes").read_text())
        else:
            quota, period = map(int, pathlib.Path("/sys/fs/cgroup" + groups[""], "cpu.max").read_text().split())
            limit = int(pathlib.Path("/sys/fs/cgroup" + groups[""], "memory.max").read_text())
        self.assertEqual((limit, quota / period), (memory, cpus))

    def test_5_nothing_listens_beyond_loopback(self):
        found = listening()
        self.assertTrue({f"127.0.0.1:{port}" for port in PORTS.values()} <= set(found), found)
        self.assertEqual([address for address in found if not address.startswith(("127.", "[::1]"))], [])

    def test_6_what_was_acknowledged_outlives_a_kill_of_every_main_program(self):
        self.write_everywhere("first")
        for service in SERVICES:
            os.kill(self.inspect(service)["State"]["Pid"], signal.SIGKILL)
        self.wait_until(lambda: all(self.inspect(service)["RestartCount"] > 0 for service in SERVICES))
        self.wait_until(lambda: all(row["state"] == "ready" for row in self.status().values()))
        self.assert_everywhere("first")

    def test_7_data_is_there_after_down_and_up(self):
        self.write_everywhere("second")
        self.pandora("down")
        self.assertEqual(self.docker("ps", "-aq"), "")
        self.pandora("up", "--containers")
        self.assert_all_ready()
        self.assert_everywhere("first", "second")

    def test_8_the_daemon_comes_back_with_everything(self):
        self.write_everywhere("third")
        self.end_daemon()
        self.assertIn("no Docker Engine at", self.pandora("status", code=3).stderr)
        self.start_daemon()
        self.wait_until(lambda: all(row["state"] == "ready" for row in self.status().values()))
        self.assert_everywhere("first", "second", "third")
        self.pandora("up", "--containers")


class InProduction(Life, StackCase):
    pass


class WithCompose129(Life, StackCase):
    compose = 1


class InDevelopment(Life, StackCase):
    overlay = "--development"
    test_6_what_was_acknowledged_outlives_a_kill_of_every_main_program = None
    test_7_data_is_there_after_down_and_up = None
    test_8_the_daemon_comes_back_with_everything = None

    def test_6_the_hosts_programs_reach_every_store(self):
        self.write_everywhere("first")
        self.assert_everywhere("first")


class TheWhole(StackCase):
    """Containers and the processes of this machine by one command."""

    @classmethod
    def setUpClass(cls):
        cls.make_instance()
        cls.addClassCleanup(lambda: cls.pandora_of(cls.environment, "down", folder=cls.folder))
        cls.up = cls.pandora_of(cls.environment, "up", "--detach", folder=cls.folder)

    def say(self, text):
        body = {"model": "pandora", "messages": [{"role": "user", "content": text}]}
        request = urllib.request.Request("http://127.0.0.1:9000/v1/chat/completions", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["choices"][0]["message"]["content"]

    def all_ready(self):
        status = self.status()
        return {"postgres", "vectordb", "orchestrator", "gateway"} <= set(status) and all(row["state"] == "ready" for row in status.values())

    def test_a_conversation_goes_on_over_every_kill_and_down_and_up(self):
        self.assertTrue(self.all_ready())
        self.assertIn("pandora is ready: 2 services", self.up.stderr)
        self.say("I am allergic to peanuts.")
        for process in ("orchestrator", "gateway"):
            os.kill(self.status()[process]["pid"], signal.SIGKILL)
        self.wait_until(lambda: self.all_ready() and all(self.status()[name]["restarts"] > 0 for name in ("orchestrator", "gateway")))
        self.assertIn("peanuts", self.say("What am I allergic to?"))
        plan = self.pandora("up", "--dry-run").stdout
        self.assertIn("keep", plan)
        self.pandora("down")
        self.assertEqual(self.docker("ps", "-aq"), "")
        self.assertEqual([row for row in listening() if row.endswith((":9000", ":8090"))], [])
        self.pandora("up", "--detach")
        self.assertTrue(self.all_ready())
        self.assertIn("peanuts", self.say("What am I allergic to?"))
        self.assertEqual([address for address in listening() if not address.startswith(("127.", "[::1]"))], [])


if __name__ == "__main__":
    unittest.main()
