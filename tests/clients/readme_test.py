"""What a new user types from the README, as it is printed there, and that all of it is one memory."""
import re
import subprocess
import sys
import unittest

from pandora_case import PROGRAM, SOURCE, weights_are_here
from served_case import ServedCase

README = (SOURCE / "README.md").read_text(encoding="utf-8")


def block(language, word):
    """The code block of that language that holds the word."""
    found = [text for text in re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE) if word in text]
    assert len(found) == 1, found
    return found[0]


@unittest.skipUnless(weights_are_here(), "the encoder's weights are not here: run scripts/fetch_weights")
class Readme(ServedCase):
    encoder = "bge-small-en-v1.5"

    def here(self, text):
        """The same, at this test's server and data."""
        self.assertTrue("127.0.0.1:9000" in text or "build/pandora" in text or "make run" in text, text)
        return text.replace("127.0.0.1:9000", f"127.0.0.1:{self.port}").replace("build/pandora", PROGRAM).replace("make run", f"{PROGRAM} chat --serve")

    def shell(self, command):
        ran = subprocess.run(["bash", "-c", self.here(command)], env={**self.environment, "PANDORA_GATEWAY_PORT": "0"}, capture_output=True, text=True, timeout=90, check=False)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout

    def curl(self, message="Which nuts should I avoid?"):
        command = block("", "$ curl").replace("Which nuts should I avoid?", message)
        return self.shell(command.removeprefix("$ ").replace("\\\n", " "))

    def python(self, message="Which nuts should I avoid?"):
        program = self.here(block("python", "OpenAI").replace("Which nuts should I avoid?", message))
        ran = subprocess.run([sys.executable, "-c", program], env=self.environment, capture_output=True, text=True, timeout=90, check=False)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout

    def test_make_run_is_the_conversation_beside_the_api(self):
        self.assertIn("\n\t@build/pandora chat --serve\n", (SOURCE / "Makefile").read_text(encoding="utf-8"))

    def test_the_two_lines_of_the_conversation(self):
        self.port = 0
        shown = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block("", "echo 'I am"), re.MULTILINE)
        self.assertEqual(len(shown), 2)
        for command, printed in shown:
            without_dates = [re.sub(r"\d{1,2} [A-Z][a-z]+ \d{4}", "DATE", text) for text in (self.shell(command), printed)]
            self.assertEqual(*without_dates)

    def test_what_any_of_the_three_is_told_the_others_know(self):
        self.serve()
        tellers = {"I am allergic to peanuts.": lambda text: self.shell(f"echo '{text}' | build/pandora chat --session told"), "My sister Ana lives in Lisbon.": self.curl,
                   "My bicycle is green.": self.python}
        for fact, tell in tellers.items():
            tell(fact)
        self.settle()
        askers = [self.curl, self.python, lambda text: self.shell(f"echo '{text}' | build/pandora chat --session asks")]
        for question, fact in zip(("Which nuts should I avoid?", "Where does my sister live?", "Which colour has my bicycle?"), tellers, strict=True):
            for ask in askers:
                self.assertIn(fact, ask(question))


if __name__ == "__main__":
    unittest.main()
