"""The `llm` command, unmodified, with its configuration for servers of OpenAI's API."""
import os
import subprocess
import sys
import unittest

from served_case import ServedCase, whole, words

LLM = os.path.join(os.path.dirname(sys.executable), "llm")


class Llm(ServedCase):
    def setUp(self):
        super().setUp()
        self.up = self.upstream()
        self.serve()
        home = os.path.join(self.home, "llm")
        os.makedirs(home)
        with open(os.path.join(home, "extra-openai-models.yaml"), "w", encoding="utf-8") as file:
            file.write(f'- model_id: mine\n  model_name: pandora\n  api_base: "{self.url}/v1"\n')
        self.llm_environment = {**os.environ, "LLM_USER_PATH": home}

    def llm(self, *words_, text=None):
        ran = subprocess.run([LLM, *words_], env=self.llm_environment, input=text, capture_output=True, text=True, timeout=90, check=False)
        return ran.returncode, ran.stdout.strip(), ran.stderr

    def ask(self, *words_, text=None):
        code, out, error = self.llm(*words_, text=text)
        self.assertEqual(code, 0, error)
        return out

    def test_a_question_streams(self):
        self.up.then(words("Pea", "nuts."))
        self.assertEqual(self.ask("-m", "mine", "Which nuts should I avoid?"), "Peanuts.")
        self.assertTrue(self.up.asked[0]["stream"])

    def test_a_question_without_a_stream_with_a_system_prompt_and_a_file(self):
        self.up.then(whole("Peanuts."))
        self.assertEqual(self.ask("-m", "mine", "--no-stream", "-s", "Be brief.", text="Which nuts should I avoid?"), "Peanuts.")
        self.assertIn("Be brief.", self.up.asked[0]["messages"][0]["content"])

    def test_a_conversation_goes_on_in_its_session(self):
        self.up.then(words("Noted."), words("Peanuts."))
        self.ask("-m", "mine", "I am allergic to peanuts.")
        self.assertEqual(self.ask("-c", "Which nuts should I avoid?"), "Peanuts.")
        turns = self.turns()
        self.assertEqual((len(turns), len({turn["session"] for turn in turns})), (2, 1), turns)

    def test_an_error_is_said(self):
        self.up.then((400, b'{"error": {"message": "the prompt is too long", "type": "invalid_request_error", "code": null}}', {}))
        code, _, error = self.llm("-m", "mine", "--no-stream", "Hello?")
        self.assertNotEqual(code, 0)
        self.assertIn("the prompt is too long", error)


if __name__ == "__main__":
    unittest.main()
