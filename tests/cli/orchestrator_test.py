"""Tools over HTTP: beside the Gateway in one process, and as two."""
import json
import os
import signal
import sqlite3
import subprocess
import threading
import unittest

from pandora_case import PROGRAM
from served_case import ServedCase, words
from tools_test import call, calling, results


class Orchestrators(ServedCase):
    def orchestrator(self, *arguments, port=0):
        """Starts one; its port."""
        process = subprocess.Popen([PROGRAM, "orchestrator", "--json", "--set", f"orchestrator.port={port}", *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment)
        self.addCleanup(self.finish, process)
        line = process.stdout.readline()
        self.assertTrue(line, "it did not start")
        return process, int(json.loads(line)["url"].rsplit(":", 1)[1])

    def finish(self, process, how=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode

    def gateway(self, port, *arguments):
        self.serve_command = "gateway"
        self.serve("--set", f"tools.url=http://127.0.0.1:{port}", *arguments)

    def at(self, port, path, body=None, headers=()):
        before, self.port = getattr(self, "port", None), port
        with open(os.path.join(self.data, "orchestrator.key")) as file:
            secret = {"Authorization": "Bearer " + file.read()}
        try:
            return self.ask(path, body, headers={**secret, **dict(headers)})
        finally:
            self.port = before

    def text_of(self, events):
        return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event != "[DONE]" and event["choices"])

    def test_serve_answers_tools_in_the_same_process(self):
        self.serve("--set", "tools.approvals=memory_save=allow")
        status, _, listed = self.ask("/tools")
        self.assertEqual(status, 200)
        self.assertIn("memory_search", [tool["name"] for tool in listed["tools"]])
        self.assertEqual(self.ask("/tools/calculate", {"expression": "6*7"})[2]["result"], "42")
        self.assertIn("Saved as memory", self.ask("/tools/memory_save", {"content": "I like tea."})[2]["result"])
        self.wait_until(lambda: "I like tea." in self.ask("/tools/memory_search", {"query": "tea"})[2]["result"])
        status, _, answer = self.ask("/tools/calculate", {"expression": 7})
        self.assertEqual((status, answer["error"]["type"]), (400, "invalid_request_error"))
        self.assertEqual(self.ask("/tools/nothing", {})[0], 404)
        self.assertEqual(self.ask("/tools/calculate", {}, headers={"Origin": "https://eve.example"})[0], 403)
        self.assertEqual(self.ask("/nothing")[0], 404)
        self.end()
        # A call that is part of no turn has its row as well, without a word of it.
        with sqlite3.connect(os.path.join(self.data, "pandora.db")) as database:
            rows = list(database.execute("SELECT name, ok, detail FROM observability WHERE kind = 'tool'"))
        ((ok, detail),) = [row[1:] for row in rows if row[0] == "memory_save"]
        self.assertEqual(ok, 1)
        self.assertIn("approval allow; arguments 26 bytes ", detail)
        self.assertIn("user me", detail)
        self.assertNotIn("tea", str(rows))
        self.assertEqual(sorted(row[0] for row in rows if not row[1]), ["calculate"], "refused arguments are a row as well")

    def test_two_processes_are_one_to_their_client(self):
        up = self.upstream(words("Noted."), calling(call("memory_search", {"query": "peanuts"})), words("You avoid peanuts."))
        _, port = self.orchestrator()
        self.gateway(port)
        self.stream("I am allergic to peanuts.")
        self.settle()
        _, events, turn = self.stream("Which nuts should I avoid?", headers={"Pandora-Session": "tomorrow"})
        self.assertEqual(self.text_of(events), "You avoid peanuts.")
        self.assertIn("I am allergic to peanuts.", results(up.asked[2])[0]["content"])
        self.assertEqual(self.ask("/tools")[0], 404, "the Gateway has none of its own")
        self.assertEqual(self.at(port, "/tools/turn_open", {"number": 1})[2]["status"], "ok")

    def test_an_approval_is_asked_where_the_data_is(self):
        up = self.upstream(calling(call("memory_save", {"content": "Ana likes tea."})), words("Kept."))
        _, port = self.orchestrator()
        self.gateway(port)
        done = []
        thread = threading.Thread(target=lambda: done.append(self.stream("Keep it.")))
        thread.start()
        self.wait_until(lambda: self.json("approvals", "list")["approvals"])
        self.out("approvals", "allow", self.json("approvals", "list")["approvals"][0]["id"])
        thread.join()
        self.assertIn("Saved as memory", results(up.asked[1])[0]["content"])

    def test_an_orchestrator_that_is_killed_in_the_middle_is_said_and_the_turn_goes_on(self):
        up = self.upstream(calling(call("memory_save", {"content": "Ana likes tea."})), words("I could not."),
                           calling(call("clock", {})), words("No clock."), calling(call("clock", {})), words("It is time."))
        process, port = self.orchestrator()
        self.gateway(port)
        done = []
        thread = threading.Thread(target=lambda: done.append(self.stream("Keep it.")))
        thread.start()
        self.wait_until(lambda: self.json("approvals", "list")["approvals"])
        self.finish(process, signal.SIGKILL)
        thread.join()
        _, events, turn = done[0]
        self.assertEqual(self.text_of(events), "I could not.")
        self.assertTrue(turn["acknowledged"])
        self.assertIn("the Orchestrator, which runs the tools, does not answer", results(up.asked[1])[0]["content"])
        self.wait_until(lambda: not self.json("approvals", "list")["approvals"])
        # Down, the next turn goes on as well; up again, its tools are back.
        self.assertEqual(self.text_of(self.stream("What time is it?")[1]), "No clock.")
        self.assertIn("does not answer", results(up.asked[3])[0]["content"])
        self.orchestrator(port=port)
        self.assertEqual(self.text_of(self.stream("And now?")[1]), "It is time.")
        self.assertIn('status="ok"', results(up.asked[5])[-1]["content"])

    def test_without_an_owner_of_the_data_only_tools_that_need_nothing_work(self):
        process, port = self.orchestrator()
        self.assertEqual(self.at(port, "/tools/calculate", {"expression": "6*7"})[2]["result"], "42")
        outcome = self.at(port, "/tools/memory_search", {"query": "tea"})[2]
        self.assertEqual(outcome["status"], "failed")
        self.assertIn("no process owns the data directory", outcome["result"])
        self.assertEqual(self.at(port, "/health/live")[0], 200)
        self.assertEqual(self.finish(process), 0)

    def test_its_secret_is_its_users_alone_and_without_it_nobody_comes_in(self):
        process, port = self.orchestrator()
        path = os.path.join(self.data, "orchestrator.key")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        for secret in ("", "wrong"):
            status, _, answer = self.at(port, "/tools/clock", {}, {"Authorization": "Bearer " + secret})
            self.assertEqual((status, answer["error"]["type"]), (401, "authentication_error"))
        with open(path) as file:
            before = file.read()
        self.finish(process)
        self.orchestrator()
        with open(path) as file:
            self.assertEqual(file.read(), before, "it stays")

    def test_help_says_what_they_are(self):
        self.assertIn("pandora orchestrator", self.out("gateway", "--help"))
        self.assertIn("/tools", self.out("orchestrator", "--help"))


class Files(ServedCase):
    def test_text_files_in_named_folders_are_read_and_nothing_else(self):
        notes = os.path.join(self.home, "notes")
        os.makedirs(notes)
        with open(os.path.join(notes, "list.txt"), "w") as file:
            file.write("bread\ntea\n")
        with open(os.path.join(self.home, "secret.txt"), "w") as file:
            file.write("secret")
        up = self.upstream(calling(call("file_list", {"folder": "notes"}), call("file_read", {"folder": "notes", "path": "list.txt"}, "call-2"),
                                   call("file_read", {"folder": "notes", "path": "../secret.txt"}, "call-3")), words("Bread and tea."))
        self.assertEqual(self.say("What is on my list?", "--set", "tools.folders=notes=~/notes"), "Bread and tea.\n")
        listed, read, refused = (result["content"] for result in results(up.asked[1]))
        self.assertIn("list.txt  10 bytes", listed)
        self.assertIn("bread\ntea\n", read)
        self.assertIn("leads out of the folder", refused)
        self.assertNotIn("secret\n", refused)

    def test_without_folders_there_are_no_such_tools(self):
        up = self.upstream(words("Hello."))
        self.say("Good morning to you.")
        self.assertNotIn("file_read", [tool["function"]["name"] for tool in up.asked[0]["tools"]])


if __name__ == "__main__":
    unittest.main()
