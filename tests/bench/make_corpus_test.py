#!/usr/bin/env python3
"""bench/make_corpus: the same seed gives the same bytes, and they look like what people say.

Skipped, with the reason, where WordNet (Debian's wordnet-base) is not.
"""
import collections, datetime, json, os, re, subprocess, unittest

MAKER = os.path.join(os.environ["PANDORA_SOURCE"], "bench", "make_corpus")
WORDNET = os.environ.get("WORDNET", "/usr/share/wordnet")


def run(*arguments, environment=None):
    return subprocess.run([MAKER, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, timeout=100)


def made(turns, seed):
    result = run("--turns", turns, "--seed", seed, "--wordnet", WORDNET)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


@unittest.skipUnless(os.path.exists(os.path.join(WORDNET, "cntlist.rev")), f"SKIPPED: no WordNet in {WORDNET} (apt-get install wordnet-base)")
class MadeCorpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bytes = made(2000, 7)
        cls.turns = [json.loads(line) for line in cls.bytes.splitlines()]

    def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(self):
        # Where Python orders its sets by chance, that must not show.
        other = dict(os.environ, PYTHONHASHSEED="12345")
        again = run("--turns", 2000, "--seed", 7, "--wordnet", WORDNET, environment=other).stdout
        self.assertEqual(self.bytes, again)
        self.assertNotEqual(self.bytes, made(2000, 8))

    def test_it_has_as_many_turns_as_asked_for_and_a_longer_one_holds_them_all(self):
        self.assertEqual(len(self.turns), 2000)
        self.assertEqual(len(made(1, 7).splitlines()), 1)
        some = set(made(701, 7).splitlines())
        self.assertEqual(len(some), 701)
        self.assertLessEqual(some, set(self.bytes.splitlines()))

    def test_sessions_have_speakers_who_take_turns_in_order_of_time_over_three_years(self):
        sessions = collections.defaultdict(list)
        for turn in self.turns:
            self.assertEqual(sorted(turn), ["at", "session", "speaker", "text"])
            sessions[turn["session"]].append(turn)
        self.assertTrue(80 <= len(sessions) <= 130, len(sessions))
        for turns in sessions.values():
            self.assertLessEqual(len(turns), 28)
            self.assertTrue(all(a["speaker"] != b["speaker"] for a, b in zip(turns, turns[1:])))
        times = [datetime.datetime.strptime(turn["at"], "%Y-%m-%dT%H:%M:%SZ") for turn in self.turns]
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[-1] - times[0], datetime.timedelta(days=1000))
        self.assertLess(times[-1] - times[0], datetime.timedelta(days=3 * 366))

    def test_words_are_as_frequent_as_in_texts_and_recur_within_a_session(self):
        words = [re.findall("[a-z]+", turn["text"].lower()) for turn in self.turns]
        counted = collections.Counter(word for turn in words for word in turn)
        self.assertGreater(len(counted), 3000)
        ranked = [count for _, count in counted.most_common()]
        # Zipf: the hundredth word about a tenth as often as the tenth.
        self.assertTrue(3 < ranked[9] / ranked[99] < 30, (ranked[9], ranked[99]))
        self.assertGreater(sum(count == 1 for count in ranked), len(ranked) / 4)
        sessions = collections.defaultdict(collections.Counter)
        for turn, said in zip(self.turns, words):
            sessions[turn["session"]].update({word for word in said if counted[word] < 30})
        recurring = sum(any(count >= 3 for count in session.values()) for session in sessions.values())
        self.assertGreater(recurring, 0.9 * len(sessions))

    def test_a_turn_is_a_few_sentences_without_a_hole_of_a_template(self):
        for turn in self.turns:
            self.assertRegex(turn["text"], r"^[A-Z\"'0-9]")
            self.assertNotRegex(turn["text"], r"[{}]|  ")
            self.assertLess(len(turn["text"]), 1000)


class Refusals(unittest.TestCase):
    def test_it_says_what_is_missing_and_which_counts_it_takes(self):
        result = run("--turns", 5, "--wordnet", "/nonexistent")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.decode(), "/nonexistent.*wordnet-base")
        for turns in (0, 10_000_001):
            result = run("--turns", turns, "--wordnet", "/nonexistent")
            self.assertEqual(result.returncode, 2)
            self.assertIn("--turns: from 1 to 10000000", result.stderr.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
