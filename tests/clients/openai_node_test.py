"""OpenAI's own client for Node, unmodified: only its base URL is changed. What it does stands in openai_node.cjs."""
import json
import os
import subprocess
import sys
import unittest

from served_case import CALL, TOOL, USAGE, ServedCase, chunk, whole, words

CLIENTS = os.path.dirname(os.path.dirname(sys.executable))
SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "openai_node.cjs")


class OpenAiNode(ServedCase):
    def setUp(self):
        super().setUp()
        self.up = self.upstream()

    def node(self, scenario, argument=None):
        ran = subprocess.run([os.path.join(CLIENTS, "node"), SCENARIOS, scenario, *([] if argument is None else [json.dumps(argument)])],
                             env={**os.environ, "BASE_URL": self.url + "/v1", "NODE_PATH": os.path.join(CLIENTS, "node_modules")},
                             capture_output=True, text=True, timeout=90, check=False)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads(ran.stdout)

    def test_chat(self):
        self.serve()
        self.up.then(whole("Peanuts."))
        answer = self.node("chat")
        self.assertEqual((answer["choices"][0]["message"]["content"], answer["choices"][0]["finish_reason"]), ("Peanuts.", "stop"))
        self.assertEqual(answer["usage"]["total_tokens"], USAGE["total_tokens"])

    def test_a_stream_ends_with_its_usage_alone(self):
        self.serve()
        self.up.then(words("Pea", "nuts."), words("Pea", "nuts."))
        chunks = self.node("stream")
        self.assertEqual("".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]), "Peanuts.")
        self.assertEqual((chunks[-1]["choices"], chunks[-1]["usage"]["prompt_tokens"]), ([], USAGE["prompt_tokens"]))
        self.assertTrue(all(c.get("usage") is None and c["choices"] for c in chunks[:-1]))
        self.assertEqual(self.node("streaming_helper")["content"], "Peanuts.")

    def test_tools_there_and_back(self):
        self.serve()
        self.up.then(whole(tool_calls=[CALL]), whole("It is sunny."))
        done = self.node("tools", TOOL)
        self.assertEqual((done["finish"], done["answer"], done["call"]["id"]), ("tool_calls", "It is sunny.", "call-abc"))
        self.assertEqual(json.loads(done["call"]["function"]["arguments"]), {"city": "Lisbon"})

    def test_the_clients_own_tool_loop_over_streams(self):
        self.serve()
        called = [chunk({"role": "assistant", "tool_calls": [{"index": 0, **CALL, "function": {"name": "get_weather", "arguments": '{"city"'}}]}),
                  chunk({"tool_calls": [{"index": 0, "function": {"arguments": ':"Lisbon"}'}}]}), chunk({}, "tool_calls")]
        self.up.then(called, words("It is ", "sunny."))
        self.assertEqual(self.node("tool_runner", TOOL), {"answer": "It is sunny.", "asked": [{"city": "Lisbon"}]})
        self.assertEqual(self.up.asked[1]["messages"][-1]["content"], "sunny")

    def test_embeddings_in_both_encodings(self):
        self.serve()
        vectors = self.node("embeddings")
        self.assertEqual(len(vectors["packed"]), 2)
        for packed, plain in zip(vectors["packed"], vectors["plain"], strict=True):
            self.assertGreater(len(plain), 100)
            for a, b in zip(packed, plain, strict=True):
                self.assertAlmostEqual(a, b, places=6)

    def test_models(self):
        self.serve()
        self.assertEqual(self.node("models"), {"names": ["pandora", "hashing", "first-model", "second-model"], "one": "pandora"})

    def test_what_is_wrong_with_a_request_is_said_in_the_clients_own_errors(self):
        self.serve("--set", "gateway.body_bytes=65536")
        unknown = self.node("error", {"model": "none"})
        self.assertEqual((unknown["name"], unknown["status"], unknown["code"]), ("NotFoundError", 404, "model_not_found"))
        wrong = self.node("error", {"messages": []})
        self.assertEqual((wrong["name"], wrong["status"], wrong["type"]), ("BadRequestError", 400, "invalid_request_error"))
        self.assertIn("messages", wrong["message"])
        self.assertEqual(self.node("error", {"messages": [{"role": "user", "content": "x" * 65536}]})["status"], 413)

    def test_a_servers_errors_are_the_clients(self):
        self.serve()
        kinds = {400: "BadRequestError", 401: "AuthenticationError", 413: "APIError", 429: "RateLimitError", 500: "InternalServerError", 503: "InternalServerError"}
        for status, kind in kinds.items():
            self.up.then((status, json.dumps({"error": {"message": "no", "type": "a_type", "code": f"code_{status}"}}).encode(), {"Retry-After": "9"}))
            error = self.node("error")
            self.assertEqual((error["name"], error["status"], error["code"], error["type"], error["retry_after"]), (kind, status, f"code_{status}", "a_type", "9"))

    def test_a_stream_that_breaks_off_is_an_error(self):
        self.serve()
        self.up.then([*words("Pea")[:2], b'data: {"choices": [\n\n'])
        self.assertTrue(self.node("broken_stream")["isApiError"])

    def test_a_client_that_leaves_in_the_middle_cancels_the_model(self):
        self.serve()

        def endless(handler, _):
            handler.stream(chunk({"content": "Pea"}) for _ in iter(int, 1))

        self.up.then(endless)
        self.node("leaves")
        self.assertTrue(self.up.left.wait(30))


if __name__ == "__main__":
    unittest.main()
