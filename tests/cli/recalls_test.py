"""What each recall was decided by: listed, shown, ranked again, forgotten, and kept up to a maximum."""
import json
import os
import sqlite3
import subprocess
import unittest
import uuid

from pandora_case import PROGRAM, PandoraCase


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Recalls(PandoraCase):
    def converse(self):
        self.say("The blue bicycle stands behind the shed.\nThe red ladder is in the cellar.", "--session", "first")
        return json.loads(self.say("Where is the blue bicycle?", "--session", "second", "--json"))

    def recalls(self, *arguments):
        return self.json("recalls", "list", *arguments)["recalls"]

    def change_receipt(self, receipt, change):
        """Changes the bytes of a receipt, and makes its checksum fit."""
        database = sqlite3.connect(os.path.join(self.data, "pandora.db"))
        key = (uuid.UUID(receipt).bytes,)
        content = bytearray(database.execute("SELECT receipt FROM recall_receipts WHERE receipt_id = ?", key).fetchone()[0][:-4])
        change(content)
        database.execute("UPDATE recall_receipts SET receipt = ? WHERE receipt_id = ?",
                         (bytes(content) + crc32c(content).to_bytes(4, "little"), *key))
        database.commit()
        database.close()

    def test_a_conversation_leaves_a_receipt_for_each_turn_and_for_each_search(self):
        outcome = self.converse()
        self.json("turns", "search", "ladder")
        recalls = self.recalls()
        self.assertEqual([recall["turn"] for recall in recalls], [None, 3, 2, 1])
        self.assertEqual(recalls[1]["id"], outcome["receipt"])
        self.assertEqual(self.json("turns", "show", "3")["receipt"], outcome["receipt"])
        self.assertEqual([recall["id"] for recall in self.recalls("--turn", "3")], [outcome["receipt"]])
        self.assertEqual([recall["turn"] for recall in self.recalls("--before", outcome["receipt"], "-n", "1")], [2])
        lines = self.out("recalls", "list").splitlines()
        self.assertEqual(len(lines), 4)
        self.assertIn("Where is the blue bicycle?", lines[1])
        self.assertIn("a search", lines[0])
        self.assertEqual(self.out("recalls", "list", "--user", "somebody-else"), "no receipts\n")
        self.run_pandora("recalls", "show", outcome["receipt"], "--user", "somebody-else", code=3)

    def test_a_receipt_shows_every_candidate_and_why_it_is_there_or_not(self):
        receipt = self.converse()["receipt"]
        self.json("turns", "reject", "2")
        shown = self.json("recalls", "show", receipt)
        best = shown["turns"][0]
        self.assertEqual((best["name"], best["fate"], best["rank"]), ("turn 1", "injected", 1))
        self.assertAlmostEqual(sum(best["terms"].values()), best["score"])
        self.assertEqual(shown["tokens"], sum(one["row"]["tokens"] for part in ("given", "turns", "memories", "research")
                                              for one in shown[part] if one["place"] > 0))
        text = self.out("recalls", "show", receipt)
        for words in ("asked by turn 3, session second", "hybrid: ", " tokens; ", "rank   score", "meaning", "injected, ", "turn 1"):
            self.assertIn(words, text)
        self.assertLessEqual(max(len(line) for line in text.splitlines()), 150)

    def test_a_receipt_is_ranked_again_bit_for_bit_and_asked_again_today(self):
        receipt = self.converse()["receipt"]
        self.assertIn("ranked again: the same, bit for bit", self.out("recalls", "replay", receipt))
        self.json("turns", "reject", "1")
        self.say("The blue bicycle is in the garage now.", "--session", "third")
        replayed = self.json("recalls", "replay", receipt)
        self.assertEqual(replayed["verdict"], "same")
        changes = {change["name"]: change["change"] for change in replayed["today"]["changes"]}
        self.assertEqual((changes["turn 1"], changes["turn 4"]), ("gone", "new"))
        self.assertIn("  gone   turn 1: was at place ", self.out("recalls", "replay", receipt))

    def test_a_receipt_that_does_not_give_its_outcome_is_a_conflict(self):
        receipt = self.converse()["receipt"]
        turn = uuid.UUID(self.json("recalls", "show", receipt)["turns"][1]["uid"]).bytes  # no candidate follows it

        def one_bit(content):
            at = content.rindex(turn) + len(turn) + 1  # a low bit of its cosine; the lowest may round away
            content[at] ^= 1
        self.change_receipt(receipt, one_bit)
        done = self.run_pandora("recalls", "replay", receipt, code=4)
        self.assertIn("NOT the same: turns, rank ", done.stdout.decode())
        self.assertIn("score was", done.stdout.decode())

    def test_a_damaged_receipt_is_named_and_nothing_else_suffers(self):
        receipt = self.converse()["receipt"]
        self.change_receipt(receipt, lambda content: content.pop())
        self.run_pandora("recalls", "show", receipt, code=11)
        self.assertEqual([recall["turn"] for recall in self.recalls()], [2, 1])
        self.assertEqual(self.json("turns", "show", "3")["turn"]["number"], 3)
        self.assertIn("bicycle", self.say("Where is the blue bicycle?", "--session", "later"))
        self.json("turns", "forget", "3", "--yes")
        self.assertEqual([recall["turn"] for recall in self.recalls()], [4, 2, 1], "forgetting its turn removes it")

    def test_what_is_forgotten_is_in_no_receipt(self):
        receipt = self.converse()["receipt"]
        uid = self.json("turns", "show", "1")["turn"]["uid"]
        report = self.json("turns", "forget", "1", "--yes")
        self.assertGreaterEqual(report["receipts"], 2)
        self.assertEqual([recall["turn"] for recall in self.recalls()], [3, 2])
        self.assertNotIn(uid, self.out("recalls", "show", receipt, "--json"))
        database = sqlite3.connect(os.path.join(self.data, "pandora.db"))
        for (kept,) in database.execute("SELECT receipt FROM recall_receipts"):
            self.assertNotIn(uuid.UUID(uid).bytes, kept)
        database.close()
        self.assertIn("forgotten since", self.out("recalls", "replay", receipt))
        path = os.path.join(self.home, "report.json")
        with open(path, "w") as file:
            json.dump(report, file)
        self.assertTrue(self.json("verify-forgotten", path)["clean"])

    def test_a_memory_that_is_forgotten_is_in_no_receipt(self):
        memory = self.json("memory", "add", "I prefer short answers", "--kind", "preference")["memory"]["id"]
        receipt = self.converse()["receipt"]
        self.assertIn(memory, self.out("recalls", "show", receipt))
        self.assertGreaterEqual(self.json("memory", "forget", memory, "--yes")["receipts"], 3)
        self.assertNotIn(memory, self.out("recalls", "show", receipt, "--json"))

    def test_as_many_are_kept_as_is_configured_and_of_one_more_the_oldest_goes(self):
        three = ["--set", "recall.receipts=3"]
        self.converse()
        first = self.recalls(*three)
        self.assertEqual([recall["turn"] for recall in first], [3, 2, 1])
        self.say("One more thing about the ladder.", *three)
        self.assertEqual([recall["turn"] for recall in self.recalls(*three)], [4, 3, 2])
        self.run_pandora("recalls", "show", first[-1]["id"], code=3)
        self.assertEqual([recall["turn"] for recall in self.recalls("--set", "recall.receipts=1")], [4], "a lower maximum")
        self.run_pandora("recalls", "list", "--set", "recall.receipts=0", code=2)

    def test_they_are_listed_while_a_conversation_is_open(self):
        chat = subprocess.Popen([PROGRAM, "chat", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment)
        self.addCleanup(chat.stdout.close)
        for line in (b"The kettle is broken.\n", b"What is broken?\n"):
            chat.stdin.write(line)
            chat.stdin.flush()
            receipt = json.loads(chat.stdout.readline())["receipt"]
            self.assertEqual(self.recalls()[0]["id"], receipt, "the owner writes it before it answers")
        chat.stdin.close()
        self.assertEqual(chat.wait(timeout=30), 0)

    def test_deleting_the_database_loses_receipts_and_nothing_else(self):
        self.converse()
        before = self.out("export")
        for name in os.listdir(self.data):
            if name.startswith("pandora.db"):
                os.remove(os.path.join(self.data, name))
        self.json("reconcile", "--apply")
        self.assertEqual(self.out("export"), before)
        self.assertEqual(self.json("reconcile")["differences"], [])
        self.assertEqual(self.recalls(), [])

    def test_what_is_no_receipt_is_one_clear_line(self):
        self.converse()
        self.assert_one_clear_line(self.run_pandora("recalls", "show", "x", code=2), "id", "\"x\"")
        self.assert_one_clear_line(self.run_pandora("recalls", "replay", "01900000-0000-7000-8000-000000000000", code=3),
                                   "01900000-0000-7000-8000-000000000000")


if __name__ == "__main__":
    unittest.main(verbosity=2)
