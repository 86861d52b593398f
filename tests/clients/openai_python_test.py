"""OpenAI's own client for Python, unmodified: only its base URL is changed."""
import json
import unittest

import openai
from served_case import CALL, TOOL, USAGE, ServedCase, chunk, whole, words


class OpenAiPython(ServedCase):
    def setUp(self):
        super().setUp()
        self.up = self.upstream()
        self.serve()
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key="none", max_retries=0, timeout=30)
        self.addCleanup(self.client.close)

    def create(self, message="Which nuts should I avoid?", **more):
        return self.client.chat.completions.create(model="pandora", messages=[{"role": "user", "content": message}], **more)

    def test_chat(self):
        self.up.then(whole("Peanuts."))
        answer = self.create()
        self.assertEqual((answer.choices[0].message.content, answer.choices[0].finish_reason), ("Peanuts.", "stop"))
        self.assertEqual(answer.usage.total_tokens, USAGE["total_tokens"])
        self.assertTrue(answer._request_id)

    def test_a_stream_and_its_usage(self):
        self.up.then(words("Pea", "nuts."), words("Pea", "nuts."))
        chunks = list(self.create(stream=True, stream_options={"include_usage": True}))
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), "Peanuts.")
        self.assertEqual((chunks[-1].choices, chunks[-1].usage.prompt_tokens), ([], USAGE["prompt_tokens"]))
        self.assertTrue(all(c.usage is None for c in chunks[:-1]))
        chunks = list(self.create("And which others?", stream=True))
        self.assertTrue(all(c.usage is None and c.choices for c in chunks))

    def test_the_streaming_helper_puts_the_answer_together(self):
        self.up.then(words("Pea", "nuts."))
        with self.client.chat.completions.stream(model="pandora", messages=[{"role": "user", "content": "Which nuts should I avoid?"}]) as stream:
            self.assertEqual(stream.get_final_completion().choices[0].message.content, "Peanuts.")

    def test_tools_there_and_back(self):
        self.up.then(whole(tool_calls=[CALL]), whole("It is sunny."))
        messages = [{"role": "user", "content": "What is the weather in Lisbon?"}]
        first = self.client.chat.completions.create(model="pandora", messages=messages, tools=[TOOL]).choices[0]
        self.assertEqual(first.finish_reason, "tool_calls")
        call = first.message.tool_calls[0]
        self.assertEqual((call.id, call.function.name, json.loads(call.function.arguments)), ("call-abc", "get_weather", {"city": "Lisbon"}))
        messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
        self.assertEqual(self.client.chat.completions.create(model="pandora", messages=messages, tools=[TOOL]).choices[0].message.content, "It is sunny.")

    def test_tools_in_a_stream(self):
        self.up.then([chunk({"role": "assistant", "tool_calls": [{"index": 0, **CALL, "function": {"name": "get_weather", "arguments": '{"city"'}}]}),
                      chunk({"tool_calls": [{"index": 0, "function": {"arguments": ':"Lisbon"}'}}]}), chunk({}, "tool_calls")])
        with self.client.chat.completions.stream(model="pandora", messages=[{"role": "user", "content": "What is the weather in Lisbon?"}], tools=[TOOL]) as stream:
            call = stream.get_final_completion().choices[0].message.tool_calls[0]
        self.assertEqual(json.loads(call.function.arguments), {"city": "Lisbon"})

    def test_embeddings_in_both_encodings(self):
        packed = self.client.embeddings.create(model="pandora", input=["a cat", "a dog"])  # the client asks for base64 by itself
        plain = self.client.embeddings.create(model="pandora", input=["a cat", "a dog"], encoding_format="float")
        self.assertEqual(len(packed.data), 2)
        for a, b in zip(packed.data[1].embedding, plain.data[1].embedding, strict=True):
            self.assertAlmostEqual(a, b, places=6)

    def test_models(self):
        self.assertEqual([m.id for m in self.client.models.list()], ["pandora", "hashing", "first-model", "second-model"])
        self.assertEqual(self.client.models.retrieve("pandora").id, "pandora")

    def test_a_model_that_is_not_there(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.chat.completions.create(model="none", messages=[{"role": "user", "content": "Hello."}])
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_a_missing_key_and_a_wrong_one(self):
        secret = self.json("keys", "create", "laptop")["secret"]
        self.up.then(whole("Peanuts."))
        hello = [{"role": "user", "content": "Which nuts should I avoid?"}]
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.create()
        self.assertEqual((caught.exception.status_code, caught.exception.code, caught.exception.type), (401, "invalid_api_key", "invalid_request_error"))
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.client.chat.completions.create(model="pandora", messages=hello, extra_headers={"Authorization": openai.Omit()})
        self.assertEqual((caught.exception.status_code, caught.exception.code), (401, None))
        self.assertIn("didn't provide an API key", caught.exception.message)
        known = self.client.with_options(api_key=secret)
        self.assertEqual(known.chat.completions.create(model="pandora", messages=hello).choices[0].message.content, "Peanuts.")
        reader = self.client.with_options(api_key=self.json("keys", "create", "reader", "--scope", "read")["secret"])
        with self.assertRaises(openai.PermissionDeniedError) as caught:
            reader.models.list()
        self.assertEqual(caught.exception.code, "missing_scope")
        self.out("keys", "revoke", "laptop", "--yes")
        with self.assertRaises(openai.AuthenticationError):
            known.models.list()

    def test_a_limit_is_seen_and_waited_for(self):
        limited = self.client.with_options(api_key=self.json("keys", "create", "limited", "--requests", "2")["secret"])
        with self.assertRaises(openai.RateLimitError) as caught:
            for _ in range(6):  # two, and as many again if a minute of the clock ends meanwhile
                raw = limited.models.with_raw_response.list()
                self.assertEqual(raw.headers["x-ratelimit-limit-requests"], "2")
        error = caught.exception
        self.assertEqual((error.status_code, error.code, error.type), (429, "rate_limit_exceeded", "requests"))
        self.assertIn(int(error.response.headers["Retry-After"]), range(1, 91))

    def test_a_servers_errors_are_the_clients(self):
        kinds = {400: openai.BadRequestError, 401: openai.AuthenticationError, 403: openai.PermissionDeniedError, 413: openai.APIStatusError,
                 429: openai.RateLimitError, 500: openai.InternalServerError, 503: openai.InternalServerError}
        for status, kind in kinds.items():
            self.up.then((status, json.dumps({"error": {"message": "no", "type": "a_type", "code": f"code_{status}"}}).encode(), {"Retry-After": "9"}))
            with self.assertRaises(kind) as caught:
                self.create(f"This is question {status}.", extra_headers={"Pandora-Tools": "off"})
            self.assertEqual((caught.exception.status_code, caught.exception.code), (status, f"code_{status}"))
            self.assertEqual(caught.exception.response.headers["Retry-After"], "9")

    def test_a_stream_that_breaks_off_is_an_error(self):
        self.up.then([*words("Pea")[:2], b"data: {\"choices\": [\n\n"])
        with self.assertRaises(openai.APIError):
            list(self.create(stream=True))

    def test_the_clients_own_ways_to_name_a_session_and_to_read_headers(self):
        self.up.then(whole("Hello."), whole("Hello."))
        raw = self.client.chat.completions.with_raw_response.create(model="pandora", messages=[{"role": "user", "content": "Good morning to you."}],
                                                                    extra_headers={"Pandora-Session": "mine"})
        self.assertEqual(raw.headers["Pandora-Session"], "mine")
        self.assert_kept(raw.headers)
        self.assertEqual(self.create(metadata={"session_id": "of-metadata"}).choices[0].message.content, "Hello.")


if __name__ == "__main__":
    unittest.main()
