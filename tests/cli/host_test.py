"""`pandora host`: real processes under a real supervisor, killed and stopped in every way."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import unittest

from pandora_case import PROGRAM, SOURCE, PandoraCase, free_ports

HOST_PROGRAM = str(SOURCE / "tests/host/programs/host_program.py")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class HostCase(PandoraCase):
    def setUp(self):
        super().setUp()
        self.gateway, self.orchestrator, self.model = free_ports(3)
        self.config = pathlib.Path(self.home) / "pandora.toml"
        self.write_config()
        self.environment["PANDORA_CONFIG"] = str(self.config)
        self.addCleanup(self.end_all)

    def write_config(self, more=""):
        self.config.write_text(f"[gateway]\nport = {self.gateway}\n[orchestrator]\nport = {self.orchestrator}\n{more}")

    def end_all(self):
        self.run_pandora("host", "down", code=None)

    def host(self):
        return pathlib.Path(self.data) / "host"

    def rows(self):
        """By name; a killed one may be on its way."""
        done = self.run_pandora("host", "status", "--json", code=None)
        return {row["name"]: row for row in json.loads(done.stdout)["processes"]}

    def up(self, *arguments, code=0, **environment):
        return self.run_pandora("host", "up", "--detach", *arguments, code=code, **environment)

    def supervisor(self):
        """The pid of the process that holds the lock."""
        return int((self.host() / "supervisor.lock").read_text().split()[1])

    def ask(self, message, port=None):
        body = json.dumps({"model": "pandora", "messages": [{"role": "user", "content": message}]}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", port or self.gateway, timeout=60)
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.status, json.loads(response.read())
        connection.close()
        return answer

    def foreground(self, *arguments):
        process = subprocess.Popen([PROGRAM, "host", "up", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process


class Host(HostCase):
    def test_up_talk_kill_each_down_and_up_again(self):
        done = self.up("--json")
        rows = {row["name"]: row for row in json.loads(done.stdout)["processes"]}
        self.assertEqual([row["state"] for row in rows.values()], ["ready", "ready"])
        said = done.stderr.decode()
        self.assertLess(said.index("orchestrator         ready"), said.index("gateway              starting"))
        self.assertEqual(self.ask("I am allergic to peanuts.")[0], 200)
        for name in ("orchestrator", "gateway"):
            pid = rows[name]["pid"]
            os.kill(pid, signal.SIGKILL)
            self.wait_until(lambda: self.rows()[name]["restarts"] == 1 and self.rows()[name]["state"] == "ready")
            self.assertIn("was killed by SIGKILL", self.rows()[name]["last_exit"])
            self.assertNotEqual(self.rows()[name]["pid"], pid)
        self.assertIn("peanuts", json.dumps(self.ask("Which peanuts should I avoid?")[1]))
        pids = [row["pid"] for row in self.rows().values()]
        said = self.run_pandora("host", "down").stderr.decode()
        self.assertLess(said.index("gateway              ended"), said.index("orchestrator         asked to end"))
        self.assertFalse(any(alive(pid) for pid in pids))
        self.assertEqual(self.out("host", "status"), "no process runs\n")
        self.run_pandora("host", "down")  # nothing to do is no error
        self.up()
        self.assertIn("peanuts", json.dumps(self.ask("Peanuts: am I allergic?")[1]))

    def test_detached_they_survive_the_session_that_started_them(self):
        shell = subprocess.Popen([PROGRAM, "host", "up", "--detach"], env=self.environment, start_new_session=True,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertEqual(shell.wait(60), 0)
        for row in self.rows().values():
            self.assertNotEqual(os.getsid(row["pid"]), shell.pid)
        self.assertNotEqual(os.getsid(self.supervisor()), shell.pid)
        self.assertEqual(self.ask("Hello")[0], 200)

    def test_a_killed_supervisor_leaves_them_running_and_the_next_takes_them_over(self):
        self.up()
        before = {name: row["pid"] for name, row in self.rows().items()}
        os.kill(self.supervisor(), signal.SIGKILL)
        self.wait_until(lambda: all(row["state"] == "left" for row in self.rows().values()))
        self.assertEqual(self.run_pandora("host", "status", code=None).returncode, 8)
        self.assertEqual(self.ask("Are you there?")[0], 200)
        said = self.up().stderr.decode()
        self.assertIn(f"taken over, pid {before['gateway']}", said)
        self.assertEqual({name: row["pid"] for name, row in self.rows().items()}, before)
        os.kill(before["gateway"], signal.SIGKILL)  # it is looked after again
        self.wait_until(lambda: self.rows()["gateway"]["state"] == "ready" and self.rows()["gateway"]["pid"] != before["gateway"])
        os.kill(self.supervisor(), signal.SIGKILL)
        pids = [row["pid"] for row in self.rows().values()]
        said = self.run_pandora("host", "down").stderr.decode()
        self.assertIn("ends what is left from before", said)
        self.assertFalse(any(alive(pid) for pid in pids))

    def test_two_ups_at_the_same_time_start_one_of_each(self):
        both = [subprocess.Popen([PROGRAM, "host", "up", "--detach"], env=self.environment, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE) for _ in range(2)]
        for one in both:
            self.assertEqual(one.wait(60), 0, one.stderr.read().decode())
            one.communicate()
        self.assertEqual([row["restarts"] for row in self.rows().values()], [0, 0])
        found = subprocess.run(["pgrep", "-f", f"pandora gateway --data {self.data}"], capture_output=True, text=True).stdout.split()
        self.assertEqual(found, [str(self.rows()["gateway"]["pid"])])

    def test_in_the_foreground_ctrl_c_ends_them_in_order(self):
        process = self.foreground()
        self.wait_until(lambda: self.rows() and all(row["state"] == "ready" for row in self.rows().values()))
        pids = [row["pid"] for row in self.rows().values()]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertLess(err.index(b"gateway              ended"), err.index(b"orchestrator         ended"))
        self.assertFalse(any(alive(pid) for pid in pids))
        self.assertFalse(list(self.host().glob("*.pid")))

    def test_one_sigterm_to_the_supervisor_leaves_them_their_time(self):
        self.write_config(f'[model_servers.slow]\ncommand = "{HOST_PROGRAM} ends-slowly {{port}}"\nport = {self.model}\n')
        self.up()
        pids = [row["pid"] for row in self.rows().values()]
        os.kill(self.supervisor(), signal.SIGTERM)
        self.wait_until(lambda: not any(alive(pid) for pid in pids))
        self.wait_until(lambda: "ended in peace" in (self.host() / "logs/model-slow.log").read_text())

    def test_ctrl_c_in_the_middle_of_the_start_leaves_nothing_that_the_next_minds(self):
        never = pathlib.Path(self.home) / "never"
        self.write_config(f'[model_servers.late]\ncommand = "{HOST_PROGRAM} waits-for {{port}} {never}"\nport = {self.model}\n')
        process = self.foreground()
        self.wait_until(lambda: self.rows().get("model-late", {}).get("state") == "starting")
        pid = self.rows()["model-late"]["pid"]
        self.assertEqual(self.rows()["gateway"]["state"], "waiting")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn(b"stopped before all were ready", err)
        self.assertFalse(alive(pid))
        never.write_text("now")
        self.up()

    def test_one_that_cannot_start_is_said_with_its_last_words_and_the_others_are_named(self):
        self.write_config(f'[model_servers.broken]\ncommand = "{HOST_PROGRAM} crashes"\nport = {self.model}\n')
        done = self.up(code=8)
        last = done.stderr.decode()
        self.assertIn("model-broken: pid", last)
        self.assertIn("exited with code 3; given up after 3 times", last)
        self.assertIn("the settings are wrong: no such file", last)
        rows = self.rows()
        self.assertEqual(rows["model-broken"]["state"], "failed")
        self.assertEqual(rows["gateway"]["state"], "failed")
        self.assertIn("which was given up", rows["orchestrator"]["reason"])

    def test_a_taken_port_is_named(self):
        taken = socket.socket()
        taken.bind(("127.0.0.1", self.gateway))
        taken.listen()
        self.addCleanup(taken.close)
        err = self.up(code=8).stderr.decode()
        self.assertRegex(err, rf"gateway: port {self.gateway} is taken by python3 \(pid {os.getpid()}\)")

    def test_another_configuration_restarts_what_it_changes_alone(self):
        self.up()
        before = self.rows()
        self.up()
        self.assertEqual({n: r["pid"] for n, r in self.rows().items()}, {n: r["pid"] for n, r in before.items()})
        self.write_config("[recall]\nlimit = 10\n")
        self.up()
        self.assertNotEqual(self.rows()["gateway"]["pid"], before["gateway"]["pid"])

    def test_a_changed_secret_restarts_who_has_read_it_once(self):
        secret = pathlib.Path(self.home) / "key"
        secret.write_text("first\n")
        self.environment["PANDORA_MODEL_API_KEY_FILE"] = str(secret)
        self.up()
        pids = [self.rows()["gateway"]["pid"]]
        for ways in (["up", "--detach"], ["restart", "gateway"]):
            secret.write_text(secret.read_text() + "x")
            self.run_pandora("host", *ways)
            pids.append(self.rows()["gateway"]["pid"])
            self.up()  # it has read it by now
            self.assertEqual(self.rows()["gateway"]["pid"], pids[-1])
        self.assertEqual(len(set(pids)), 3)

    def test_watching_a_changed_setting_drains_and_restarts(self):
        self.up("--watch")
        pid = self.rows()["gateway"]["pid"]
        self.write_config("[recall]\nlimt = 10\n")  # wrong: all goes on as it was
        self.write_config("[recall]\nlimit = 10\n")
        self.wait_until(lambda: self.rows()["gateway"]["pid"] not in (0, pid) and self.rows()["gateway"]["state"] == "ready")
        self.assertFalse(alive(pid))

    def test_restart_of_one(self):
        self.up()
        pid = self.rows()["gateway"]["pid"]
        self.run_pandora("host", "restart", "gateway")
        self.assertNotEqual(self.rows()["gateway"]["pid"], pid)
        self.assertEqual(self.rows()["gateway"]["state"], "ready")
        self.assert_one_clear_line(self.run_pandora("host", "restart", "nobody", code=None), "nobody")

    def test_a_cold_model_server_starts_with_the_first_call_and_stops_when_idle(self):
        self.write_config(f'[model_servers.voice]\ncommand = "{HOST_PROGRAM} serves-model {{port}} tiny"\nport = {self.model}\n'
                          'roles = "voice"\nmodel = "tiny"\ncold = true\nidle_s = 1\n')
        self.up()
        self.assertEqual(self.rows()["model-voice"]["state"], "cold")
        status, answer = self.ask("Hello")
        self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, "Hi"))
        self.wait_until(lambda: self.rows()["model-voice"]["state"] == "cold")
        self.assertEqual(self.rows()["model-voice"]["restarts"], 0)
        self.assertEqual(self.ask("And again")[1]["choices"][0]["message"]["content"], "Hi")

    def test_what_does_not_fit_the_card_is_not_begun(self):
        tools = pathlib.Path(self.home) / "bin"
        tools.mkdir()
        tool = tools / "nvidia-smi"
        tool.write_text('#!/bin/sh\ncase "$1" in --query-gpu=*) echo "0, Some Card, 24576, 100";; esac\n')
        tool.chmod(0o755)
        self.environment["PATH"] = f"{tools}:{self.environment['PATH']}"
        server = f'[model_servers.voice]\ncommand = "{HOST_PROGRAM} serves {{port}}"\nport = {self.model}\nmemory_share = 0.5\n'
        self.write_config(server + "weights_mib = 20000\n")
        done = self.run_pandora("models", "plan", code=4)
        self.assertIn(b"voice needs 20.0 GB", done.stdout)
        self.assertIn(b"its share is 12.0 GB", done.stdout)
        self.assertIn("do not fit the card", self.up(code=4).stderr.decode())
        self.assertEqual(self.rows(), {})
        self.assertIn("They fit.", self.out("models", "plan", "--card", "48"))
        self.write_config(server + "weights_mib = 2000\nkv_bytes_per_token = 100\n")
        self.up()
        self.assertEqual(self.rows()["model-voice"]["state"], "ready")

    def test_the_examples_are_settings_that_work(self):
        for program in ("vllm", "llama.cpp"):
            self.write_config(self.out("models", "example", program))
            plan = self.json("models", "plan", "--card", "24")
            self.assertTrue(plan["fits"])
            roles = [row["name"] for row in plan["servers"]]
            self.assertEqual("eyes" in roles and "voice" in roles, True)
            self.assertTrue(next(row for row in plan["servers"] if row["name"] == "eyes")["cold"])

    def test_a_systemd_unit_is_one(self):
        unit = self.out("host", "unit", "--set", "recall.limit=10")
        self.assertIn(f'"--data" "{self.data}"', unit)
        self.assertIn('"--set" "recall.limit=10"', unit)
        self.assertIn('Environment="PANDORA_ENCODER=hashing"', unit)
        self.assert_one_clear_line(self.run_pandora("host", "unit", code=2, PANDORA_MODEL_API_KEY="x"), "PANDORA_MODEL_API_KEY_FILE")
        refused = self.run_pandora("host", "unit", "--set", "model.api_key=hunter2", code=2)
        self.assert_one_clear_line(refused, "PANDORA_MODEL_API_KEY_FILE")
        self.assertNotIn(b"hunter2", refused.stderr)
        checker = shutil.which("systemd-analyze")
        if not checker:
            self.skipTest("no systemd-analyze to check it with")
        path = pathlib.Path(self.home) / "pandora.service"
        path.write_text(unit)
        done = subprocess.run([checker, "verify", str(path)], capture_output=True, text=True)
        self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if "pandora.service" in line]), (0, []))

    def test_a_secret_of_the_command_line_is_in_no_other_one(self):
        file = pathlib.Path(self.home) / "key"
        file.write_text("of the file")
        self.up("--set", "model.api_key=hunter2", "--set", "recall.limit=10", PANDORA_MODEL_API_KEY_FILE=str(file))
        for pid in (self.supervisor(), *(row["pid"] for row in self.rows().values())):
            of_process = pathlib.Path(f"/proc/{pid}")
            line = (of_process / "cmdline").read_bytes()
            self.assertIn(b"recall.limit=10", line)
            self.assertNotIn(b"hunter2", line)
            self.assertIn(b"PANDORA_MODEL_API_KEY=hunter2", (of_process / "environ").read_bytes().split(b"\0"))

    def test_a_service_of_type_notify_is_told_when_all_are_ready(self):
        inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        inbox.bind(os.path.join(self.home, "notify"))
        inbox.settimeout(60)
        self.addCleanup(inbox.close)
        self.environment["NOTIFY_SOCKET"] = os.path.join(self.home, "notify")
        process = self.foreground()
        self.assertEqual(inbox.recv(100), b"READY=1")
        self.assertTrue(all(row["state"] == "ready" for row in self.rows().values()))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(inbox.recv(100), b"STOPPING=1")
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)

    def test_wrong_model_servers_are_refused_before_anything_starts(self):
        self.write_config('[model_servers.voice]\ncommand = "vllm serve m --max-model-length 5"\n')
        self.assert_one_clear_line(self.up(code=2), "--max-model-length", "--max-model-len")
        self.assertEqual(self.rows(), {})

    @unittest.skipUnless(os.geteuid() == 0, "a small disk needs root")
    def test_a_full_disk_for_logs_stops_no_process_and_is_said(self):
        logs = self.host() / "logs"
        logs.mkdir(parents=True, mode=0o700)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(logs)], capture_output=True).returncode:
            self.skipTest("this container may not mount")
        self.addCleanup(subprocess.run, ["umount", "-l", str(logs)], check=False)
        self.write_config(f'[model_servers.loud]\ncommand = "{HOST_PROGRAM} floods {{port}} 2000"\nport = {self.model}\n')
        self.up()
        self.assertEqual(self.rows()["model-loud"]["state"], "ready")
        self.assertEqual(self.ask("Hello")[0], 200)


if __name__ == "__main__":
    unittest.main()
