"""A whole life of the stack, in production and with every profile, with each Compose; and what its containers really are."""
import json
import os
import pathlib
import re
import signal
import subprocess
import unittest
import urllib.request

from stack_case import HAS_OBJECTS, PORTS, PROFILES, PROGRAM, SERVICES, StackCase

MODEL_SERVER = pathlib.Path(__file__).resolve().parent / "model_server.py"

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
            env.write("COMPOSE_PROFILES=" + ",".join(PROFILES) + "\nPANDORA_CACHE_STORE=redis\n")
            if HAS_OBJECTS:
                env.write("PANDORA_OBJECTS_STORE=s3\n")
        cls.pandora_of(cls.environment, "up", "--containers", folder=cls.folder)

    def write_everywhere(self, mark):
        self.sql("create table if not exists marks (mark text primary key)")
        self.sql(f"insert into marks values ('{mark}')")
        if mark == "first":
            self.http("PUT", "/collections/marks", {"vectors": {"size": 2, "distance": "Dot"}})
            if HAS_OBJECTS:
                self.s3("--request", "PUT", "http://127.0.0.1:7070/marks")
        number = {"first": 1, "second": 2, "third": 3}[mark]
        self.http("PUT", "/collections/marks/points?wait=true",
                  {"points": [{"id": number, "vector": [1, number], "payload": {"mark": mark}}]})
        self.assertEqual(self.redis("set", mark, "here"), "OK")
        if HAS_OBJECTS:
            self.s3("--request", "PUT", "--data-binary", mark, "http://127.0.0.1:7070/marks/" + mark)

    def assert_everywhere(self, *marks):
        self.assertEqual(self.sql("select mark from marks order by mark").split(), sorted(marks))
        points = self.http("POST", "/collections/marks/points/scroll", {"limit": 10})["result"]["points"]
        self.assertEqual(sorted(point["payload"]["mark"] for point in points), sorted(marks))
        for mark in marks:
            self.assertEqual(self.redis("get", mark), "here")
            if HAS_OBJECTS:
                self.assertEqual(self.s3("http://127.0.0.1:7070/marks/" + mark), mark)

    def assert_all_ready(self):
        self.wait_until(lambda: [row["state"] for row in self.status().values()] == ["ready"] * len(SERVICES))
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

    def test_1_its_stores_are_found_without_a_setting(self):
        # Containers alone make no schema, so PostgreSQL is not said to be good.
        checks = {one["setting"]: one for one in json.loads(self.pandora("config", "--check", "--json", code=None).stdout)["checks"]}
        self.assertIn("pandora db migrate", checks["rows.store"]["remedy"])
        for store in ("points.store", "cache.store") + (("objects.store",) if HAS_OBJECTS else ()):
            self.assertTrue(checks[store]["ok"], checks[store])
            self.assertNotEqual(checks[store]["found"], "embedded")

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
    """Containers and the processes of this machine by one command, and a conversation over the instance's own stores. One life."""
    PROCESSES = ("model-voice", "orchestrator", "gateway")

    @classmethod
    def setUpClass(cls):
        cls.make_instance()
        settings = pathlib.Path(cls.home, ".config/pandora/pandora.toml")
        settings.write_text(f'[model_servers.voice]\ncommand = "/usr/bin/python3 {MODEL_SERVER} {{port}}"\nport = 8000\nroles = "voice"\n')
        cls.addClassCleanup(lambda: cls.pandora_of(cls.environment, "down", folder=cls.folder))
        plan = json.loads(cls.pandora_of(cls.environment, "up", "--dry-run", "--json", folder=cls.folder).stdout)
        cls.planned = [(step["step"], step["process"]) for step in plan["process_steps"]]
        cls.up = cls.pandora_of(cls.environment, "up", "--detach", "--json", folder=cls.folder)

    def say(self, text):
        body = {"model": "pandora", "messages": [{"role": "user", "content": text}]}
        request = urllib.request.Request("http://127.0.0.1:9000/v1/chat/completions", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["choices"][0]["message"]["content"]

    def all_ready(self):
        status = self.status()
        return {"postgres", "vectordb", *self.PROCESSES} <= set(status) and all(row["state"] == "ready" for row in status.values())

    def assert_remembered(self):
        """By the model, which is given what was found; and by search, without one."""
        self.wait_until(lambda: "peanuts" in self.say("What am I allergic to?"))
        self.assertIn("peanuts", self.pandora("turns", "search", "an allergy to peanuts").stdout)

    def test_1_it_starts_in_order_and_says_so(self):
        self.assertEqual(self.planned, [("start", name) for name in self.PROCESSES])
        shown = json.loads(self.up.stdout)
        self.assertEqual([step["step"] for step in shown["steps"]], ["create", "create"])
        self.assertEqual([(row["name"], row["state"]) for row in shown["processes"]], [(name, "ready") for name in self.PROCESSES])
        self.assertIn("pandora is ready: 2 services", self.up.stderr)
        self.assertIn("postgres has its schema now", self.up.stderr)
        ready = [re.search(rf"^{name} +ready after", self.up.stderr, re.M).start() for name in self.PROCESSES]
        self.assertEqual(ready, sorted(ready), self.up.stderr)
        self.assertLess(self.up.stderr.index("ready     postgres"), ready[0])

    def test_2_a_conversation_is_kept_in_the_stores_of_the_instance(self):
        self.say("I am allergic to peanuts.")
        self.assert_remembered()
        self.assertGreaterEqual(int(self.sql("select count(*) from pandora.turns")), 2)
        points = {one["name"]: self.http("POST", f"/collections/{one['name']}/points/count", {"exact": True})["result"]["count"]
                  for one in self.http("GET", "/collections")["result"]["collections"]}
        self.assertGreaterEqual(sum(points.values()), 2, points)
        for left in ("pandora.db", "vectors.db"):
            self.assertFalse(os.path.exists(os.path.join(self.home, ".local/share/pandora-instances/pandora", left)), left)

    def test_3_a_terminal_in_the_folder_is_the_same_conversation(self):
        done = subprocess.run([PROGRAM, "chat"], input="What am I allergic to?\n", capture_output=True, text=True, timeout=60,
                              env=self.environment, cwd=self.folder, check=True)
        self.assertIn("peanuts", done.stdout)

    def test_4_a_second_up_keeps_everything(self):
        before = {name: row.get("pid") for name, row in self.status().items()}
        plan = json.loads(self.pandora("up", "--dry-run", "--json").stdout)
        self.assertEqual({step["step"] for step in plan["steps"] + plan["process_steps"]}, {"keep"})
        self.pandora("up", "--detach")
        self.assertEqual({name: row.get("pid") for name, row in self.status().items()}, before)
        self.assertIn("stop      gateway", self.pandora("down", "--dry-run").stdout)
        self.wait_until(self.all_ready)

    def test_5_nothing_acknowledged_is_lost_by_a_kill_of_every_main_program(self):
        turns = int(self.sql("select count(*) from pandora.turns"))
        for number, name in enumerate(self.PROCESSES):
            self.say(f"My locker number {number} is red.")
            os.kill(self.status()[name]["pid"], signal.SIGKILL)
            self.wait_until(lambda: self.status()[name]["restarts"] > 0 and self.all_ready())
        for service in ("postgres", "vectordb"):
            os.kill(self.inspect(service)["State"]["Pid"], signal.SIGKILL)
            self.say(f"My {service} is blue.")
            self.wait_until(self.all_ready)
        self.wait_until(lambda: int(self.sql("select count(*) from pandora.turns")) == turns + 5)
        self.assert_remembered()

    def test_6_new_passwords_while_it_talks(self):
        self.pandora("secrets", "rotate")
        self.wait_until(self.all_ready)
        self.say("I was born in May.")
        self.assert_remembered()

    def test_7_down_and_up(self):
        self.pandora("down")
        self.assertEqual(self.docker("ps", "-aq"), "")
        self.assertEqual([row for row in listening() if row.endswith((":9000", ":8090", ":8000"))], [])
        self.pandora("up", "--detach")
        self.wait_until(self.all_ready)
        self.assert_remembered()
        self.assertEqual([address for address in listening() if not address.startswith(("127.", "[::1]"))], [])

    def test_8_as_after_a_reboot(self):
        """Everything dies at once; what the Engine starts by itself, and `up`, are all there is afterwards."""
        supervisor = subprocess.run(["pgrep", "--full", "host supervise"], capture_output=True, text=True, check=True).stdout.split()
        for pid in [*map(int, supervisor), *(self.status()[name]["pid"] for name in self.PROCESSES)]:
            os.kill(pid, signal.SIGKILL)
        self.end_daemon(signal.SIGKILL)
        self.start_daemon()
        self.pandora("up", "--detach")
        self.wait_until(self.all_ready)
        self.assert_remembered()


if __name__ == "__main__":
    unittest.main()
