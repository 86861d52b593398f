"""Rows in PostgreSQL, by configuration alone; and every way in which that server can be away."""
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

from pandora_case import PROGRAM, SOURCE, PandoraCase
from postgres_server import PostgresServer
from served_case import ServedCase
from served_points_test import Vectors

VERSIONS = sorted(int(name[:4]) for name in os.listdir(SOURCE / "schemas/postgres"))


class Database(unittest.TestCase):
    def use_postgres(self, *settings, migrated=True):
        self.server = PostgresServer(*settings)
        self.addCleanup(self.server.close)
        self.environment.update(self.server.environment())
        if migrated:
            self.out("db", "migrate")

    def count(self, table):
        return int(self.server.sql(f"SELECT count(*) FROM pandora.{table}", database="pandora"))


class ServerRows(PandoraCase, Database):
    def test_a_schema_is_planned_applied_looked_at_and_verified(self):
        self.use_postgres(migrated=False)
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=12), "pandora db migrate")
        self.assertEqual([one["version"] for one in self.json("db", "status")["pending"]], VERSIONS)
        self.assertIn("CREATE TABLE turns", self.out("db", "plan"))
        self.assertEqual(self.json("db", "status")["applied"], [], "a plan leaves nothing")
        self.assertEqual(self.json("db", "migrate"), {"applied": len(VERSIONS)})
        self.assertEqual(self.json("db", "migrate"), {"applied": 0})
        self.assertEqual(self.json("db", "verify"), {"clean": True, "differences": []})
        self.server.sql("ALTER TABLE pandora.turns ADD COLUMN mine text", database="pandora")
        drift = self.json("db", "verify", code=4)
        self.assertEqual(drift["differences"], ["unexpected: column turns.mine text"])
        self.assert_one_clear_line(self.run_pandora("db", "baseline", code=4), "versions already")

    def test_a_migration_under_way_ends_when_its_server_hangs(self):
        self.use_postgres(migrated=False)
        holder = subprocess.Popen(["psql", "-X", "-q", "-U", "owner", "-h", self.server.folder, "-p", str(self.server.port), "-d", "pandora"],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.stdin.close)
        holder.stdin.write("BEGIN; CREATE SCHEMA pandora;\n")
        holder.stdin.flush()
        self.wait_until(lambda: self.server.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == "1", 120)
        migrating = subprocess.Popen([PROGRAM, "db", "migrate"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(migrating.kill)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pandora' AND wait_event_type = 'Lock'"
        self.wait_until(lambda: self.server.sql(waits) == "1", 120)
        self.server.hang()
        _, said = migrating.communicate(timeout=120)
        self.server.wake()
        self.assertEqual(migrating.returncode, 8, said)
        self.assertIn("did not answer", said)

    def test_what_was_said_is_kept_found_and_forgotten_there(self):
        self.use_postgres()
        self.say("I am allergic to peanuts.")
        self.assertIn("peanuts", self.say("What about peanuts?", "--session", "tomorrow"))
        self.assertEqual([turn["number"] for turn in self.json("turns", "list")["turns"]], [2, 1])
        self.assertEqual(self.count("turns"), 2)
        self.assertFalse(os.path.exists(os.path.join(self.data, "pandora.db")), "no rows stand here")
        self.out("memory", "add", "I like tea")
        self.assertEqual(self.json("reconcile")["differences"], [])
        uid = self.json("turns", "list")["turns"][-1]["uid"]
        self.out("turns", "forget", "1", "--yes")
        self.assertTrue(self.json("verify-forgotten", uid)["clean"])
        self.assertEqual(self.count("turns"), 1)
        self.assertEqual(self.json("status")["outbox"], 0)
        self.out("keys", "create", "phone")
        self.assertEqual(self.count("api_keys"), 1)

    def test_with_the_points_away_the_words_of_the_rows_answer_and_say_so(self):
        self.use_postgres()
        vectors = Vectors(self)
        self.environment.update({"PANDORA_POINTS_STORE": "qdrant", "QDRANT_URL": vectors.url})
        self.say("My sister Ana lives in Lisbon.\nThe zinnias stand behind the greenhouse.\nIt's sunny there, isn't it?")
        self.say("The zinnias are mine alone.", "--user", "bo")
        self.json("turns", "reject", "3")
        best = self.json("turns", "search", "Where are the zinnias?")["items"][0]
        self.assertEqual(self.count("turn_words"), 4)
        vectors.end()
        found = self.json("turns", "search", "Where are the zinnias?")
        self.assertEqual((found["mode"], found["items"][0]["id"]), ("lexical", best["id"]))
        self.assertTrue(any("words of their rows" in line for line in found["missing"]), found["missing"])
        self.assertNotIn("turn 3", [item["source"] for item in found["items"]])
        self.assertNotIn("turn 4", [item["source"] for item in found["items"]])
        self.say("A quince tree grows there too: it's 'old' \\ tall.")
        self.assertEqual(self.json("turns", "search", "quince 'old' \\")["items"][0]["source"], "turn 5", "said while they were away")
        self.out("turns", "forget", "5", "--yes", code=None)
        self.server.sql("DELETE FROM pandora.turn_words", database="pandora")
        self.assertNotIn(best["id"], [item["id"] for item in self.json("turns", "search", "zinnias")["items"]])
        self.assertGreaterEqual(self.json("db", "migrate")["turns_with_words"], 4)
        self.assertEqual(self.json("turns", "search", "zinnias")["items"][0]["id"], best["id"])

    def test_configuration_is_checked_by_connecting(self):
        self.use_postgres()
        found = self.out("config", "--check")
        self.assertIn("PostgreSQL 15.", found)
        self.assertIn(f"schema version {VERSIONS[-1]}", found)
        wrong = self.json("config", "--check", code=13, POSTGRES_PASSWORD="wrong")["checks"][0]
        self.assertIn("POSTGRES_PASSWORD", wrong["remedy"])
        self.assertNotIn("wrong", json.dumps(wrong))
        url = f"postgresql://pandora:{self.server.password}@127.0.0.1:{self.server.port}/pandora"
        both = self.run_pandora("config", "--check", DATABASE_URL=url, POSTGRES_HOST="nowhere.invalid")
        self.assertIn("config.database_url_wins", both.stderr.decode())
        self.assertIn("POSTGRES_HOST", both.stderr.decode())
        secret = os.path.join(self.home, "password")
        with open(secret, "w", encoding="ascii") as file:
            file.write(self.server.password + "\n")
        self.assert_one_clear_line(self.run_pandora("config", "--check", POSTGRES_PASSWORD_FILE=secret, code=2), "POSTGRES_PASSWORD_FILE")
        del self.environment["POSTGRES_PASSWORD"]
        self.out("config", "--check", POSTGRES_PASSWORD_FILE=secret)
        self.assertNotIn(self.server.password, self.out("config", DATABASE_URL=url))
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, PANDORA_ROWS_STORE="oracle"), "embedded or postgres")

    def test_a_server_that_is_not_as_it_should_be_is_named_with_its_remedy(self):
        self.use_postgres()
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=13, POSTGRES_PASSWORD="wrong"), "password", "POSTGRES_PASSWORD")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=3, POSTGRES_DB="nowhere"), "nowhere", "createdb")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=8, POSTGRES_PORT="1"), "127.0.0.1:1", "running")
        self.server.sql("UPDATE pandora.schema_migrations SET checksum = 'edited'", database="pandora")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=12), "another text")
        self.server.sql("DELETE FROM pandora.schema_migrations WHERE version > 1", "UPDATE pandora.schema_migrations SET version = 99", database="pandora")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=12), "99")
        self.server.sql("DROP SCHEMA pandora CASCADE", "CREATE SCHEMA pandora AUTHORIZATION pandora", "CREATE TABLE pandora.theirs ()", database="pandora")
        self.assert_one_clear_line(self.run_pandora("db", "migrate", code=12), "theirs", "baseline")


    def test_through_a_pooler_all_but_migrating_works_and_that_says_so(self):
        if not shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"):
            self.skipTest("pgbouncer is not installed")
        self.use_postgres()
        port = self.server.pool_transactions()
        pooled = {"POSTGRES_PORT": str(port)}
        self.assert_one_clear_line(self.run_pandora("db", "migrate", code=12, **pooled), "pooler", "the server itself")
        self.assertIn("through a pooler", self.out("config", "--check", **pooled))
        self.assertTrue(self.json("db", "verify", **pooled)["clean"])
        self.say("I am allergic to peanuts.", **pooled)
        self.assertIn("peanuts", self.say("What about peanuts?", "--session", "tomorrow", **pooled))
        self.assertEqual(self.json("reconcile", **pooled)["differences"], [])


class ServerRowsAway(ServedCase, Database):
    """While `pandora serve` runs. What is acknowledged meanwhile waits in the journal and is there in the end, once, in order."""

    def begin(self, *settings):
        self.use_postgres(*settings)
        self.upstream(*[(lambda handler, request: handler.answer(200, json.dumps(self.heard(request)).encode()))] * 200)
        self.serve("--log-level", "error")
        self.acknowledged = []

    @staticmethod
    def heard(request):
        return {"id": "x", "object": "chat.completion", "created": 1, "model": "first-model",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "heard"}, "finish_reason": "stop"}]}

    def tell(self, count):
        for _ in range(count):
            message = f"fact number {len(self.acknowledged)}"
            status, head, body = self.chat(message, {"Pandora-Session": "one"})
            self.assertEqual(status, 200, body)
            self.assert_acknowledged(head)
            self.acknowledged.append(message)

    def is_ready(self):
        return self.ask("/health/ready")[2]["status"] != "down"

    def assert_named_then_recovers(self, *words, headers=()):
        status, _, body = self.ask("/health/ready", headers=headers)
        self.assertEqual((status, body["status"]), (503, "down"))
        named = " ".join(str(one["detail"]) for one in body["dependencies"])
        for word in ("PostgreSQL", *words):
            self.assertIn(word, named)

    def assert_all_kept(self):
        self.wait_until(self.is_ready, 300)
        self.wait_until(lambda: self.count("turns") >= len(self.acknowledged), 300)
        rows = self.server.sql("SELECT document::json -> 'message' ->> 'text' FROM pandora.turns ORDER BY turn_number", database="pandora").splitlines()
        self.assertEqual(rows, self.acknowledged, "all of them, once, in order")

    def test_down_and_back(self):
        self.begin()
        self.tell(3)
        self.server.stop()
        self.tell(3)
        self.assert_named_then_recovers()
        self.server.start()
        self.tell(1)
        self.assert_all_kept()

    def test_hung_and_back(self):
        self.begin()
        self.tell(2)
        self.server.hang()
        self.assertLess(self.seconds(lambda: self.tell(1)), 15, "that it hangs is noticed once, within seconds")
        self.assertLess(self.seconds(lambda: self.tell(3)), 15, "and then known")
        self.assert_named_then_recovers()
        self.server.wake()
        self.assertLess(self.seconds(self.assert_all_kept), 15, "it is asked again all the time")

    @staticmethod
    def seconds(work):
        begun = time.monotonic()
        work()
        return time.monotonic() - begun

    def test_restarted_again_and_again_in_the_middle_of_transactions(self):
        self.begin()
        ended = threading.Event()

        def restart():
            while not ended.wait(0.3):
                self.server.stop()
                self.server.start()

        thread = threading.Thread(target=restart)
        thread.start()
        try:
            self.tell(20)
        finally:
            ended.set()
            thread.join()
        self.assert_all_kept()

    def test_read_only_and_back(self):
        self.begin()
        self.tell(1)
        self.server.sql("ALTER DATABASE pandora SET default_transaction_read_only = on")
        self.server.sql("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE datname = 'pandora'")
        self.wait_until(lambda: not self.is_ready(), 120)  # also while nobody says anything
        self.assert_named_then_recovers("read-only")
        self.tell(2)
        self.wait_until(lambda: "read-only" in self.json("status")["last_error"])
        self.assert_named_then_recovers("read-only")
        self.assertIn("read-only", self.json("status")["rows_error"])
        self.assertIn("read-only", self.out("status"))
        self.server.sql("ALTER DATABASE pandora SET default_transaction_read_only = off")
        self.server.sql("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE datname = 'pandora'")
        self.assert_all_kept()

    def test_out_of_disk_and_back(self):
        self.begin()
        self.tell(1)
        full = "BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''53100''; END"
        tables = ("turns", "journals", "outbox")
        self.server.sql(f"CREATE FUNCTION public.disk_full() RETURNS trigger LANGUAGE plpgsql AS '{full}'",
                        *[f"CREATE TRIGGER disk_full BEFORE INSERT OR UPDATE ON pandora.{table} EXECUTE FUNCTION public.disk_full()" for table in tables], database="pandora")
        self.wait_until(lambda: not self.is_ready(), 120)
        self.assert_named_then_recovers("No space left", "53100")
        self.tell(2)
        self.wait_until(lambda: "53100" in self.json("status")["last_error"])
        self.assert_named_then_recovers("No space left")
        self.server.sql(*[f"DROP TRIGGER disk_full ON pandora.{table}" for table in tables], database="pandora")
        self.assert_all_kept()

    def test_out_of_connections_and_back(self):
        self.begin()
        self.tell(1)
        self.server.sql("ALTER DATABASE pandora CONNECTION LIMIT 0", "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE datname = 'pandora'")
        self.tell(2)
        self.assert_named_then_recovers("connections")
        self.server.sql("ALTER DATABASE pandora CONNECTION LIMIT -1")
        self.assert_all_kept()

    def test_started_without_the_server_it_serves_who_is_known_and_recovers(self):
        self.begin()
        key = self.json("keys", "create", "phone")["secret"]
        known = {"Authorization": f"Bearer {key}", "Pandora-Session": "one"}
        self.acknowledged.append("before")
        status, head, body = self.chat("before", known)
        self.assertEqual(status, 200, body)
        self.assert_acknowledged(head, known)
        self.end(signal.SIGKILL)
        self.server.stop()
        self.serve("--log-level", "error")
        self.assertEqual(self.ask("/health/live")[0], 200)
        self.assert_named_then_recovers(headers=known)
        for stranger in ({}, {"Authorization": "Bearer sk-of-somebody"}):
            status, head, body = self.chat("who am I?", stranger)
            self.assertEqual((status, head["Retry-After"]), (503, "1"), body)
        status, head, body = self.chat("meanwhile", known)
        self.assertEqual(status, 200, body)
        self.acknowledged.append("meanwhile")
        self.server.start()
        self.assert_all_kept()
        self.assertEqual(self.chat("who am I?", {})[0], 401, "now it is known that this is nobody")

    def test_killed_while_the_server_is_away_the_next_process_drains_the_journal(self):
        self.begin()
        self.tell(2)
        self.server.stop()
        self.tell(2)
        self.end(signal.SIGKILL)
        self.server.start()
        self.serve("--log-level", "error")
        self.assert_all_kept()


if __name__ == "__main__":
    unittest.main()
