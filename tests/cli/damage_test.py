"""Databases, journals and files that are damaged: named, set aside, and made again by the command that is named."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import unittest

from pandora_case import PROGRAM, PandoraCase
from served_case import ServedCase

REMEDY = "pandora reconcile --apply"


class Damage(PandoraCase):
    def fill(self, turns=12):
        self.say("\n".join(f"Fact {i}: item{i} is stored in box {i * 7} of room {i % 5}." for i in range(turns)))
        self.json("memory", "add", "I like tea")
        self.json("research", "add", "espresso", "--claim", "The Alpha costs 300", "--domain", "shop.example")
        return self.out("export")

    def path(self, name):
        return os.path.join(self.data, name)

    def change(self, name, at, bytes_):
        with open(self.path(name), "r+b") as file:
            file.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
            file.write(bytes_)

    def quarantined(self):
        folder = pathlib.Path(self.data, "panda_system_docs/quarantine")
        found = sorted(folder.iterdir()) if folder.exists() else []
        for one in found:
            self.assertTrue((one / "reason.txt").read_text().strip(), one)
        return [one.name for one in found]

    def remedied(self, before):
        """The remedy is typed; then everything is there again."""
        self.run_pandora("reconcile", "--apply")
        self.assertEqual(self.json("reconcile")["differences"], [])
        self.assertEqual(self.out("export"), before)
        self.assertTrue(self.json("turns", "search", "item7")["items"])
        self.run_pandora("doctor")

    def test_a_database_that_is_damaged_anywhere_is_made_again_by_the_remedy(self):
        before = self.fill()
        copy = self.data + "-copy"
        shutil.copytree(self.data, copy)
        cases = [(name, do) for name in ("pandora.db", "vectors.db")
                 for do in (lambda n: self.change(n, 0, b"not a database"), lambda n: self.change(n, 105, os.urandom(20)), lambda n: os.truncate(self.path(n), 20_000))]
        for i, (name, damage) in enumerate(cases):
            with self.subTest(name=name, case=i):
                shutil.rmtree(self.data)
                shutil.copytree(copy, self.data)
                damage(name)
                self.assert_one_clear_line(self.run_pandora("turns", "list", code=11), name, REMEDY)
                doctor = self.run_pandora("doctor", code=11)
                self.assertIn(REMEDY.encode(), doctor.stdout)
                self.remedied(before)
                self.assertEqual(len(self.quarantined()), 1)

    def test_bits_that_flip_anywhere_are_named_or_harmless_and_the_remedy_works(self):
        before = self.fill(30)
        copy = self.data + "-copy"
        shutil.copytree(self.data, copy)
        seed = int(os.environ.get("PANDORA_SEED", "1"))
        print("seed", seed)
        rng = random.Random(seed)
        for i in range(8):
            name = rng.choice(["pandora.db", "vectors.db"])
            shutil.rmtree(self.data)
            shutil.copytree(copy, self.data)
            at, length = rng.randrange(os.path.getsize(self.path(name))), rng.choice([1, 8, 64, 512])
            self.change(name, at, rng.randbytes(length))
            with self.subTest(seed=seed, i=i, name=name, at=at, length=length):
                done = self.run_pandora("turns", "list", code=None)
                self.assertIn(done.returncode, (0, 11), done.stderr)
                if done.returncode == 11:
                    self.assert_one_clear_line(done, REMEDY)
                self.remedied(before)

    def test_an_index_that_has_lost_rows_is_found_by_doctor_and_made_again(self):
        before = self.fill(30)
        at = pathlib.Path(self.path("vectors.db")).read_bytes()
        page = 8192 * (int(subprocess.run(["sqlite3", self.path("vectors.db"), "SELECT rootpage FROM sqlite_schema WHERE name = 'points_by_id'"], check=True, capture_output=True, text=True).stdout) - 1)
        entry = at.index(b"turns", page, page + 8192)  # a key of the index: the collection's name, and the point's id behind it
        self.change("vectors.db", entry + 6, b"\0\0\0\0")
        self.run_pandora("doctor", code=11)
        self.remedied(before)

    def test_a_row_that_does_not_parse_is_found_by_doctor_and_made_again(self):
        before = self.fill()
        text = pathlib.Path(self.path("pandora.db")).read_bytes()
        at = text.index(b'"intent":')
        self.change("pandora.db", at, b'"inTent":')
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=11), "pandora.db", REMEDY)
        self.run_pandora("doctor", code=11)
        self.remedied(before)

    def test_a_word_of_a_row_that_is_none_is_damage_too(self):
        before = self.fill()
        subprocess.run(["sqlite3", self.path("pandora.db"), "PRAGMA ignore_check_constraints = ON; UPDATE observability SET kind = 'ph se' WHERE kind = 'phase'"], check=True)
        self.assert_one_clear_line(self.run_pandora("stats", code=11), "pandora.db", REMEDY)
        self.remedied(before)

    def test_damage_under_an_open_conversation_is_repaired_once_that_has_ended(self):
        before = self.fill()
        chat = subprocess.Popen([PROGRAM, "chat", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment)
        self.wait_until(lambda: pathlib.Path(self.path("LOCK")).read_text().strip() == f"process {chat.pid}")
        self.json("memory", "list")  # by its socket: it has opened everything
        # It has read no turn but the newest: what SQLite keeps in memory of the file is not the damaged page.
        text = pathlib.Path(self.path("pandora.db")).read_bytes()
        self.change("pandora.db", text.index(b'"intent":'), b'"inTent":')
        self.assert_one_clear_line(self.run_pandora("reconcile", "--apply", code=11), "end the other process")
        chat.stdin.close()
        self.assertEqual(chat.wait(timeout=30), 0)
        chat.stdout.close()
        self.run_pandora("reconcile", "--apply")
        self.assertEqual(self.out("export"), before)

    def test_an_emptied_database_is_said_by_doctor(self):
        before = self.fill()
        os.truncate(self.path("pandora.db"), 0)
        doctor = self.run_pandora("doctor", code=11)
        self.assertIn(REMEDY.encode(), doctor.stdout)
        differences = self.json("reconcile")["differences"]
        self.assertNotIn("point without row", {difference["kind"] for difference in differences}, "their rows are made again")
        self.assertLess(len(self.out("reconcile").splitlines()), 30, "a kind is shown a few times only")
        self.remedied(before)

    def killed_after(self, messages):
        chat = subprocess.Popen([PROGRAM, "chat", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment)
        for message in messages:
            chat.stdin.write(message.encode() + b"\n")
            chat.stdin.flush()
            self.assertTrue(json.loads(chat.stdout.readline())["acknowledged"])
        chat.kill()
        chat.wait()
        chat.stdin.close()
        chat.stdout.close()

    def test_a_log_that_is_lost_with_a_crash_gives_no_turn_another_number(self):
        messages = [f"Fact {i}: item{i} is in box {i * 3}." for i in range(20)]
        self.killed_after(messages)
        for name in ("pandora.db-wal", "pandora.db-shm", "pandora.sock"):
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))
        os.truncate(self.path("pandora.db"), 0)
        numbers = {turn["number"]: turn["message"]["text"] for turn in self.json("turns", "list", "--limit", "100")["turns"]}
        self.run_pandora("reconcile", "--apply")
        self.assertEqual(self.json("reconcile")["differences"], [])
        after = {turn["number"]: turn["message"]["text"] for turn in self.json("turns", "list", "--limit", "100")["turns"]}
        self.assertEqual(after, {i + 1: text for i, text in enumerate(messages)})
        for number, text in numbers.items():
            self.assertEqual(after[number], text)

    def test_files_under_another_number_than_their_row_are_brought_together(self):
        self.fill(3)
        turns = pathlib.Path(self.data, "panda_system_docs/turns")
        os.rename(turns / "turn_000002", turns / "turn_000777")
        path = turns / "turn_000777/metadata.json"
        path.write_text(path.read_text().replace('"number": 2,', '"number": 777,'))
        self.assertIn("files under another number", {d["kind"] for d in self.json("reconcile")["differences"]})
        self.run_pandora("reconcile", "--apply")
        self.assertEqual(self.json("reconcile")["differences"], [])
        self.assertEqual([turn["number"] for turn in self.json("turns", "list")["turns"]], [3, 2, 1])
        self.assertIn("item1", self.out("turns", "show", "2"))

    def test_what_a_killed_import_left_is_made_findable_by_commands_that_are_short(self):
        path = os.path.join(self.home, "many.jsonl")
        with open(path, "w") as file:
            for i in range(500):
                file.write(json.dumps({"session": f"s{i % 20}", "text": f"Line {i} is about subject {i * 7}."}) + "\n")
        child = subprocess.Popen([PROGRAM, "import", "turns", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment)
        try:
            child.wait(timeout=0.7)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        waiting = []
        for _ in range(30):
            status = self.json("status")
            waiting.append(status["pending"] + status["outbox"])
            if waiting[-1] == 0:
                break
        self.assertEqual(waiting[-1], 0, waiting)
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_a_clock_that_jumped_back_is_named(self):
        path = os.path.join(self.home, "future.jsonl")
        with open(path, "w") as file:
            file.write(json.dumps({"session": "s", "text": "Said when the clock was right.", "at": "2199-01-01T00:00:00Z"}) + "\n")
        self.run_pandora("import", "turns", path)
        doctor = self.run_pandora("doctor", code=8)
        self.assertIn(b"set the system's clock", doctor.stdout)
        done = self.run_pandora("chat", stdin="Said when the clock is wrong.\n")
        self.assertIn(b"set the system's clock", done.stderr)
        self.assertEqual(len(self.json("turns", "list")["turns"]), 2)

    def test_what_was_forgotten_is_looked_for_by_its_id_and_a_trace_is_found(self):
        self.say("Remember that the xylophone passphrase is marmalade7.\nIs that passphrase safe?\nWhere is it?\nWhy?")
        turns = {turn["number"]: turn for turn in self.json("turns", "list")["turns"]}
        self.assertIn("xylophone", turns[2]["question"], "made self-contained with words of the turn before")
        kept = pathlib.Path(self.data, "panda_system_docs/turns/turn_000001")
        shutil.copytree(kept, os.path.join(self.home, "kept"))
        uid = turns[1]["uid"]
        self.assertIn(uid, self.out("turns", "forget", "1", "--yes"))
        for folder, _, names in os.walk(self.data):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    for word in (b"marmalade7", b"xylophon"):
                        self.assertNotIn(word, pathlib.Path(path).read_bytes(), path)
        self.assertEqual(self.out("verify-forgotten", uid), "nothing of it is left\n")
        self.assertEqual(self.json("reconcile")["differences"], [])
        shutil.copytree(os.path.join(self.home, "kept"), kept)
        self.assertIn("files", self.out("verify-forgotten", uid, code=4))
        self.run_pandora("reconcile", "--apply")
        self.assertTrue(self.json("verify-forgotten", uid)["clean"])
        self.assert_one_clear_line(self.run_pandora("verify-forgotten", turns[2]["uid"], code=3), turns[2]["uid"])

    def test_a_forgotten_memory_names_the_turn_that_still_says_it(self):
        self.say("I am allergic to peanuts.")
        memory = self.json("memory", "list")["memories"][0]["id"]
        self.assertEqual(self.json("memory", "show", memory)["said_in"], 1)
        self.assertIn("pandora turns forget 1", self.out("memory", "forget", memory, "--yes"))


class DamageOfALargeDatabase(ServedCase):
    """It is served at once and looked at meanwhile."""

    def test_a_damaged_page_that_nobody_has_read_yet_is_named_and_nothing_acknowledged_is_lost(self):
        self.say("\n".join(f"Fact {i}: item{i} is stored in box {i * 7}." for i in range(12)))
        database = os.path.join(self.data, "pandora.db")
        subprocess.run(["sqlite3", database, "CREATE TABLE large (bytes); INSERT INTO large VALUES (zeroblob(80000000)); PRAGMA wal_checkpoint(TRUNCATE)"],
                       check=True, stdout=subprocess.DEVNULL)
        self.assertGreater(os.path.getsize(database), 64 << 20)
        with open(database, "r+b") as file:
            file.seek(os.path.getsize(database) // 2 // 4096 * 4096)
            file.write(b"Z" * 4096)
        self.serve()
        self.wait_until(lambda: self.ask("/health/ready")[0] == 503)
        checks = {check["name"]: check for check in self.ask("/health/ready")[2]["dependencies"]}
        self.assertEqual(checks["stores"]["state"], "down")
        self.assertIn("pandora.db is damaged", checks["stores"]["detail"])
        status, head, body = self.chat("The spare key is under the blue pot.")
        self.assertEqual(status, 200, body)
        self.assertIn(head["Pandora-Acknowledged"], ("true", "pending"), "the journal has it")
        self.assert_one_clear_line(self.run_pandora("reconcile", "--apply", code=11), "end the other process")
        code, errors = self.end()
        self.assertEqual(code, 0, errors)
        self.assertIn(REMEDY, errors)
        doctor = self.run_pandora("doctor", code=11)
        self.assertIn(REMEDY.encode(), doctor.stdout)
        self.run_pandora("reconcile", "--apply")
        self.assertEqual(self.json("reconcile")["differences"], [])
        said = [turn["message"]["text"] for turn in self.json("turns", "list", "--limit", "100")["turns"]]
        self.assertEqual(len(said), 13)
        self.assertIn("The spare key is under the blue pot.", said)
        self.run_pandora("doctor")


if __name__ == "__main__":
    unittest.main(verbosity=2)
