"""schemathesis against the running program: what api/openapi.yaml says is what it does, for thousands of odd requests."""
import os
import subprocess
import sys
import unittest

from served_case import ServedCase, whole

CACHE = os.environ.get("PANDORA_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pandora")
SCHEMATHESIS = os.path.join(CACHE, "checkers/bin/schemathesis")
SEED = os.environ.get("PANDORA_SEED", "20260105")
# A text that the description allows may still say nothing: a time that is no time, a kind that there is not.
LEFT_OUT = "positive_data_acceptance"


class Endless(list):
    """A script whose last step is never used up."""

    def pop(self, _):
        return self[0]


class Description(ServedCase):
    def check(self, *arguments, seconds):
        print(f"seed {SEED}")
        done = subprocess.run([SCHEMATHESIS, "run", self.url + "/openapi.yaml", "--seed", SEED, "--max-time", str(seconds), "--exclude-checks", LEFT_OUT,
                               "--continue-on-failure", "--no-shrink", "--request-timeout", "30", "--warnings", "off", *arguments],
                              capture_output=True, text=True, timeout=seconds + 60, cwd=self.home, env={**os.environ, "HOME": self.home})
        self.assertEqual(done.returncode, 0, done.stdout[-20_000:] + done.stderr[-2_000:])
        return done.stdout

    def test_it_does_what_its_description_says(self):
        self.upstream().script = Endless([whole("Noted.")])
        self.serve()
        # What fuzzing and scenarios reach depends on the time they have: they are for whoever looks for faults (coverage,fuzzing,stateful).
        phases = os.environ.get("PANDORA_PHASES", "coverage")
        report = self.check("--phases", phases, "--max-examples", "10", seconds=30)
        self.assertNotIn("Tested: 0", report)
        self.assertEqual(self.ask("/health/ready")[2]["status"], "ready", "and it is as well as before")

    def test_with_keys_nothing_is_answered_without_one(self):
        secret = self.json("keys", "create", "checker", "--scope", "all")["secret"]
        self.upstream().script = Endless([whole("Noted.")])
        self.serve()
        self.check("--phases", "coverage", "--checks", "ignored_auth,not_a_server_error", "-H", f"Authorization: Bearer {secret}", seconds=15)


if __name__ == "__main__":
    if not os.path.exists(SCHEMATHESIS):
        print(f"SKIPPED: {SCHEMATHESIS} is not there; run scripts/bootstrap --tests", file=sys.stderr)
        sys.exit(77)
    unittest.main()
