"""A real language model behind Pandora (SmolLM2-135M on llama.cpp): what it says is its own, that it is asked as it should be is ours."""
import http.client
import json
import os
import socket
import subprocess
import sys
import unittest

import openai
from pandora_case import PandoraCase
from served_case import ServedCase

CACHE = os.path.dirname(os.path.dirname(os.path.dirname(sys.executable)))
PLACE = os.path.join(CACHE, "language-model")
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather in a city.",
                                         "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


class LanguageModel(ServedCase):
    def setUp(self):
        super().setUp()
        here = os.path.dirname(os.path.abspath(__file__))
        self.model = subprocess.Popen([os.path.join(CACHE, "clients/node"), os.path.join(here, "language_model_server.mjs"), os.path.join(PLACE, "node_modules"),
                                       os.path.join(PLACE, "model.gguf")], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_model)
        line = self.model.stdout.readline()
        self.assertTrue(line, "the model's server did not start")
        self.model_port = int(line)
        self.environment["PANDORA_MODEL_URL"] = f"http://127.0.0.1:{self.model_port}"
        self.serve()
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key="none", max_retries=0, timeout=120)
        self.addCleanup(self.client.close)

    def end_model(self):
        self.model.kill()
        self.model.wait(30)
        self.model.stdout.close()

    def asked(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.model_port, timeout=30)
        connection.request("GET", "/asked")
        requests = json.loads(connection.getresponse().read())
        connection.close()
        return requests

    def create(self, message, **more):
        return self.client.chat.completions.create(model="pandora", messages=[{"role": "user", "content": message}], temperature=0, **more)

    def test_a_conversation_with_memory_a_stream_and_a_forced_tool(self):
        told = self.create("I am allergic to peanuts.", max_tokens=12, user="one")
        self.assertTrue(told.choices[0].message.content.strip())
        self.assertGreater(told.usage.completion_tokens, 0)
        self.settle()

        chunks = list(self.create("Tell me about my allergic reaction to peanuts.", max_tokens=16, user="another", stream=True, stream_options={"include_usage": True}))
        pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
        self.assertGreater(len(pieces), 1, "it comes word by word")
        self.assertEqual(chunks[-1].choices, [])
        self.assertGreater(chunks[-1].usage.prompt_tokens, told.usage.prompt_tokens, "what was recalled was read, too")
        self.assertIn("I am allergic to peanuts.", self.asked()[-1]["messages"][0]["content"])

        called = self.create("What is the weather in Lisbon?", max_tokens=40, user="a third", tools=[TOOL],
                             tool_choice={"type": "function", "function": {"name": "get_weather"}}).choices[0]
        self.assertEqual(called.finish_reason, "tool_calls")
        call = called.message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertEqual(set(json.loads(call.function.arguments)), {"city"}, "by the tool's schema")
        again = self.client.chat.completions.create(model="pandora", tools=[TOOL], max_tokens=16, temperature=0, user="a third", messages=[
            {"role": "user", "content": "What is the weather in Lisbon?"}, called.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 24 degrees"}])
        self.assertTrue(again.choices[0].message.content.strip())

        self.wait_until(lambda: len(self.turns()) == 3)
        self.assertEqual({turn["status"] for turn in self.turns()}, {"complete"})


class UnderTheSupervisor(PandoraCase):
    """The same server as a cold one of `pandora host up`: the first call starts it, and is answered."""

    def test_it_starts_with_the_first_call_and_answers(self):
        here = os.path.dirname(os.path.abspath(__file__))
        ports = [socket.socket() for _ in range(3)]
        for one in ports:
            one.bind(("127.0.0.1", 0))
        gateway, orchestrator, model = (one.getsockname()[1] for one in ports)
        for one in ports:
            one.close()
        words = [os.path.join(CACHE, "clients/node"), os.path.join(here, "language_model_server.mjs"), os.path.join(PLACE, "node_modules"),
                 os.path.join(PLACE, "model.gguf"), "{port}"]
        settings = os.path.join(self.home, "pandora.toml")
        with open(settings, "w") as file:
            file.write(f"[gateway]\nport = {gateway}\n[orchestrator]\nport = {orchestrator}\n[model_servers.small]\n"
                       f"command = {json.dumps(' '.join(words))}\nport = {model}\nroles = \"voice\"\ncold = true\n")
        self.environment["PANDORA_CONFIG"] = settings
        self.addCleanup(self.run_pandora, "host", "down")
        self.run_pandora("host", "up", "--detach")
        state = lambda: {row["name"]: row["state"] for row in self.json("host", "status")["processes"]}["model-small"]
        self.assertEqual(state(), "cold")
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{gateway}/v1", api_key="none", max_retries=0, timeout=240)
        self.addCleanup(client.close)
        answer = client.chat.completions.create(model="pandora", messages=[{"role": "user", "content": "Say hello."}], temperature=0, max_tokens=8)
        self.assertTrue(answer.choices[0].message.content.strip())
        self.assertGreater(answer.usage.completion_tokens, 0)
        self.assertEqual(state(), "ready")


if __name__ == "__main__":
    if not os.path.exists(os.path.join(PLACE, "installed")):
        print(f"SKIPPED: no language model in {PLACE}; run scripts/fetch_language_model", file=sys.stderr)
        sys.exit(77)
    unittest.main()
