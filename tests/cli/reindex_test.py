"""Another encoder: reported, and moved to without a question unanswered meanwhile, whatever happens to the program."""
import json
import os
import signal
import subprocess
import threading
import unittest

from pandora_case import PROGRAM, PandoraCase, weights_are_here

OTHER = "all-MiniLM-L6-v2"


def other_weights_are_here():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return weights_are_here() and os.path.exists(os.path.join(cache, "pandora/models", OTHER, "manifest.json"))


@unittest.skipUnless(other_weights_are_here(), "needs the weights of both encoders (scripts/fetch_weights)")
class Reindex(PandoraCase):
    encoder = "bge-small-en-v1.5"
    WORDS = ("anchor", "barrel", "candle", "dragon", "engine", "feather", "guitar", "hammer", "island", "jacket")

    def setUp(self):
        super().setUp()
        self.environment["PANDORA_RECALL_DEADLINE_MS"] = "30000"  # a busy machine's; what is looked at here is not speed

    def import_turns(self, count, more=""):
        lines = [json.dumps({"session": f"s{i % 9}", "text": f"The {self.WORDS[i % 10]} numbered {i} is kept in room {i * 7}.{more}"})
                 for i in range(count)]
        self.out("import", "turns", "-", stdin="\n".join(lines))
        self.json("status")

    def found(self, i, **environment):
        items = self.json("turns", "search", f"{self.WORDS[i % 10]} numbered {i}", **environment)
        self.assertEqual(items["mode"], "hybrid", items)
        self.assertEqual(items["missing"], [])
        return any(f"numbered {i} " in item["text"] for item in items["items"])

    def assert_found(self, numbers, **environment):
        for i in numbers:
            self.assertTrue(self.found(i, **environment), i)

    def model(self, **environment):
        return self.json("status", **environment)["encoder"]["model"]

    def test_another_encoder_is_reported_and_the_old_one_answers_until_the_move(self):
        self.import_turns(12)
        now = {"PANDORA_ENCODER": OTHER}
        done = self.run_pandora("turns", "search", "anchor numbered 0", "--json", **now)
        self.assertIn(b"pandora reindex", done.stderr)
        self.assertIn(b"start.points_of_another_make", done.stderr)
        self.assert_found(range(12), **now)
        self.assertEqual(self.model(**now), self.encoder)
        checks = {check["check"]: check for check in self.json("doctor", **now)["checks"]}
        self.assertEqual(checks["points"]["state"], "warning")
        self.assertEqual(checks["points"]["remedy"], "run `pandora reindex`")

        moved = self.json("reindex", **now)
        self.assertTrue(moved["moved"])
        self.assertEqual(moved["turns"], 12)
        self.assertTrue(moved["to"].startswith(OTHER), moved)
        done = self.run_pandora("turns", "search", "anchor numbered 0", "--json", **now)
        self.assertEqual(done.stderr, b"")
        self.assert_found(range(12), **now)
        self.assertEqual(self.model(**now), OTHER)
        self.assertFalse(self.json("reindex", **now)["moved"])
        self.assertEqual(self.json("reconcile", **now)["differences"], [])
        self.assertIn(f"found by {self.encoder}", self.out("reindex"))
        self.assert_found(range(12))

    def test_killed_in_the_middle_the_old_points_answer_and_a_second_run_ends(self):
        self.import_turns(160, " It was brought there by somebody who never said why." * 8)  # so that it takes a while
        now = {"PANDORA_ENCODER": OTHER}
        mover = subprocess.Popen([PROGRAM, "reindex", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env={**self.environment, **now})
        self.wait_until(lambda: self.progress_of_the_owner() or mover.poll() is not None)
        self.assertIsNone(mover.poll(), "it must be killed in the middle")
        mover.send_signal(signal.SIGKILL)
        mover.communicate()
        self.assertEqual(self.model(), self.encoder)
        self.assertEqual([c["name"] for c in self.json("status")["collections"]], ["memories", "research", "turns"],
                         "what was half made is gone")
        self.assert_found(range(0, 160, 20))
        self.assertTrue(self.json("reindex", **now)["moved"])
        self.assert_found(range(0, 160, 20), **now)
        self.assertEqual(self.model(**now), OTHER)
        self.assertEqual(self.json("reconcile", **now)["differences"], [])

    def progress_of_the_owner(self):
        """Points in the collection that is being made; over the socket of the process that makes it."""
        done = self.run_pandora("status", "--json", code=None)
        if done.returncode != 0:
            return False
        return any(c["points"] > 0 and not c["embedder"].startswith(self.encoder) for c in json.loads(done.stdout)["collections"])

    def test_over_the_owners_socket_while_it_is_asked_and_told(self):
        self.import_turns(200)
        owner = subprocess.Popen([PROGRAM, "chat", "--session", "open"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=self.environment)
        self.addCleanup(lambda: (owner.stdin.close(), owner.wait(30), owner.stdout.close(), owner.stderr.close()))
        owner.stdin.write(b"The owner is here.\n")
        owner.stdin.flush()
        self.assertIn(b"", owner.stdout.readline())
        moved = {}
        mover = threading.Thread(target=lambda: moved.update(self.json("reindex", PANDORA_ENCODER=OTHER)))
        mover.start()
        asked = 0
        while mover.is_alive() or asked < 3:
            self.assertTrue(self.found(asked * 17 % 200), asked)
            asked += 1
        mover.join()
        self.assertTrue(moved["moved"], moved)
        self.assertGreaterEqual(moved["turns"], 201)
        self.assertEqual(self.model(), OTHER, "the owner's encoder is the new one")
        self.say("The zeppelin hangs in the hangar.", "--session", "later")
        items = self.json("turns", "search", "where is the zeppelin")["items"]
        self.assertIn("zeppelin", items[0]["text"])

    def test_without_the_old_weights_search_goes_by_words_until_the_move(self):
        self.import_turns(5)
        models = os.path.join(self.home, "models")
        os.mkdir(models)
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        os.symlink(os.path.join(cache, "pandora/models", OTHER), os.path.join(models, OTHER))
        now = ("--set", f"models.path={models}", "--set", f"encoder.model={OTHER}")
        items = self.json("turns", "search", "anchor numbered 0", *now)
        self.assertEqual(items["mode"], "lexical")
        self.assertIn("pandora reindex", " ".join(items["missing"]))
        self.assertIn("anchor", items["items"][0]["text"])
        self.assertTrue(self.json("reindex", *now)["moved"])
        self.assertEqual(self.json("turns", "search", "anchor numbered 0", *now)["mode"], "hybrid")

    def test_weights_that_are_missing_change_nothing(self):
        self.import_turns(3)
        done = self.run_pandora("reindex", code=3, PANDORA_ENCODER="no-such-model")
        self.assertIn(b"run scripts/fetch_weights --model no-such-model", done.stderr.splitlines()[-1])
        self.assertEqual(done.stdout, b"")
        self.assert_found(range(3))
        self.assertEqual(self.model(), self.encoder)


if __name__ == "__main__":
    unittest.main()
