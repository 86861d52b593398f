"""Everything carried between the files here and servers, there and back: nothing lost, nothing brought back, nothing encoded again."""
import json
import os
import signal
import sqlite3
import subprocess
import time
import unittest

from pandora_case import PROGRAM, PandoraCase
from postgres_server import PostgresServer
from served_points_test import Vectors


class Moving(PandoraCase):
    def setUp(self):
        super().setUp()
        self.server = PostgresServer()
        self.addCleanup(self.server.close)
        there = self.server.environment()
        self.served = {"PANDORA_ROWS_STORE": there.pop("PANDORA_ROWS_STORE")}
        self.environment.update(there)
        self.run_pandora("db", "migrate")

    def fill(self):
        self.say("I am allergic to peanuts.\nMy sister Ana lives in Lisbon.\nWhere does my sister live?", "--session", "a")
        self.say("I prefer tea over coffee.\nI prefer water over tea.", "--session", "b")
        self.say("The zinnias stand behind the greenhouse.", "--user", "bo")
        self.json("turns", "reject", "3")
        self.json("memory", "add", "The key is 4711", "--kind", "fact")
        self.json("research", "add", "espresso", "--claim", "The Alpha costs 300", "--domain", "shop.example")
        self.json("sources", "block", "bad.example")
        self.json("turns", "archive", "--older-than-days", "0")
        rows = sqlite3.connect(os.path.join(self.data, "pandora.db"))
        with rows:  # an attempt of a minute ago: what a source's score is made of besides its counts
            rows.execute("INSERT INTO source_attempts VALUES ('bad.example', ?, 1)", (int(time.time() - 60) * 1_000_000,))
        rows.close()
        self.json("keys", "create", "phone")
        self.json("keys", "create", "lost")
        self.json("keys", "revoke", "lost", "--yes")

    def count(self, table):
        return int(self.server.sql(f"SELECT count(*) FROM pandora.{table}", database="pandora"))

    def everything(self, **environment):
        def asked(*command):
            return self.json(*command, **environment)
        return {"mine": self.out("export", **environment), "his": self.out("export", "--user", "bo", **environment),
                "keys": asked("keys", "list"), "sources": asked("sources", "list"), "memories": asked("memory", "list", "--all"),
                "receipts": [one["id"] for one in asked("recalls", "list")["recalls"]], "observed": self.observed(asked)}

    @staticmethod
    def observed(asked):
        stats = asked("stats")
        return json.dumps({name: stats[name] for name in sorted(stats) if name not in ("since", "until")}, sort_keys=True)

    def move(self, to, *arguments, code=0, **environment):
        done = self.run_pandora("move", "--to", to, *arguments, "--json", code=None, **environment)
        self.assertEqual(done.returncode, code, (done.stdout, done.stderr))
        return json.loads(done.stdout)

    def test_there_and_back_is_the_same(self):
        self.fill()
        before = self.everything()
        moved = self.move("server")
        self.assertTrue(moved["equal"])
        self.assertEqual(moved["passes"][0]["turns"], {"rows": 6, "written": 6, "removed": 0})
        self.assertEqual(moved["passes"][-1]["turns"]["written"], 0)
        self.assertIn('rows.store = "postgres"', moved["next"])
        self.assertEqual((moved["passes"][0]["vectors"]["written"], moved["passes"][-1]["vectors"]["written"]), (6, 0))
        self.assertEqual([self.count(table) for table in ("turn_vectors", "turn_words", "source_attempts")], [6, 6, 1])
        self.assertEqual(self.everything(), before, "nothing of the source is changed")
        self.assertEqual(self.everything(**self.served), before)
        self.assertEqual(self.json("status", **self.served)["outbox"], 0, "there is nothing left to do there")
        self.assertEqual(self.json("reconcile", **self.served)["differences"], [])
        self.say("Said on the server.", "--session", "c", **self.served)
        self.assertGreater(self.json("turns", "list", **self.served)["turns"][0]["number"], 6)
        uid = next(turn["uid"] for turn in self.json("turns", "list", **self.served)["turns"] if turn["number"] == 2)
        self.out("turns", "forget", "2", "--yes", **self.served)
        self.json("keys", "revoke", "phone", "--yes", **self.served)
        later = self.everything(**self.served)
        back = self.move("embedded", **self.served)
        self.assertTrue(back["equal"])
        self.assertEqual(back["passes"][0]["turns"]["removed"], 1)
        self.assertEqual(self.everything(), later)
        self.assertTrue(self.json("verify-forgotten", uid)["clean"])
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_what_is_said_meanwhile_follows_and_the_cut_over_is_stated(self):
        self.fill()
        owner = subprocess.Popen([PROGRAM, "chat"], env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(owner.communicate)
        self.wait_until(lambda: os.path.exists(os.path.join(self.data, "pandora.sock")))
        first = self.move("server")
        self.assertIn("To cut over: end it", first["next"])
        owner.stdin.write(b"Said after the first move.\n")
        owner.stdin.flush()
        # A reply does not wait until its turn is kept.
        self.wait_until(lambda: len(self.json("turns", "list")["turns"]) == 6)
        second = self.move("server")
        self.assertEqual(second["passes"][0]["turns"]["written"], 1)
        owner.communicate()
        last = self.move("server")
        self.assertTrue(last["equal"])
        self.assertNotIn("To cut over", last["next"])
        self.assertEqual(self.everything(**self.served), self.everything())

    def test_a_move_that_was_killed_is_run_again_and_what_is_not_ours_is_refused(self):
        lines = [{"session": f"s{i % 7}", "text": f"Line {i} is about subject {i * 7}."} for i in range(2000)]
        path = os.path.join(self.home, "lines.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        self.out("import", "turns", path)
        mover = subprocess.Popen([PROGRAM, "move", "--to", "server"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_until(lambda: mover.poll() is not None or int(self.server.sql("SELECT count(*) FROM pandora.turns", database="pandora")) > 20)
        mover.send_signal(signal.SIGKILL)
        self.assertEqual(mover.wait(), -signal.SIGKILL, "it was killed in the middle")
        moved = self.move("server")
        self.assertTrue(moved["equal"])
        self.assertLess(moved["passes"][0]["turns"]["written"], 2000)
        self.assertEqual(self.everything(**self.served), self.everything())
        self.assert_one_clear_line(self.run_pandora("move", "--to", "mars", code=2), "embedded or server")
        self.say("Said on the server, and the settings put back.", **self.served)
        refused = self.run_pandora("move", "--to", "server", code=4)
        self.assertIn(b"never here", refused.stderr.splitlines()[-1])
        refused = self.run_pandora("move", "--to", "embedded", code=2)  # before it, a warning of what was said there alone
        self.assertIn(b"there already", refused.stderr.splitlines()[-1])


class MovingPoints(PandoraCase):
    def test_points_go_along_and_come_back(self):
        server = PostgresServer()
        self.addCleanup(server.close)
        there = {**server.environment(), "QDRANT_URL": Vectors(self).url}
        rows = {"PANDORA_ROWS_STORE": there.pop("PANDORA_ROWS_STORE"), "PANDORA_POINTS_STORE": "qdrant"}
        self.environment.update(there)
        self.out("db", "migrate")
        self.say("I am allergic to peanuts.\nMy sister Ana lives in Lisbon.")
        self.json("memory", "add", "The key is 4711", "--kind", "fact")
        self.json("turns", "search", "peanuts")
        moved = self.json("move", "--to", "server", "--points", "qdrant")
        self.assertTrue(moved["equal"])
        self.assertGreaterEqual(moved["passes"][0]["points"]["written"], 3)
        self.assertEqual(self.json("reconcile", **rows)["differences"], [])
        self.assertEqual(self.found(**rows), self.found())
        self.out("turns", "forget", "1", "--yes", **rows)
        self.say("The zinnias stand behind the greenhouse.", **rows)
        back = self.json("move", "--to", "embedded", "--points", "embedded", **rows)
        self.assertTrue(back["equal"])
        self.assertEqual(self.json("reconcile")["differences"], [])
        self.assertEqual(self.found(**rows), self.found())

    def found(self, **environment):
        return [(one["id"], round(one["score"], 4)) for one in self.json("turns", "search", "peanuts", **environment)["items"]]


if __name__ == "__main__":
    unittest.main()
