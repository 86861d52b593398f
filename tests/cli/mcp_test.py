"""`pandora mcp` as whoever starts it sees it: lines in, lines out; and /mcp of a server, among everything else it answers."""
import json
import subprocess
import threading
import unittest

from pandora_case import PROGRAM
from served_case import ServedCase

MOST = 4 << 20  # bytes of a message


def ask(method, number=1, **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


class Mcp(ServedCase):
    def lines(self, *lines, code=0):
        """What `pandora mcp` answers to these lines, by id."""
        done = self.run_pandora("mcp", stdin="\n".join(lines) + "\n", code=code)
        answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
        return {answer["id"]: answer for answer in answers}

    def test_every_request_is_answered_before_it_ends(self):
        answers = self.lines(ask("initialize", 1, protocolVersion="2025-11-25"), *(ask("tools/list", i) for i in range(2, 40)))
        self.assertEqual(sorted(answers), list(range(1, 40)))
        self.assertEqual(answers[1]["result"]["protocolVersion"], "2025-11-25")

    def test_a_last_line_without_an_end_counts(self):
        done = self.run_pandora("mcp", stdin=ask("ping"))
        self.assertEqual(json.loads(done.stdout)["result"], {})

    def test_no_input_is_no_error(self):
        done = self.run_pandora("mcp", stdin="")
        self.assertEqual((done.stdout, done.stderr), (b"", b""))

    def test_what_makes_no_sense_does_not_end_it(self):
        whole = ask("ping", 7)
        broken = [whole[:at] for at in range(1, len(whole))]
        done = self.run_pandora("mcp", stdin="\n".join([*broken, "\x00", "[]", "7", whole]) + "\n")
        answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual(len(answers), len(broken) + 4)
        self.assertEqual(sum(answer.get("result") == {} for answer in answers), 1)
        self.assertTrue(all(answer["error"]["code"] in (-32700, -32600) for answer in answers if "error" in answer))

    def test_a_message_one_byte_too_long_is_refused_and_the_next_is_read(self):
        whole = ask("ping", 1)
        most, past = whole + " " * (MOST - len(whole)), whole.replace("1", "3", 1) + " " * (MOST - len(whole) + 1)
        answers = self.lines(most, past, ask("ping", 2))
        self.assertEqual(answers[1]["result"], {})
        self.assertEqual(answers[2]["result"], {})
        self.assertEqual(answers[None]["error"]["code"], -32600)

    def test_a_reader_that_leaves_ends_it(self):
        process = subprocess.Popen([PROGRAM, "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        process.stdout.close()
        try:
            for number in range(1000):
                process.stdin.write(ask("ping", number).encode() + b"\n")
                process.stdin.flush()
        except BrokenPipeError:
            pass
        process.stdin.close()
        self.assertNotEqual(process.wait(timeout=30), 0)
        process.stderr.close()

    def test_a_pipe_is_a_session_of_its_own_unless_one_is_named(self):
        sessions = []
        for named in ([], [], ["--session", "trip"]):
            with subprocess.Popen([PROGRAM, "mcp", *named], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment, text=True) as process:
                def save(content):
                    print(ask("tools/call", name="memory_save", arguments={"content": content}), file=process.stdin, flush=True)
                try:
                    save(f"I like black tea, said {len(sessions)}.")
                    self.wait_until(self.waiting)
                    waits = self.waiting()[0]
                    sessions.append(waits["session"])
                    self.out("approvals", "allow", waits["id"], "--always")
                    self.assertFalse(json.loads(process.stdout.readline())["result"]["isError"])
                    save(f"I like green tea, said {len(sessions)}.")
                    self.assertFalse(json.loads(process.stdout.readline())["result"]["isError"], "and nobody is asked again")
                finally:
                    process.stdin.close()
                self.assertEqual(process.wait(60), 0)
        self.assertEqual(len(set(sessions)), 3, sessions)
        self.assertTrue(all(name.startswith("mcp-") for name in sessions[:2]), sessions)
        self.assertEqual(sessions[2], "trip")

    def test_whose_memory_it_is_stands_on_the_command_line(self):
        self.out("--user", "ana", "memory", "add", "I like green tea.")
        for user, known in (("ana", True), ("ben", False)):
            done = self.run_pandora("mcp", "--user", user, stdin=ask("resources/list"))
            self.assertEqual("green tea" in done.stdout.decode(), known)

    def test_a_server_answers_beside_everything_else(self):
        self.serve()
        status, head, answer = self.ask("/mcp", json.loads(ask("tools/list")))
        self.assertEqual(status, 200)
        self.assertIn("memory_search", [tool["name"] for tool in answer["result"]["tools"]])
        self.assertTrue(head["X-Request-Id"])
        self.assertEqual(self.ask("/mcp")[0], 405)
        self.assertEqual(self.ask("/mcp/", json.loads(ask("tools/list")))[0], 404)
        self.assertEqual(self.ask("/mcp", json.loads(ask("tools/list")), headers={"Origin": "https://evil.example"})[0], 403)

    def save(self, content, **more):
        return self.ask("/mcp", json.loads(ask("tools/call", name="memory_save", arguments={"content": content})), **more)[2]["result"]

    def waiting(self):
        return self.json("approvals", "list")["approvals"]

    def test_the_servers_end_does_not_wait_for_an_approval(self):
        self.serve("--set", "gateway.drain_ms=100")

        def ask_in_vain():
            try:
                self.save("I like black tea.")
            except OSError:
                pass  # the server has gone

        caller = threading.Thread(target=ask_in_vain)
        caller.start()
        self.wait_until(self.waiting)
        self.assertEqual(self.end()[0], 0)
        caller.join(60)

    def test_a_tool_that_must_be_approved_waits_for_the_owner(self):
        self.serve("--log-level", "info")
        answers = []
        caller = threading.Thread(target=lambda: answers.append(self.save("I like black tea.")))
        caller.start()
        self.wait_until(self.waiting)
        waits = self.waiting()
        self.assertEqual(waits[0]["tool"], "memory_save")
        self.assertNotIn("black tea", self.out("memory", "list"))
        self.out("approvals", "allow", waits[0]["id"])
        caller.join(60)
        self.assertFalse(answers[0]["isError"], answers)
        self.assertIn("black tea", self.out("memory", "list"))
        told = [line for line in self.end()[1].splitlines() if "tool.called" in line]
        self.assertEqual(len(told), 1, told)
        self.assertRegex(told[0], "memory_save.*once")

    def test_what_the_settings_deny_a_key_it_cannot_do_by_mcp_either(self):
        self.environment["PANDORA_TOOLS_APPROVALS"] = "memory_save=allow, phone:memory_save=deny"
        self.serve()
        for name, denied in (("phone", True), ("laptop", False)):
            secret = json.loads(self.out("keys", "create", name, "--json"))["secret"]
            told = self.save(f"Written on the {name}.", headers={"Authorization": f"Bearer {secret}"})
            self.assertEqual(told["isError"], denied, told)
            self.assertEqual(f"Written on the {name}." in self.out("memory", "list"), not denied)

    def test_tools_that_are_switched_off_are_not_offered(self):
        self.environment["PANDORA_TOOLS"] = "false"
        self.assertEqual(self.lines(ask("tools/list"))[1]["result"]["tools"], [])


if __name__ == "__main__":
    unittest.main()
