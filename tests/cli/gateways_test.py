"""Several gateways on one PostgreSQL and one server of points: what one does the others see, and one that dies is named and made up for."""
import hashlib
import json
import os
import signal
import subprocess
import unittest

import objects_test
from gateways_case import GatewaysCase
from pandora_case import PROGRAM
from postgres_server import PROGRAMS
from served_case import whole
from served_objects_test import Bucket


class Gateways(GatewaysCase):
    def test_what_one_saves_the_other_finds_with_all_that_was_said(self):
        a, b = self.gateway("a"), self.gateway("b")
        key = {"Authorization": "Bearer " + self.json("keys", "create", "phone", "--data", os.path.join(self.home, "b"))["secret"]}
        self.at(a)
        self.wait_until(lambda: self.chat("who am I?")[0] == 401, 15)  # and so a has heard of b as well
        self.tell(a, "I am allergic to peanuts.", key)
        self.wait_until(lambda: self.status("a")["outbox"] == 0)
        self.assertIn("peanuts", self.out("turns", "search", "peanuts", "--data", os.path.join(self.home, "b")))
        with open(os.path.join(self.home, f"documents/turns/turn_{int(self.numbers()[-1]):06}/context.md"), encoding="utf-8") as file:
            self.assertNotIn("made again from the index", file.read(), "not only what a row says")
        for round in range(6):
            self.tell((a, b)[round % 2], f"round {round}", key)
            self.wait_until(lambda said=f"round {round}": said in self.rows())
        self.wait_until(lambda: self.status("a")["outbox"] == 0 and self.status("b")["outbox"] == 0)
        self.assertEqual(self.rows()[-6:], [f"round {round}" for round in range(6)], "in order")
        for later, number in enumerate(self.numbers()[-5:]):
            shown = json.dumps(self.json("turns", "show", number, "--data", os.path.join(self.home, "a"))["context"])
            self.assertIn(f"round {later}", shown, "each saw what the other had acknowledged just before")
        self.assertEqual(self.json("reconcile", "--data", os.path.join(self.home, "b"))["differences"], [])

    def test_keys_are_known_and_refused_everywhere_within_seconds(self):
        a, b = self.gateway("a"), self.gateway("b")
        secret = self.json("keys", "create", "phone", "--data", os.path.join(self.home, "a"))["secret"]
        self.at(b)
        known = {"Authorization": f"Bearer {secret}"}
        self.wait_until(lambda: self.chat("who am I?")[0] == 401, 15)
        self.assertEqual(self.chat("it is me", known)[0], 200)
        self.out("keys", "revoke", "phone", "--yes", "--data", os.path.join(self.home, "a"))
        self.wait_until(lambda: self.chat("still me?", known)[0] == 401, 15)

    def test_one_that_dies_is_named_by_the_other_and_made_up_for_by_its_successor(self):
        a, b = self.gateway("a"), self.gateway("b")
        self.tell(b, "before")
        self.wait_until(lambda: self.rows() == ["before"])
        self.server.stop()
        self.tell(a, "in the journal of a")
        a[0].kill()
        a[0].wait()
        self.server.start()
        self.server.sql("UPDATE pandora.journals SET seen_at = seen_at - interval '1 minute'", database="pandora")

        def silent():
            return [one["directory"] for one in self.status("b")["journals"] if one["silent"]]

        self.wait_until(lambda: silent() == [os.path.join(self.home, "a")])
        self.assertIn(os.path.join(self.home, "a"), self.out("status", "--data", os.path.join(self.home, "b")))
        self.assertEqual(self.rows(), ["before"])
        a = self.gateway("a")
        self.wait_until(lambda: self.rows() == ["before", "in the journal of a"])
        self.wait_until(lambda: silent() == [] and self.status("a")["outbox"] == 0)
        a[0].send_signal(signal.SIGTERM)
        self.assertEqual(a[0].wait(), 0)
        self.assertEqual(len(self.status("b")["journals"]), 1, "who ends with an empty journal leaves")

    def test_a_move_is_not_cut_over_while_another_gateway_runs_or_holds_turns(self):
        a, b = self.gateway("a"), self.gateway("b")
        self.tell(b, "said at b")
        self.wait_until(lambda: self.status("b")["outbox"] == 0)

        def move(code):
            return json.loads(self.run_pandora("move", "--to", "embedded", "--json", "--data", os.path.join(self.home, "a"), code=code).stdout)

        a[0].send_signal(signal.SIGTERM)
        self.assertEqual(a[0].wait(), 0)
        moved = move(4)
        self.assertTrue(moved["equal"])
        self.assertEqual([(one["directory"], one["silent"]) for one in moved["gateways"]], [(os.path.join(self.home, "b"), False)])
        self.assertIn("Not to be cut over", moved["next"])
        b[0].kill()
        b[0].wait()
        self.server.sql("UPDATE pandora.journals SET seen_at = seen_at - interval '1 minute', pending = 3", database="pandora")
        moved = move(4)
        self.assertEqual([(one["silent"], one["turns"]) for one in moved["gateways"]], [(True, 3)])
        self.assertIn("3 turns wait there", moved["next"])
        b = self.gateway("b")
        b[0].send_signal(signal.SIGTERM)
        self.assertEqual(b[0].wait(), 0)
        moved = move(0)
        self.assertEqual(moved["gateways"], [])
        self.assertIn("Now set", moved["next"])

    def hold(self, what):
        """A transaction that holds a lock: given to let_go"""
        held = subprocess.Popen([os.path.join(PROGRAMS, "psql"), "-X", "-q", "-U", "owner", "-h", self.server.folder, "-p", str(self.server.port), "-d", "pandora"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(held.communicate)
        held.stdin.write(f"BEGIN; {what}; SELECT 'held';\n")
        held.stdin.flush()
        while "held" not in held.stdout.readline():
            pass
        return held

    def let_go(self, held):
        held.stdin.write("ROLLBACK; SELECT 'gone';\n")
        held.stdin.flush()
        while "gone" not in held.stdout.readline():
            pass

    def test_what_waits_in_a_journal_is_said_again_until_it_is_known(self):
        a = self.gateway("a")
        a[0].kill()
        a[0].wait()
        self.server.sql("UPDATE pandora.journals SET seen_at = seen_at - interval '1 minute', pending = 7", database="pandora")
        held = self.hold("LOCK TABLE pandora.turns")
        again = subprocess.Popen([PROGRAM, "serve", "--json", "--set", "gateway.port=0", "--log-level", "error", "--data", os.path.join(self.home, "a")],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment)
        self.addCleanup(again.wait)
        self.addCleanup(again.kill)

        def said():
            return self.server.sql("SELECT pending, seen_at > now() - interval '30 seconds' FROM pandora.journals", database="pandora")

        self.wait_until(lambda: said().endswith("t"))
        self.assertEqual(said(), "7|t", "its turns have no rows yet")
        self.let_go(held)
        self.wait_until(lambda: said() == "0|t")

    def test_what_a_dead_gateways_journal_quotes_is_forgotten_when_it_is_drained(self):
        secret = "The safe opens with 4711 xylophone."
        self.gateway("a")
        b = self.gateway("b")
        self.up.script[:] = [whole("noted"), whole(f"You said: {secret}")]
        self.tell(b, secret)
        self.wait_until(lambda: self.rows() == [secret] and self.status("b")["outbox"] == 0)
        held = self.hold("LOCK TABLE pandora.turns IN SHARE ROW EXCLUSIVE MODE")  # it is read, and not written
        self.tell(b, "How does it open?")
        b[0].kill()
        b[0].wait()
        self.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        self.let_go(held)
        self.assertEqual(self.rows(), [secret])
        with_a = ["--data", os.path.join(self.home, "a")]
        (number,) = self.numbers()
        uid = self.server.sql("SELECT turn_uid FROM pandora.turns", database="pandora")
        self.out("turns", "forget", number, "--yes", *with_a)
        self.assertEqual(self.rows(), [])
        self.gateway("b")
        self.wait_until(lambda: self.rows() == ["How does it open?"] and self.status("b")["outbox"] == 0)
        (number,) = self.numbers()
        self.assertEqual(self.json("turns", "show", number, *with_a)["turn"]["reply"]["text"], "You said: [forgotten]")
        tables = self.server.sql("SELECT string_agg(t::text, '') FROM pandora.turns t", database="pandora")
        self.assertNotIn("xylophone", tables)
        documents = subprocess.run(["grep", "-rl", "xylophone", os.path.join(self.home, "documents")], stdout=subprocess.PIPE)
        self.assertEqual(documents.stdout, b"")
        self.assertTrue(self.json("verify-forgotten", uid, *with_a)["clean"])
        self.assertEqual(self.json("reconcile", *with_a)["differences"], [])


class GatewaysOverABucket(GatewaysCase, Bucket):
    """Documents and images in S3: nothing is shared by a directory."""

    def setUp(self):
        super().setUp()
        self.use_s3()
        self.environment["PANDORA_DOCUMENTS_STORE"] = "s3"
        del self.environment["PANDORA_DOCUMENTS"], self.environment["PANDORA_OBJECTS"]

    def with_(self, name):
        return ["--data", os.path.join(self.home, name)]

    def folders(self):
        return sorted(os.listdir(os.path.join(self.s3.folder, "pandora", "folders", "turns")))

    def test_each_reads_what_the_other_wrote_and_what_one_forgets_is_gone_for_both(self):
        a, b = self.gateway("a"), self.gateway("b")
        for round in range(6):
            self.tell((a, b)[round % 2], f"round {round}")
            self.wait_until(lambda said=f"round {round}": said in self.rows())
        self.tell(a, objects_test.message("What is on it?", objects_test.data_url()))
        self.wait_until(lambda: self.status("a")["outbox"] == 0 and self.status("b")["outbox"] == 0)
        numbers = self.numbers()
        self.assertEqual(self.folders(), [f"turn_{int(number):06}" for number in numbers])
        for name in ("a", "b"):
            self.assertFalse(os.path.exists(os.path.join(self.home, name, "panda_system_docs", "turns")))
            for round, number in enumerate(numbers[:6]):
                shown = self.json("turns", "show", number, *self.with_(name))
                self.assertEqual(shown["turn"]["message"]["text"], f"round {round}")
                if round > 0:
                    self.assertIn(f"round {round - 1}", json.dumps(shown["context"]), "the whole document, of whoever wrote it")
            image = self.run_pandora("turns", "object", numbers[6], objects_test.KEY, *self.with_(name)).stdout
            self.assertEqual(hashlib.sha256(image).hexdigest(), objects_test.KEY)
            self.assertEqual(self.json("reconcile", *self.with_(name))["differences"], [])
        kept = self.json("memory", "add", "I like tea.", *self.with_("a"))
        self.assertIn("tea", self.out("memory", "list", *self.with_("b")), kept)
        for forgets, forgotten in (("b", numbers[0]), ("a", numbers[1])):  # each what the other said
            uid = self.server.sql(f"SELECT turn_uid FROM pandora.turns WHERE turn_number = {forgotten}", database="pandora")
            self.out("turns", "forget", forgotten, "--yes", *self.with_(forgets))
            for name in ("a", "b"):  # the journal of the one that it was said to as well, with its next checkpoint
                self.wait_until(lambda name=name: json.loads(self.run_pandora("verify-forgotten", uid, "--json", *self.with_(name), code=None).stdout)["clean"])
        self.assertEqual(self.folders(), [f"turn_{int(number):06}" for number in numbers[2:]])
        for name in ("a", "b"):
            self.assertEqual(self.json("reconcile", *self.with_(name))["differences"], [])

    def test_a_turn_of_a_gateway_that_died_while_the_bucket_was_away_gets_its_folder_from_its_successor(self):
        a, b = self.gateway("a"), self.gateway("b")
        self.tell(b, "before")
        self.wait_until(lambda: self.status("b")["outbox"] == 0 and len(self.folders()) == 1)
        self.s3.stop()
        self.tell(b, "while it was away")
        self.wait_until(lambda: len(self.rows()) == 2)
        b[0].kill()
        b[0].wait()
        self.s3.start()
        self.tell(a, "after")
        self.wait_until(lambda: len(self.folders()) == 2)
        self.gateway("b")
        self.wait_until(lambda: len(self.folders()) == 3)
        self.wait_until(lambda: self.status("a")["outbox"] == 0)
        shown = self.json("turns", "show", self.numbers()[1], *self.with_("a"))
        self.assertEqual(shown["turn"]["message"]["text"], "while it was away")
        for name in ("a", "b"):
            self.assertEqual(self.json("reconcile", *self.with_(name))["differences"], [])


if __name__ == "__main__":
    unittest.main()
