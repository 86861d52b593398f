"""How good recall is on servers: as it is here; and by the words of the rows, while the points are away, within five points of it."""
import json
import os
import subprocess
import unittest

from pandora_case import PROGRAM, SOURCE, PandoraCase
from postgres_server import PostgresServer
from served_points_test import Vectors

QUESTIONS = os.path.join(os.path.dirname(SOURCE), "shared", "data", "locomo-dev.json")
FIGURES = ("turn_recall_at_5", "turn_recall_at_10", "session_recall_at_10")
SESSIONS = 4  # of one conversation: seconds, not minutes


class ServedRecall(PandoraCase):
    def questions(self):
        """The beginning of one conversation, and what is asked of it."""
        with open(QUESTIONS, encoding="utf-8") as file:
            first = json.load(file)[0]
        first["sessions"] = first["sessions"][:SESSIONS]
        known = {turn["id"] for session in first["sessions"] for turn in session["turns"]}
        first["questions"] = [one for one in first["questions"] if one["evidence"] and all(part in known for part in one["evidence"])]
        self.assertGreater(len(first["questions"]), 20)
        path = os.path.join(self.home, "questions.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump([first], file)
        return path

    def evaluate(self, *arguments):
        done = subprocess.run([PROGRAM, "eval", "locomo", *arguments, "--json"], env=self.environment, capture_output=True, timeout=600, check=True)
        return json.loads(done.stdout)

    @unittest.skipUnless(os.path.exists(QUESTIONS), "no question set beside the project")
    def test_it_is_as_good_as_here_and_nearly_so_while_the_points_are_away(self):
        questions = self.questions()
        self.environment["PANDORA_RECALL_DEADLINE_MS"] = "60000"  # how good it is, not how quick on a machine with much to do
        here = self.evaluate(questions, "--work", os.path.join(self.home, "here"))
        server = PostgresServer()
        self.addCleanup(server.close)
        vectors = Vectors(self)
        self.environment.update(server.environment(), PANDORA_POINTS_STORE="qdrant", QDRANT_URL=vectors.url)
        self.out("db", "migrate")
        ask = (questions, "--work", os.path.join(self.home, "there"), "--served-rows")
        there = self.evaluate(*ask)
        vectors.end()
        by_words = self.evaluate(*ask)
        for figure in FIGURES:
            self.assertGreater(here[figure], 0.3, figure)
            self.assertAlmostEqual(there[figure], here[figure], delta=0.01, msg=figure)
            self.assertGreater(by_words[figure], here[figure] - 0.05, figure)
        self.assertEqual((list(there["modes"]), list(by_words["modes"])), (["hybrid"], ["lexical"]))


if __name__ == "__main__":
    unittest.main()
