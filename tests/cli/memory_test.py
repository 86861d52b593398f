"""Ten facts are told, and found again by paraphrase: after a restart, and after kill -9."""
import json
import os
import random
import signal
import subprocess
import time
import unittest

from pandora_case import PROGRAM, PandoraCase, weights_are_here

FACTS = [
    ("I am allergic to peanuts.", "Which nuts must I avoid?", "peanuts"),
    ("My sister Ana lives in Lisbon.", "Where does my sibling live?", "Lisbon"),
    ("I work as a night nurse at the harbour hospital.", "What is my job?", "nurse"),
    ("My cat is called Miso.", "What is the name of my pet?", "Miso"),
    ("We are flying to Iceland in March.", "Where are we travelling this spring?", "Iceland"),
    ("I play the cello in a quartet.", "Which musical instrument do I play?", "cello"),
    ("My favourite colour is teal.", "Which colour do I like best?", "teal"),
    ("The code of the garden gate is 4711.", "How do I open the gate of the garden?", "4711"),
    ("My car is an old green Volvo.", "What kind of vehicle do I drive?", "Volvo"),
    ("Our anniversary is on the ninth of June.", "When did we marry?", "June"),
]


@unittest.skipUnless(weights_are_here(), "skipped: no encoder weights; run scripts/fetch_weights")
class Memory(PandoraCase):
    encoder = "bge-small-en-v1.5"

    def ask_all(self, user="me"):
        missed = []
        for fact, question, answer in FACTS:
            if answer not in self.say(question, "--session", "later", "--user", user):
                missed.append(question)
        return missed

    def test_ten_facts_are_found_by_paraphrase_in_another_session_after_a_restart(self):
        self.say("\n".join(fact for fact, _, _ in FACTS), "--session", "first")
        self.assertEqual(self.ask_all(), [])
        self.assertEqual(len(self.ask_all(user="somebody-else")), len(FACTS), "another user must find none")

    def test_ten_facts_survive_kill_9_after_their_acknowledgement(self):
        seed = int(os.environ.get("PANDORA_SEED", "1"))
        print("seed", seed)
        rng = random.Random(seed)
        for fact, _, _ in FACTS:
            process = subprocess.Popen([PROGRAM, "chat", "--session", "first", "--json"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment)
            process.stdin.write(fact.encode() + b"\n")
            process.stdin.flush()
            self.assertTrue(json.loads(process.stdout.readline())["acknowledged"])
            time.sleep(rng.random() * 0.02)  # a random moment after the acknowledgement
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.assertEqual(self.ask_all(), [])
        told = [turn["message"]["text"] for turn in self.json("turns", "list", "--in", "first")["turns"]]
        self.assertEqual(sorted(told), sorted(fact for fact, _, _ in FACTS), "each exactly once")
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_deleting_the_databases_and_reconciling_brings_everything_back(self):
        self.say("\n".join(fact for fact, _, _ in FACTS), "--session", "first")
        before = self.out("export")
        memories = self.json("memory", "list")
        for name in os.listdir(self.data):
            if ".db" in name:
                os.remove(os.path.join(self.data, name))
        self.assertEqual(self.json("turns", "list")["turns"], [])
        self.say("Something new, said before the old is brought back.", "--session", "first")
        self.json("turns", "forget", str(self.json("turns", "list")["turns"][0]["number"]), "--yes")
        self.assertGreater(len(self.json("reconcile")["differences"]), 0)
        self.json("reconcile", "--apply")
        self.assertEqual(self.json("reconcile")["differences"], [])
        self.assertEqual(self.out("export"), before)
        self.assertEqual(self.json("memory", "list"), memories)
        self.assertEqual(self.ask_all(), [])


    def test_an_evaluation_finds_what_was_said_and_touches_no_memory_of_its_user(self):
        path, scores = os.path.join(self.home, "set.json"), os.path.join(self.home, "scores.json")
        turns = [{"id": f"D1:{n + 1}", "speaker": "Ana", "text": fact} for n, (fact, _, _) in enumerate(FACTS[6:])]
        questions = [{"question": question, "evidence": [f"D1:{n + 1}"], "category": 1} for n, (_, question, _) in enumerate(FACTS[6:])]
        with open(path, "w") as file:
            json.dump([{"conversation": "c", "sessions": [{"session": 1, "date_time": "1:56 pm on 8 May, 2023", "turns": turns}], "questions": questions}], file)
        summary = self.json("eval", "locomo", path, "--save", scores, "--require", "turn_recall_at_10=1")
        self.assertEqual((summary["questions"], summary["turn_recall_at_10"], summary["session_recall_at_10"]), (4, 1.0, 1.0))
        self.assertEqual(summary["modes"], {"hybrid": 4})
        self.assertFalse(self.json("eval", "locomo", path, "--against", scores)["against"]["worse"])
        self.run_pandora("eval", "locomo", path, "--require", "turn_recall_at_10=1.1", code=4)
        self.assert_one_clear_line(self.run_pandora("eval", "locomo", path, "--require", "nonsense=1", code=2), "nonsense")
        self.assert_one_clear_line(self.run_pandora("eval", "locomo", path, "--save", "/nonexistent/scores", code=3), "/nonexistent")
        self.assert_one_clear_line(self.run_pandora("eval", "locomo", path + "x", code=3), path + "x")
        self.assertEqual(self.json("turns", "list")["turns"], [])
        self.assert_one_clear_line(self.run_pandora("eval", "locomo", path, "--work", self.data, code=4), "--work", "empty")
        work = os.path.join(self.home, "work")
        self.json("eval", "locomo", path, "--work", work)
        self.assertEqual(self.json("eval", "locomo", path, "--work", work)["turn_recall_at_10"], 1.0)

        among, vectors = os.path.join(self.home, "among.jsonl"), os.path.join(self.home, "vectors")
        with open(among, "w") as file:
            file.writelines(json.dumps({"session": "s", "text": f"The weather of day {n} is of no importance."}) + "\n" for n in range(30))
        summary = self.json("eval", "locomo", path, "--among", among, "--vectors", vectors)
        self.assertEqual((summary["distractors"], summary["turn_recall_at_10"]), (30, 1.0))
        size = os.path.getsize(vectors)
        again = self.json("eval", "locomo", path, "--among", among, "--vectors", vectors, "--only", "c")
        self.assertEqual({name: value for name, value in again.items() if "_ms_" not in name},
                         {name: value for name, value in summary.items() if "_ms_" not in name})
        self.assertEqual(os.path.getsize(vectors), size)
        self.assert_one_clear_line(self.run_pandora("eval", "locomo", path, "--work", work, "--among", among, code=4), "--work", "something else")
        self.assert_one_clear_line(self.run_pandora("eval", "locomo", path, "--only", "d", code=2), '"d"')
        self.assert_one_clear_line(self.run_pandora("eval", "locomo", path, "--among", path, code=2), "line 1")

    def test_questions_of_ones_own_are_asked_of_the_memory_as_it_is_and_leave_no_trace(self):
        self.assert_one_clear_line(self.run_pandora("eval", "own", code=3), "nothing yet")
        path = os.path.join(self.home, "turns.jsonl")
        with open(path, "w") as file:
            file.writelines(json.dumps({"session": f"s{n}", "speaker": "Ana", "text": fact}) + "\n" for n, (fact, _, _) in enumerate(FACTS))
        self.json("import", "turns", path)
        before = [self.out("export"), self.json("recalls", "list"), self.json("memory", "list")]
        summary = self.json("eval", "own", "--turns", "5", "--require", "turn_recall_at_10=0.9")
        self.assertEqual((summary["turns_asked"], summary["turns"]), (5, len(FACTS)))
        self.assertEqual(sorted(summary["categories"]), ["gap", "speaker", "words"])
        self.assertEqual(summary["questions"], 15)
        self.assertEqual([self.out("export"), self.json("recalls", "list"), self.json("memory", "list")], before)
        self.run_pandora("eval", "own", "--require", "turn_recall_at_10=1.1", code=4)
        scores = os.path.join(self.home, "scores.json")
        self.json("eval", "own", "--turns", "5", "--save", scores)
        against = self.json("eval", "own", "--turns", "5", "--against", scores)["against"]
        self.assertEqual((against["questions"], against["worse"], against["figures"]["turn_recall_at_10"]["difference"]), (15, False, 0))
        worse = self.run_pandora("eval", "own", "--turns", "5", "--against", scores, code=4, PANDORA_RECALL_LIMIT="0").stdout.decode()
        self.assertIn(f"FAILED: worse than {scores}", worse)
        for wrong in ("0", "5001"):
            self.assertIn("--turns", self.run_pandora("eval", "own", "--turns", wrong, code=2).stderr.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
