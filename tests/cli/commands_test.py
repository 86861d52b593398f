"""Every command: by hand's ways, with --json, and against a conversation that is open."""
import json
import os
import pathlib
import re
import subprocess
import unittest

from pandora_case import PROGRAM, SOURCE, PandoraCase


class Commands(PandoraCase):
    def test_turns_are_listed_shown_searched_rejected_and_archived(self):
        self.say("The blue bicycle stands behind the shed.\nThe red ladder is in the cellar.")
        turns = self.json("turns", "list")["turns"]
        self.assertEqual([turn["number"] for turn in turns], [2, 1])
        self.assertIn("bicycle", self.out("turns", "list"))
        for words, found in ((("--topic", "bicycles"), [1]), (("--keywords", "bicycle"), [1]), (("--topic", "bicycle", "--keywords", "kettle"), [])):
            self.assertEqual([turn["number"] for turn in self.json("turns", "list", *words)["turns"]], found, words)
        self.assertIn(b"there is no word in it to look for", self.run_pandora("turns", "list", "--topic", "of the", code=2).stderr)
        self.assertIn("## §0", self.out("turns", "show", "1"))
        self.assertEqual(self.json("turns", "search", "blue", "bicycle")["items"][0]["source"], "turn 1")
        self.assertTrue(self.json("turns", "reject", "1")["turn"]["rejected"])
        self.assertNotIn("turn 1", [item["source"] for item in self.json("turns", "search", "bicycle")["items"]])
        self.assertFalse(self.json("turns", "reject", "1", "--undo")["turn"]["rejected"])
        self.assertEqual(self.json("turns", "archive", "--older-than-days", "0", "--dry-run")["archived"], [1, 2])
        self.json("turns", "archive", "--older-than-days", "0")
        self.assertEqual(sorted(os.listdir(os.path.join(self.data, "panda_system_docs/archive"))), ["turn_000001", "turn_000002"])
        self.assertEqual(os.listdir(os.path.join(self.data, "panda_system_docs/turns")), [])
        self.assertEqual(self.json("turns", "search", "bicycle")["items"][0]["source"], "turn 1", "an archived turn is still found")
        self.assertEqual(self.json("reconcile")["differences"], [])
        self.assertEqual(self.json("sessions")["sessions"][0]["turns"], 2)

    def test_memories_are_added_superseded_searched_and_forgotten(self):
        first = self.json("memory", "add", "My favourite colour is red")["memory"]["id"]
        second = self.json("memory", "add", "My favourite colour is green")
        self.assertEqual(second["superseded"], [first])
        self.assertEqual([m["content"] for m in self.json("memory", "list")["memories"]], ["My favourite colour is green"])
        self.assertEqual(len(self.json("memory", "list", "--all")["memories"]), 2)
        self.run_pandora("memory", "add", "My favourite colour is green", code=4)
        self.assertEqual(len(self.json("memory", "search", "favourite colour")["items"]), 1)
        report = self.json("memory", "forget", first, "--yes")
        path = os.path.join(self.home, "report.json")
        with open(path, "w") as file:
            json.dump(report, file)
        self.assertTrue(self.json("verify-forgotten", path)["clean"])

    def test_what_is_forgotten_is_in_no_file_any_more(self):
        self.say("The treasure is buried under the zinnias.\nWhere is the treasure?")
        report = self.json("turns", "forget", "1", "--yes")
        left = []
        for folder, _, names in os.walk(self.data):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and b"zinnias" in pathlib.Path(path).read_bytes():
                    left.append(path)
        self.assertEqual(left, [])
        self.assertGreaterEqual(report["redacted"], 1)
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_forgetting_asks_and_without_a_terminal_refuses(self):
        self.say("Something to keep.")
        done = self.run_pandora("turns", "forget", "1", code=2)
        self.assert_one_clear_line(done, "--yes")
        self.assertEqual(len(self.json("turns", "list")["turns"]), 1)

    def test_research_merges_and_sources_learn(self):
        self.json("research", "add", "espresso machines", "--claim", "The Alpha costs 300 euros", "--domain", "shop.example", "--type", "price")
        merged = self.json("research", "add", "Espresso Machines", "--claim", "The Alpha costs 300 euros", "--domain", "other.example", "--type", "price")
        self.assertTrue(merged["merged"])
        finding = merged["research"]["findings"][0]
        self.assertEqual(finding["domains"], ["shop.example", "other.example"])
        self.assertAlmostEqual(finding["confidence"], 0.75)
        self.assertEqual(len(self.json("research", "find", "espresso machines")["research"]), 1)
        self.assertEqual(self.json("sources", "block", "https://Shop.Example/x")["source"]["override"], "block")
        self.assertEqual(self.json("sources", "show", "shop.example")["source"]["score"], 0.5)
        self.assertEqual(self.json("sources", "reset", "shop.example")["source"]["override"], "none")

    def test_import_is_resumable_and_names_bad_lines(self):
        path = os.path.join(self.home, "turns.jsonl")
        with open(path, "w") as file:
            for i in range(25):
                file.write(json.dumps({"session": "old", "speaker": "Ana", "text": f"Line number {i} about topic {i}.", "at": "2023-05-08T13:56:00Z"}) + "\n")
            file.write("{not json\n")
            file.write('{"session": "../up", "text": "x"}\n')
        done = self.run_pandora("import", "turns", path, "--json", code=2)
        result = json.loads(done.stdout)
        self.assertEqual((result["imported"], result["known"], [e["line"] for e in result["errors"]]), (25, 0, [26, 27]))
        result = json.loads(self.run_pandora("import", "turns", path, "--json", code=2).stdout)
        self.assertEqual((result["imported"], result["known"]), (0, 25))
        self.assertEqual(len(self.json("turns", "list", "--in", "old")["turns"]), 25)
        self.assertEqual(len(self.out("export").splitlines()), 25)

    def test_a_second_command_works_while_a_conversation_is_open(self):
        chat = subprocess.Popen([PROGRAM, "chat", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment)
        self.addCleanup(chat.stdout.close)
        chat.stdin.write(b"The kettle is broken.\n")
        chat.stdin.flush()
        self.assertTrue(json.loads(chat.stdout.readline())["acknowledged"])
        socket = os.path.join(self.data, "pandora.sock")
        self.assertEqual(os.stat(socket).st_mode & 0o777, 0o600)
        self.assertEqual(len(self.json("turns", "list")["turns"]), 1)
        self.assertTrue(self.json("turns", "search", "kettle")["items"])
        self.assertIn("answers", self.out("doctor", code=None))
        self.assertEqual(json.loads(self.say("What is broken?", "--json"))["ending"], "answered", "two conversations at once")
        chat.stdin.close()
        self.assertEqual(chat.wait(timeout=30), 0)

    def test_several_commands_at_once_lose_nothing(self):
        children = [subprocess.Popen([PROGRAM, "chat", "--session", f"s{i}"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, env=self.environment) for i in range(6)]
        for i, child in enumerate(children):
            child.stdin.write(f"This is message {i}.\n".encode())
            child.stdin.close()
        for child in children:
            self.assertEqual(child.wait(timeout=60), 0, child.stderr.read())
            child.stderr.close()
        turns = self.json("turns", "list")["turns"]
        self.assertEqual(sorted(turn["message"]["text"] for turn in turns), [f"This is message {i}." for i in range(6)])
        self.assertEqual(len({turn["number"] for turn in turns}), 6)

    def test_config_shows_where_a_value_comes_from_and_masks_secrets(self):
        values = self.json("config", "--set", "recall.limit=7", DATABASE_URL="postgresql://u:hunter2@h/d")
        self.assertEqual((values["recall.limit"]["value"], values["recall.limit"]["source"]), ("7", "flag"))
        self.assertEqual(values["data.path"]["source"], "environment")
        self.assertNotIn("hunter2", json.dumps(values))
        self.assertNotIn("hunter2", self.out("config", DATABASE_URL="postgresql://u:hunter2@h/d"))

    def test_completion_and_help_know_every_command(self):
        table = self.out("completion", "bash")
        for word in ("turns", "memory", "research", "sources", "reconcile", "import", "export", "stats", "doctor", "verify-forgotten"):
            self.assertIn(word, table)
            self.assertEqual(self.run_pandora(word, "--help").returncode, 0)
        self.assertIn("complete -c pandora", self.out("completion", "fish"))
        self.run_pandora("completion", "powershell", code=2)

    def test_stats_answer_the_five_questions(self):
        self.say("The lamp is in the attic.\nWhere is the lamp?")
        stats = self.json("stats")
        self.assertEqual(stats["phases"]["phase 2"]["count"], 2)
        self.assertEqual(stats["quality"][0]["turns"], 2)
        for part in ("failures", "phases", "models", "quality", "tools", "sources", "calibration"):
            self.assertIn(part, stats)
        self.assertIn("Is confidence calibrated?", self.out("stats"))

    def test_the_page_of_operations_is_the_table_of_operations(self):
        page = (SOURCE / "docs/operations.md").read_text()
        documented = set(re.findall(r"^\| `([a-z.]+)` \|", page, re.M))
        source = "".join(path.read_text() for path in (SOURCE / "src/service").glob("*_operations.cpp"))
        self.assertEqual(documented, set(re.findall(r'^ +(?:return )?\{+"([a-z.]+)",\s+"[^"]*",\s+"', source, re.M)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
