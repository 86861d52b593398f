"""In and out: imports that are large, odd or interrupted; an export that gives the same again."""
import json
import os
import signal
import subprocess
import unittest

from pandora_case import PROGRAM, PandoraCase


class Transfer(PandoraCase):
    def write(self, name, lines):
        path = os.path.join(self.home, name)
        with open(path, "wb") as file:
            for line in lines:
                file.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        return path

    def fill(self):
        self.say("I am allergic to peanuts.\nMy sister Ana lives in Lisbon.\nWhere does my sister live?", "--session", "a")
        self.say("I prefer tea over coffee.\nI prefer water over tea.", "--session", "b")
        self.json("turns", "reject", "3")
        self.json("memory", "add", "The key is 4711", "--kind", "fact")
        self.json("research", "add", "espresso", "--claim", "The Alpha costs 300", "--domain", "shop.example")
        self.json("sources", "block", "bad.example")
        self.json("turns", "archive", "--older-than-days", "0")

    def test_an_export_imported_elsewhere_gives_the_same(self):
        self.fill()
        exported = self.out("export")
        path = self.write("export.jsonl", [line.encode() for line in exported.splitlines()])
        there = {"PANDORA_DATA": os.path.join(self.home, "second")}
        result = json.loads(self.run_pandora("import", "turns", path, "--json", **there).stdout)
        self.assertEqual((result["imported"], result["errors"]), (5, []))
        self.assertEqual(self.out("export", **there), exported)
        for command in (["turns", "list"], ["memory", "list", "--all"], ["sources", "list"], ["sessions"]):
            self.assertEqual(self.json(*command, **there), self.json(*command), command)
        self.assertEqual(self.json("research", "list", **there)["research"][0]["findings"], self.json("research", "list")["research"][0]["findings"])
        self.assertEqual(self.json("reconcile", **there)["differences"], [])
        again = json.loads(self.run_pandora("import", "turns", path, "--json", **there).stdout)
        self.assertEqual((again["imported"], again["others"]), (0, 0))
        self.assertEqual(self.out("export", **there), exported)

    def test_an_export_of_another_user_becomes_mine_and_what_has_its_number_keeps_it(self):
        self.fill()
        path = self.write("export.jsonl", [line.encode() for line in self.out("export").splitlines()])
        for _ in range(2):
            self.run_pandora("import", "turns", path, "--user", "bo")
        self.assertEqual(len(self.json("turns", "list", "--user", "bo")["turns"]), 5)
        self.assertEqual(len(self.json("turns", "list")["turns"]), 5)
        self.assertEqual(len({turn["number"] for user in ("me", "bo") for turn in self.json("turns", "list", "--user", user)["turns"]}), 10)
        self.assertEqual([m["content"] for m in self.json("memory", "list", "--user", "bo")["memories"]], [m["content"] for m in self.json("memory", "list")["memories"]])
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_what_was_forgotten_here_does_not_come_back_by_an_import(self):
        self.say("The treasure is under the zinnias.")
        path = self.write("export.jsonl", [line.encode() for line in self.out("export").splitlines()])
        self.json("turns", "forget", "1", "--yes")
        self.run_pandora("import", "turns", path)
        self.assertEqual(self.json("turns", "list")["turns"], [])

    def test_an_odd_number_does_not_use_up_those_of_the_turns_to_come(self):
        self.say("The treasure is under the zinnias.")
        line = self.out("export")
        path = self.write("odd.jsonl", [line.replace('"number":1,', '"number":999999999999,').encode()])
        there = {"PANDORA_DATA": os.path.join(self.home, "second")}
        self.run_pandora("import", "turns", path, **there)
        self.say("And the map is in the attic.", **there)
        self.assertEqual([turn["number"] for turn in self.json("turns", "list", **there)["turns"]], [2, 1])

    def test_the_largest_message_comes_through(self):
        self.say("word " * 800_000)
        path = self.write("export.jsonl", [self.out("export").encode()])
        there = {"PANDORA_DATA": os.path.join(self.home, "second")}
        self.assertIn("1 turns imported", self.out("import", "turns", path, **there))
        self.assertEqual(self.out("export", **there), self.out("export"))

    def test_a_line_that_is_too_long_as_an_argument_is_named(self):
        path = self.write("zeros", [bytes(8_000_000), {"session": "s", "text": "ok"}])
        done = self.run_pandora("import", "turns", path, code=2)
        self.assertIn(b"line 1: ", done.stderr)
        self.assertIn(b"1 turns imported", done.stdout)

    def test_lines_of_any_kind_are_kept_or_named(self):
        path = self.write("odd.jsonl", [b'{"session":"s","text":"ok"}\r', b"", b"   ", b"not json", {"session": "../x", "text": "a"}, {"session": "s"}, [1],
                                        {"session": "s", "text": ""}, {"session": "s", "text": "a\0b"}, b'{"session":"s","text":"\xff\xfe"}',
                                        {"session": "s", "text": "t", "at": "yesterday"}, {"session": "s", "text": "t", "foo": 1},
                                        {"session": "s", "message": "m", "reply": "r"}, {"session": "s", "text": "x" * 17_000_000},
                                        {"format": "pandora turn record", "version": 2}, {"format": "something"}])
        result = json.loads(self.run_pandora("import", "turns", path, "--json", code=2).stdout)
        self.assertEqual(result["imported"], 4)
        self.assertEqual([error["line"] for error in result["errors"]], [4, 5, 6, 7, 8, 11, 12, 14, 15, 16])
        done = self.run_pandora("import", "turns", path, code=2)
        self.assertLess(len(done.stderr), 5_000)

    def test_long_lines_are_taken_in_pieces_that_fit(self):
        path = self.write("long.jsonl", [{"session": "s", "text": f"{i} " + "x" * 1_000_000} for i in range(12)])
        self.assertIn("12 turns imported", self.out("import", "turns", path))

    def test_what_is_no_file_is_named(self):
        self.assert_one_clear_line(self.run_pandora("import", "turns", self.home, code=2), self.home)
        self.assert_one_clear_line(self.run_pandora("import", "turns", "/nonexistent", code=3), "/nonexistent")

    def test_an_interrupted_import_is_simply_run_again(self):
        path = self.write("many.jsonl", [{"session": f"s{i % 20}", "text": f"Line {i} is about subject {i * 7}."} for i in range(600)])
        for sign in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
            child = subprocess.Popen([PROGRAM, "import", "turns", path, "--log-level", "error"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment)
            try:
                child.wait(timeout=0.4)
            except subprocess.TimeoutExpired:
                child.send_signal(sign)
            self.assertIn(child.wait(timeout=60), (0, 130, -9, -15), child.stderr.read())
            child.stderr.close()
        result = json.loads(self.run_pandora("import", "turns", path, "--json").stdout)
        self.assertEqual(result["imported"] + result["known"], 600)
        self.assertEqual(len(self.out("export").splitlines()), 600)
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_ctrl_c_of_an_import_over_the_socket_leaves_the_owner_alone(self):
        owner = subprocess.Popen([PROGRAM, "chat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment)
        self.addCleanup(owner.stdout.close)
        owner.stdin.write(b"The kettle is broken.\n")
        owner.stdin.flush()
        owner.stdout.readline()
        feed = subprocess.Popen([PROGRAM, "import", "turns", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=self.environment)
        feed.stdin.write(b"".join(json.dumps({"session": "s", "text": f"line {i}"}).encode() + b"\n" for i in range(250)))
        feed.stdin.flush()
        feed.send_signal(signal.SIGINT)
        self.assertIn(feed.wait(timeout=30), (130, -2), feed.stderr.read())
        feed.stdin.close()
        feed.stderr.close()
        owner.stdin.write(b"What is broken?\n")
        owner.stdin.close()
        self.assertIn(b"kettle", owner.stdout.read())
        self.assertEqual(owner.wait(timeout=30), 0)
        self.assertEqual(self.json("reconcile")["differences"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
