"""Images in an S3 server, by configuration alone: all that holds for a directory, and every way in which that server can be away."""
import os
import shutil
import signal
import unittest

import objects_test
from pandora_case import PandoraCase
from s3_server import S3Server, is_here
from served_case import ServedCase, whole


class Bucket(unittest.TestCase):
    def use_s3(self, *arguments):
        if not is_here():
            self.skipTest("no S3 server: run tests/images/fetch_programs")
        self.s3 = S3Server(*arguments)
        self.addCleanup(self.s3.close)
        self.environment.update(self.s3.environment())


class ObjectsInS3(objects_test.Objects, Bucket):
    """The tests of a directory, once more."""

    def setUp(self):
        super().setUp()
        self.use_s3()

    def kept(self):
        return sorted(os.listdir(self.s3.path())) if os.path.exists(self.s3.path()) else []

    def path_of(self, key):
        return self.s3.path(key)

    def test_nothing_stands_in_the_data_directory(self):
        self.serve()
        self.look()
        self.assertEqual(self.kept(), [objects_test.KEY])
        self.assertFalse(os.path.exists(os.path.join(self.data, "objects")))

    def test_while_it_is_away_a_turn_without_an_image_is_kept_and_one_with_an_image_is_not_acknowledged(self):
        self.serve(S3_TIMEOUT_MS="3000")
        self.look()
        self.settle()
        for go, come in ((lambda: self.s3.stop(signal.SIGKILL), self.s3.start), (lambda: self.s3.process.send_signal(signal.SIGSTOP), lambda: self.s3.process.send_signal(signal.SIGCONT))):
            go()
            status, head, _ = self.chat("I am allergic to peanuts.")
            self.assertEqual(status, 200)
            self.assert_kept(head)
            before = len(self.turns())
            status, head, _ = self.chat(objects_test.message("And this?", objects_test.data_url(os.urandom(20))))
            self.assertNotEqual(head["Pandora-Acknowledged"], "true")
            self.assertNotEqual(self.run_pandora("turns", "object", "1", objects_test.KEY, code=None).returncode, 0)
            ready = self.ask("/health/ready")[2]
            self.assertIn(str(self.s3.port), [one["detail"] for one in ready["dependencies"] if one["name"] == "objects"][0])
            self.assertIn(str(self.s3.port), self.json("status")["objects_error"])
            come()
            self.wait_until(lambda: self.json("status")["objects_error"] == "")
            self.assertEqual(self.run_pandora("turns", "object", "1", objects_test.KEY).stdout, objects_test.PICTURE)
            self.assertGreaterEqual(len(self.turns()), before)


class DocumentsInS3(PandoraCase, Bucket):
    """What a person can read, in a bucket: a folder is one object."""

    def setUp(self):
        super().setUp()
        self.use_s3()
        self.environment["PANDORA_DOCUMENTS_STORE"] = "s3"

    def bucket(self, *names):
        return os.path.join(self.s3.folder, "pandora", *names)

    def test_what_was_said_is_kept_found_and_forgotten_there(self):
        self.say("I am allergic to peanuts.")
        self.assertIn("peanuts", self.say("What about peanuts?", "--session", "tomorrow"))
        self.out("memory", "add", "I like tea.")
        self.out("keys", "create", "phone")
        self.assertEqual(sorted(os.listdir(self.bucket("folders", "turns"))), ["turn_000001", "turn_000002"])
        self.assertFalse(os.path.exists(os.path.join(self.data, "panda_system_docs", "turns")))
        with open(self.bucket("folders", "turns", "turn_000001"), encoding="utf-8") as file:
            self.assertIn("I am allergic to peanuts.", file.read())
        self.assertEqual(self.json("reconcile")["differences"], [])
        uid = self.json("turns", "list")["turns"][-1]["uid"]
        self.out("turns", "forget", "1", "--yes")
        self.assertTrue(self.json("verify-forgotten", uid)["clean"])
        self.assertEqual(os.listdir(self.bucket("folders", "turns")), ["turn_000002"])
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_rows_come_back_from_there_and_a_torn_folder_is_set_aside(self):
        for number in range(3):
            self.say(f"Fact {number}: the kettle is number {number}.")
        for name in os.listdir(self.data):
            if name.startswith(("pandora.db", "vectors.db", "journal")):
                path = os.path.join(self.data, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        self.out("reconcile", "--apply")
        self.assertEqual(len(self.json("turns", "list")["turns"]), 3)
        self.assertEqual(self.json("reconcile")["differences"], [])
        with open(self.bucket("folders", "turns", "turn_000002"), "r+b") as file:
            file.truncate(40)
        self.assertNotEqual(self.json("reconcile", "--apply")["differences"], [])
        self.assertEqual(self.json("reconcile")["differences"], [])
        self.assertIn("kettle", self.out("turns", "show", "2"))

    def test_while_it_is_away_turns_are_kept_and_their_folders_follow(self):
        self.say("Before.")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=13, AWS_SECRET_ACCESS_KEY="wrong"), "AWS_SECRET_ACCESS_KEY")
        self.s3.stop()
        started = self.run_pandora("turns", "list", code=None, S3_TIMEOUT_MS="3000")
        self.assertEqual(started.returncode, 8, "without the keys that stand there nobody could be answered")
        self.assert_one_clear_line(started, str(self.s3.port), "S3_ENDPOINT")
        self.s3.start()
        self.say("After.")
        self.assertEqual(self.json("reconcile")["differences"], [])


class DocumentsInS3Served(ServedCase, Bucket):
    """Objects stand in a directory: of the bucket the documents alone tell."""

    def test_a_bucket_that_is_away_is_named_and_directories_follow_when_it_is_back(self):
        self.use_s3()
        self.environment.update({"PANDORA_DOCUMENTS_STORE": "s3", "PANDORA_OBJECTS_STORE": "embedded", "S3_TIMEOUT_MS": "1000"})
        self.upstream(*[whole("heard")] * 20)
        self.serve("--log-level", "error")
        self.assertEqual(self.chat("Before.")[0], 200)
        self.settle()
        named = lambda: {one["name"]: one["detail"] for one in self.ask("/health/ready")[2]["dependencies"]}
        self.assertIn(named()["documents"], ("", None))
        self.s3.stop()
        self.assertEqual(self.chat("Meanwhile.")[0], 200)
        self.wait_until(lambda: str(self.s3.port) in str(named()["documents"]), 120)
        self.assertIn(str(self.s3.port), self.json("status")["documents_error"])
        self.assertIn("directories of turns wait in the journal", self.out("status"))
        said = {one["check"]: one for one in self.json("doctor", code=None)["checks"]}
        self.assertEqual(said["documents"]["state"], "failure")
        self.s3.start()
        self.wait_until(lambda: self.json("status")["documents_error"] == "", 120)
        self.settle()
        self.assertEqual(sorted(os.listdir(os.path.join(self.s3.folder, "pandora", "folders", "turns"))), ["turn_000001", "turn_000002"])

    def test_a_bucket_that_may_only_be_read_is_named_and_directories_follow_when_it_may_be_written(self):
        self.use_s3()
        self.environment.update({"PANDORA_DOCUMENTS_STORE": "s3", "PANDORA_OBJECTS_STORE": "embedded"})
        self.upstream(*[whole("heard")] * 20)
        self.serve("--log-level", "error")
        self.assertEqual(self.chat("Before.")[0], 200)
        self.settle()

        def begin_again(*arguments):
            self.s3.stop()
            self.s3.arguments = arguments
            self.s3.start()

        begin_again("--readonly")
        self.assertEqual(self.chat("Meanwhile.")[0], 200)
        named = lambda: next(str(one["detail"]) for one in self.ask("/health/ready")[2]["dependencies"] if one["name"] == "documents")
        self.wait_until(lambda: "AccessDenied" in named(), 120)
        self.assertIn("AccessDenied", self.json("status")["documents_error"])
        self.assertIn("directories of turns wait in the journal", self.out("status"))
        begin_again()
        self.wait_until(lambda: self.json("status")["outbox"] == 0, 240)  # it is tried again after a minute at most
        self.assertEqual(self.json("status")["documents_error"], "")
        self.assertEqual(sorted(os.listdir(os.path.join(self.s3.folder, "pandora", "folders", "turns"))), ["turn_000001", "turn_000002"])
        self.assertEqual(self.json("reconcile")["differences"], [])


class BucketSettings(PandoraCase, Bucket):
    def test_configuration_is_checked_by_connecting(self):
        self.use_s3()
        self.assertIn("objects.store: S3, pandora at http://127.0.0.1", self.out("config", "--check"))
        self.assertEqual(os.listdir(self.s3.path()) if os.path.exists(self.s3.path()) else [], [], "nothing of the check stays there")
        self.assertIn("documents.store: S3, pandora at http://127.0.0.1", self.out("config", "--check", PANDORA_DOCUMENTS_STORE="s3"))
        left = os.path.join(self.s3.folder, "pandora", "checks")
        self.assertEqual(os.listdir(left) if os.path.exists(left) else [], [])
        wrong = self.json("config", "--check", code=13, AWS_SECRET_ACCESS_KEY="wrong")["checks"][2]
        self.assertIn("AWS_SECRET_ACCESS_KEY", wrong["remedy"])
        self.assertIn("S3_BUCKET", self.json("config", "--check", code=2, S3_BUCKET="another")["checks"][2]["remedy"])
        secret = os.path.join(self.home, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write("right\n")
        self.assert_one_clear_line(self.run_pandora("config", "--check", AWS_SECRET_ACCESS_KEY_FILE=secret, code=2), "AWS_SECRET_ACCESS_KEY_FILE")
        del self.environment["AWS_SECRET_ACCESS_KEY"]
        self.out("config", "--check", AWS_SECRET_ACCESS_KEY_FILE=secret)
        self.assertNotIn("right", self.out("config", AWS_SECRET_ACCESS_KEY="right"))
        self.s3.stop()
        self.assertIn("S3_ENDPOINT", self.json("config", "--check", code=8, AWS_SECRET_ACCESS_KEY_FILE=secret)["checks"][2]["remedy"])

    def test_settings_that_cannot_be_are_refused(self):
        keys = {"PANDORA_OBJECTS_STORE": "s3", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, PANDORA_OBJECTS_STORE="ftp"), "embedded or s3")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, PANDORA_OBJECTS_STORE="s3"), "AWS_ACCESS_KEY_ID")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, S3_STYLE="round", **keys), "path or virtual")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, S3_BUCKET="No", **keys), "S3_BUCKET")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, S3_ENDPOINT="http://h/path", **keys), "S3_ENDPOINT")
        self.out("turns", "list", **keys)


if __name__ == "__main__":
    unittest.main()
