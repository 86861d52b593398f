"""The SQLite files of before Pandora: read while their program writes, never changed, and every row accounted for."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import unittest

from hostile_sqlite import HostileFiles, make_plain
from pandora_case import PROGRAM, PandoraCase
from postgres_server import PostgresServer


def hash_of_folder(folder):
    """Of every file but SQLite's shared lock table, which holds no data."""
    return {name: hashlib.sha256(pathlib.Path(at, name).read_bytes()).hexdigest()
            for at, _, names in os.walk(folder) for name in names if not name.endswith("-shm")}


class SqliteImport(PandoraCase):
    def setUp(self):
        super().setUp()
        self.old = os.path.join(self.home, "old")
        os.makedirs(self.old)

    def bring(self, *arguments, code=0, **environment):
        done = self.run_pandora("import", "sqlite", self.old, *arguments, "--json", code=code, **environment)
        return {table["table"]: table for table in json.loads(done.stdout)["tables"]}

    def quarantine(self, **environment):
        path = os.path.join(environment.get("PANDORA_DATA", self.data), "import-quarantine.jsonl")
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def assert_whole(self, table):
        self.assertEqual(table["rows"], table["imported"] + table["known"] + table["differs"] + table["forgotten"] + table["quarantined"], table)
        self.assertEqual(table["source_sha256"], table["stored_sha256"])

    def test_rows_become_turns_research_and_sources_and_are_found(self):
        make_plain(self.old, turns=30)
        os.makedirs(os.path.join(self.old, "turns", "turn_000007"))
        for name, text in (("context.md", "# Context\n\n## 0. User Query\n\nWhere do the zinnias grow?\n\n---\n\n## 1. Reflection\n\nPROCEED\n"),
                           ("response.md", "Behind the greenhouse.\n")):
            with open(os.path.join(self.old, "turns", "turn_000007", name), "w", encoding="utf-8") as file:
                file.write(text)
        before = hash_of_folder(self.old)
        dry = self.bring("--dry-run")
        self.assertEqual((dry["turns"]["imported"], dry["research"]["imported"], dry["sources"]["imported"]), (30, 5, 4))
        self.assertEqual(self.json("turns", "list")["turns"], [])
        tables = self.bring()
        for table in tables.values():
            self.assert_whole(table)
            self.assertEqual((table["quarantined"], table["verified"]), (0, table["rows"]))
        turns = {turn["number"]: turn for turn in self.json("turns", "list")["turns"]}
        self.assertEqual(sorted(turns), list(range(1, 31)))
        self.assertEqual(turns[7]["message"]["text"], "Where do the zinnias grow?")
        self.assertEqual(turns[7]["reply"]["text"], "Behind the greenhouse.")
        self.assertEqual((turns[3]["message"]["text"], turns[3]["topic"], turns[3]["quality"]), ("topic three 3", "topic three 3", 0.123456789012345))
        self.assertEqual(self.json("turns", "search", "zinnias")["items"][0]["source"], "turn 7")
        research = self.json("research", "list", "--all")["research"][0]
        self.assertEqual(research["source_turn"], turns[1]["uid"])
        self.assertEqual(self.json("sources", "show", "shop1.example")["source"]["successes"], 11)
        self.assertEqual(self.json("reconcile")["differences"], [])
        again = self.bring()
        self.assertEqual([table["known"] for table in again.values()], [30, 5, 4])
        self.assertEqual(hash_of_folder(self.old), before)

    def test_every_trap_is_taken_or_in_the_quarantine_with_its_reason(self):
        seed = int(os.environ.get("PANDORA_SEED", "1"))
        with self.subTest(seed=seed):
            files = HostileFiles(self.old, seed)
            before = hash_of_folder(self.old)
            tables = self.bring(code=2)
            refused = [(line["table"], line["column"], line["values"]["tag"]) for line in self.quarantine() if not line["row_kept"]]
            self.assertEqual(sorted(refused), sorted(files.refused))
            for name, table in tables.items():
                self.assert_whole(table)
                self.assertEqual(table["rows"], files.rows[name])
                self.assertEqual(table["quarantined"], sum(1 for one in files.refused if one[0] == name))
            kept = {(turn["number"]): turn for turn in self.json("turns", "list", "-n", "1000")["turns"]}
            for number, (at, quality) in files.expected.items():
                self.assertEqual((kept[number]["created_at"], kept[number]["quality"]), (at, quality), number)
            reasons = {line["reason"] for line in self.quarantine()}
            self.assertTrue(all(reasons))
            self.assertEqual([table["known"] for table in self.bring(code=2).values()], [table["imported"] for table in tables.values()])
            self.assertEqual(hash_of_folder(self.old), before)
            self.say("And now something new.")
            self.assertEqual(self.json("turns", "list")["turns"][0]["number"], max(kept) + 1, "the next number is free")

    def test_a_time_without_a_zone_is_of_the_zone_that_is_named(self):
        make_plain(self.old, turns=1)
        self.assertEqual(self.bring("--zone", "-05:00")["turns"]["naive_times"], 1)
        self.assertEqual(self.json("turns", "list")["turns"][0]["created_at"], "2026-01-05T15:00:01.000000Z")
        other = self.bring("--zone", "+02:00", code=4)
        self.assertEqual((other["turns"]["differs"], other["turns"]["imported"]), (1, 0))
        self.assert_one_clear_line(self.run_pandora("import", "sqlite", self.old, "--zone", "Berlin", code=2), "--zone")

    def test_what_its_program_has_written_but_not_checkpointed_is_there_and_it_goes_on_writing(self):
        make_plain(self.old, turns=0)
        path = os.path.join(self.old, "turn_index.db")
        live = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(live.close)
        live.execute("PRAGMA journal_mode = WAL")
        live.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(1, 301):
            live.execute("INSERT INTO turns (turn_number, session_id, timestamp, topic, turn_dir) VALUES (?, 's', ?, ?, 'x')", (number, 1767607200 + number, f"subject {number}"))
        live.execute("BEGIN IMMEDIATE")
        live.execute("INSERT INTO turns (turn_number, session_id, timestamp, topic, turn_dir) VALUES (301, 's', 1767607200, 'not committed', 'x')")
        before = hash_of_folder(self.old)
        tables = self.bring()
        self.assertEqual((tables["turns"]["rows"], tables["turns"]["verified"]), (300, 300))
        self.assertEqual(hash_of_folder(self.old), before, "the log is as it was, too")
        live.execute("COMMIT")
        later = self.bring()["turns"]
        self.assertEqual((later["rows"], later["imported"], later["known"]), (301, 1, 300))
        live.execute("PRAGMA locking_mode = EXCLUSIVE")
        live.execute("UPDATE turns SET topic = 'mine alone' WHERE turn_number = 1")
        self.assert_one_clear_line(self.run_pandora("import", "sqlite", path, code=8), path)

    def test_files_that_a_killed_program_left_are_read_from_a_copy(self):
        make_plain(self.old, turns=3)
        path = os.path.join(self.old, "turn_index.db")
        live = sqlite3.connect(path, isolation_level=None)
        live.execute("PRAGMA journal_mode = WAL")
        live.execute("UPDATE turns SET topic = 'from the log' WHERE turn_number = 2")
        left = os.path.join(self.home, "left")
        os.makedirs(left)
        for name in ("turn_index.db", "turn_index.db-wal"):
            shutil.copy(os.path.join(self.old, name), left)
        live.close()
        self.old = left
        before = sorted(os.listdir(left)), hash_of_folder(left)
        self.bring()
        self.assertEqual(self.json("turns", "list")["turns"][1]["topic"], "from the log")
        self.assertEqual((sorted(os.listdir(left)), hash_of_folder(left)), before)
        self.assertEqual([name for name in os.listdir(self.data) if name.startswith("sqlite-copy")], [])

    def test_an_import_that_was_killed_is_simply_run_again(self):
        make_plain(self.old, turns=800)
        command = subprocess.Popen([PROGRAM, "import", "sqlite", self.old], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        journal = os.path.join(self.data, "journal")

        def journalled():
            try:
                return sum(one.stat().st_size for one in os.scandir(journal))
            except FileNotFoundError:  # not there yet, or a segment that is not there any more
                return 0
        self.wait_until(lambda: command.poll() is not None or journalled() > 20_000)
        command.send_signal(signal.SIGKILL)
        command.communicate()
        self.assertEqual(command.returncode, -signal.SIGKILL, "it was killed in the middle")
        tables = self.bring()
        self.assert_whole(tables["turns"])
        self.assertEqual((tables["turns"]["rows"], tables["turns"]["verified"]), (800, 800))
        self.assertGreater(tables["turns"]["known"], 0)
        lines = [json.loads(line) for line in self.out("export").splitlines()]
        numbers = [line["turn"]["number"] for line in lines if "turn" in line]
        self.assertEqual((len(numbers), len(set(numbers))), (800, 800))

    def test_what_was_forgotten_here_stays_so_and_what_was_changed_here_is_left(self):
        make_plain(self.old, turns=5)
        self.bring()
        self.out("turns", "forget", "2", "--yes")
        with sqlite3.connect(os.path.join(self.old, "source_reliability.db")) as db:
            db.execute("UPDATE sources SET success_count = 99 WHERE domain = 'shop1.example'")
        tables = self.bring(code=4)
        self.assertEqual((tables["turns"]["forgotten"], tables["turns"]["known"]), (1, 4))
        self.assertEqual((tables["sources"]["differs"], tables["sources"]["known"]), (1, 3))
        self.assertEqual(self.json("sources", "show", "shop1.example")["source"]["successes"], 11)

    def test_what_is_no_such_file_is_named(self):
        self.assert_one_clear_line(self.run_pandora("import", "sqlite", self.old, code=3), "turn_index.db")
        text = os.path.join(self.old, "turn_index.db")
        with open(text, "w", encoding="ascii") as file:
            file.write("no database " * 20)
        self.assert_one_clear_line(self.run_pandora("import", "sqlite", self.old, code=11), "turn_index.db", "no SQLite database")
        os.unlink(text)
        other = sqlite3.connect(text)
        other.execute("CREATE TABLE turns (turn_number INTEGER PRIMARY KEY, topic TEXT)")
        other.close()
        self.assert_one_clear_line(self.run_pandora("import", "sqlite", text, code=2), "session_id")


class ServerImport(PandoraCase):
    def test_the_same_rows_arrive_in_a_postgresql(self):
        server = PostgresServer()
        self.addCleanup(server.close)
        self.environment.update(server.environment())
        self.out("db", "migrate")
        old = os.path.join(self.home, "old")
        os.makedirs(old)
        files = HostileFiles(old, 7)
        done = json.loads(self.run_pandora("import", "sqlite", old, "--json", code=2).stdout)
        for table in done["tables"]:
            self.assertEqual(table["rows"], table["imported"] + table["quarantined"], table)
            self.assertEqual(table["source_sha256"], table["stored_sha256"])
            self.assertEqual(int(server.sql(f"SELECT count(*) FROM pandora.{table['table']}", database="pandora")), table["imported"])
        self.assertEqual(sum(files.rows.values()), sum(table["rows"] for table in done["tables"]))


if __name__ == "__main__":
    unittest.main()
