"""The Gateway, as its clients see it: what is passed on, and what is remembered."""
import unittest

from served_case import CALL, TOOL, USAGE, ServedCase, chunk, whole, words


def said(events):
    return "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e != "[DONE]" and e["choices"])


class Chat(ServedCase):
    def test_a_whole_answer_comes_as_the_server_gave_it_and_names_its_turn(self):
        up = self.upstream(whole("Noted.", system_fingerprint="fp-1"))
        self.serve()
        status, head, body = self.chat("I am allergic to peanuts.", seed=7, a_field_of_tomorrow={"x": [1, None]})
        self.assertEqual((status, body["choices"][0]["message"]["content"]), (200, "Noted."))
        self.assertEqual((body["usage"], body["system_fingerprint"]), (USAGE, "fp-1"))
        asked = up.asked[0]
        self.assertEqual((asked["seed"], asked["a_field_of_tomorrow"]), (7, {"x": [1, None]}), "unknown fields are forwarded untouched")
        self.assertEqual(asked["model"], "first-model")
        self.assertEqual(asked["messages"][-1], {"role": "user", "content": "I am allergic to peanuts."})
        self.assert_kept(head)
        self.assertTrue(head["X-Request-Id"])
        self.assertEqual(up.headers[0]["X-Request-Id"], head["X-Request-Id"], "one name in both logs")
        turns = self.turns()
        self.assertEqual([(t["uid"], t["session"]) for t in turns], [(head["Pandora-Turn"], head["Pandora-Session"])])
        receipts = self.json("recalls", "list")["recalls"]
        self.assertIn(head["Pandora-Receipt"], [receipt["id"] for receipt in receipts])

    def test_a_stream_ends_with_usage_then_done_then_the_turn(self):
        self.upstream(words("Pea", "nuts."), words("Hello."))
        self.serve()
        head, events, turn = self.stream("What should I avoid eating?", stream_options={"include_usage": True})
        self.assertEqual(head["Content-Type"], "text/event-stream")
        self.assertEqual(said(events), "Peanuts.")
        self.assertEqual((events[-1], events[-2]["choices"], events[-2]["usage"]), ("[DONE]", [], USAGE))
        self.assertEqual([e for e in events[:-2] if "usage" in e], [])
        self.assertEqual(turn["turn"], head["Pandora-Turn"])
        self.assertEqual((turn["acknowledged"], turn["receipt"]), (True, head["Pandora-Receipt"]))
        _, events, _ = self.stream("Hello there to you.")
        self.assertEqual([e for e in events if e != "[DONE]" and (not e["choices"] or "usage" in e)], [], "nobody asked for it")

    def test_what_one_client_was_told_another_finds(self):
        up = self.upstream(whole("Noted."), whole("No nuts."))
        self.serve()
        self.chat("I am allergic to peanuts.")
        self.settle()
        self.chat("Which peanuts should I avoid?", {"Pandora-Session": "another"})
        system = up.asked[1]["messages"][0]
        self.assertEqual(system["role"], "system")
        self.assertIn("I am allergic to peanuts.", system["content"])

    def test_memory_stands_behind_the_clients_own_system_prompt(self):
        up = self.upstream(whole("Noted."), whole("No nuts."), whole("Indeed."))
        self.serve()
        self.chat("I am allergic to peanuts.")
        self.settle()
        question = {"role": "user", "content": "Which peanuts should I avoid?"}
        self.chat([{"role": "system", "content": "Speak like a pirate."}, question])
        self.assertEqual([m["role"] for m in up.asked[1]["messages"]], ["system", "user"])
        self.assertTrue(up.asked[1]["messages"][0]["content"].startswith("Speak like a pirate."))
        self.assertIn("allergic to peanuts", up.asked[1]["messages"][0]["content"])
        self.assertNotIn("You are Pandora", up.asked[1]["messages"][0]["content"])
        parts = [{"type": "text", "text": "Speak like a pirate."}]
        self.chat([{"role": "developer", "content": parts}, {"role": "user", "content": "Which peanuts are bad for me then?"}])
        self.assertEqual([p["type"] for p in up.asked[2]["messages"][0]["content"]], ["text", "text"])

    def test_what_the_request_holds_is_not_recalled_again(self):
        up = self.upstream(whole("Noted."), whole("No nuts."))
        self.serve()
        first = {"role": "user", "content": "I am allergic to peanuts."}
        self.chat([first])
        self.chat([first, {"role": "assistant", "content": "Noted."}, {"role": "user", "content": "Which peanuts should I avoid?"}])
        self.assertEqual(str(up.asked[1]["messages"]).count("allergic to peanuts"), 1)
        sessions = {turn["session"] for turn in self.turns()}
        self.assertEqual(len(sessions), 1, "a client that sends no id continues its session")

    def test_the_session_is_the_headers_then_the_metadatas_then_the_users(self):
        self.upstream(*[whole("Hello.") for _ in range(4)])
        self.serve()
        more = {"metadata": {"session_id": "of-metadata"}, "user": "of-user"}
        self.assertEqual(self.chat("Good morning to you.", {"Pandora-Session": "of-header"}, **more)[1]["Pandora-Session"], "of-header")
        self.assertEqual(self.chat("Good morning to you.", **more)[1]["Pandora-Session"], "of-metadata")
        self.assertEqual(self.chat("Good morning to you.", user="of-user")[1]["Pandora-Session"], "of-user")
        self.assertRegex(self.chat("Good morning to you.", user="ana@example.org")[1]["Pandora-Session"], "^h[0-9a-f]{32}$")
        status, _, body = self.chat("Good morning.", {"Pandora-Session": "no/name"})
        self.assertEqual((status, body["error"]["code"]), (400, "invalid_argument"))

    def test_the_header_sets_what_memory_does(self):
        up = self.upstream(*[whole("Very well.") for _ in range(5)])
        self.serve()
        self.chat("I am allergic to peanuts.")
        self.settle()
        question = "Which peanuts should I avoid?"
        shown = lambda: "allergic to peanuts" in str(up.asked[-1]["messages"])
        count = lambda: len(self.turns())
        for how, is_shown, turns in (("read", True, 1), ("off", False, 1), ("write", False, 2)):
            _, head, _ = self.chat(question, {"Pandora-Memory": how})
            self.assertEqual((how, shown(), count()), (how, is_shown, turns))
            self.assertIn(head["Pandora-Acknowledged"], {"read": ("false", "pending"), "write": ("true", "pending"), "off": (None,)}[how])
        self.assertEqual(self.chat(question, {"Pandora-Memory": "perhaps"})[0], 400)

    def test_tools_of_the_client_are_called_by_it_and_their_results_go_on_with_the_turn(self):
        up = self.upstream(whole(tool_calls=[CALL]), whole("It is sunny."))
        self.serve()
        user = {"role": "user", "content": "What is the weather in Lisbon today?"}
        choice = {"type": "function", "function": {"name": "get_weather"}}
        _, head, body = self.chat([user], tools=[TOOL], tool_choice=choice)
        self.assertEqual(body["choices"][0]["message"]["tool_calls"], [CALL])
        self.assertEqual(body["choices"][0]["finish_reason"], "tool_calls")
        self.assertEqual((up.asked[0]["tools"], up.asked[0]["tool_choice"]), ([TOOL], choice))
        self.assertEqual(self.turns(), [], "it is not over")
        result = {"role": "tool", "tool_call_id": "call-abc", "content": "sunny, 24 degrees"}
        _, head2, body = self.chat([user, body["choices"][0]["message"], result], tools=[TOOL])
        self.assertEqual(body["choices"][0]["message"]["content"], "It is sunny.")
        self.assertEqual(head2["Pandora-Turn"], head["Pandora-Turn"])
        self.assert_kept(head2)
        self.assertEqual(up.asked[1]["messages"][-1], result)
        turns = self.turns()
        self.assertEqual([(t["message"]["text"], t["reply"]["text"]) for t in turns], [(user["content"], "It is sunny.")])
        context = self.json("turns", "show", str(turns[0]["number"]))["context"]
        self.assertIn("get_weather", context)
        self.assertIn("sunny, 24 degrees", context)

    def test_the_calls_of_a_stream_are_put_right(self):
        bare = [chunk({"tool_calls": [{"function": {"name": "get_weather", "arguments": ""}}]}), chunk({"tool_calls": [{"function": {"arguments": "{}"}}]}), chunk({}, "stop")]
        self.upstream(bare)
        self.serve()
        _, events, turn = self.stream("What is the weather in Lisbon today?", tools=[TOOL])
        calls = [c for e in events if e != "[DONE]" for c in e["choices"][0]["delta"].get("tool_calls", [])]
        self.assertEqual([c["index"] for c in calls], [0, 0])
        self.assertEqual((calls[0]["type"], events[-2]["choices"][0]["finish_reason"], turn["ending"]), ("function", "tool_calls", "tool_calls"))

    def test_images_and_formats_are_passed_on(self):
        up = self.upstream(whole("A cat."))
        self.serve()
        content = [{"type": "text", "text": "What do you see in this picture?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
        self.chat([{"role": "user", "content": content}], response_format=form)
        self.assertEqual((up.asked[0]["messages"][-1]["content"], up.asked[0]["response_format"]), (content, form))
        self.assertEqual(self.turns()[0]["message"]["text"], "What do you see in this picture?\n[image]")

    def test_an_empty_list_of_tools_is_not_sent(self):
        up = self.upstream(whole("Hello."))
        self.serve()
        self.chat("Good morning to you.", headers={"Pandora-Tools": "off"}, tools=[], tool_choice="auto")
        self.assertNotIn("tools", up.asked[0])
        self.assertNotIn("tool_choice", up.asked[0])

    def test_a_servers_own_model_is_asked_by_its_name_and_an_unknown_one_is_not_found(self):
        up = self.upstream(whole("Hello."))
        self.serve()
        self.assertEqual(self.chat("Good morning to you.", model="second-model")[0], 200)
        self.assertEqual(up.asked[0]["model"], "second-model")
        self.assertNotIn("temperature", up.asked[0], "it gets what the client says, and nothing of ours")
        status, _, body = self.chat("Good morning to you.", model="no-such-model")
        self.assertEqual((status, body["error"]["code"]), (404, "model_not_found"))
        self.assertEqual(len(up.asked), 1)
        models = self.ask("/v1/models")[2]
        self.assertEqual([m["id"] for m in models["data"]], ["pandora", "hashing", "first-model", "second-model"])
        self.assertEqual(self.ask("/v1/models/second-model")[2]["object"], "model")
        self.assertEqual(self.ask("/v1/models/none")[0], 404)

    def test_without_a_model_it_answers_with_what_it_finds(self):
        self.serve()
        self.chat("I am allergic to peanuts.")
        self.settle()
        status, head, body = self.chat("Which peanuts should I avoid?", {"Pandora-Session": "tomorrow"})
        self.assertEqual(status, 200)
        self.assert_kept(head)
        self.assertIn("“I am allergic to peanuts.”", body["choices"][0]["message"]["content"])
        self.assertEqual(body["usage"], {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
        _, events, turn = self.stream("Which peanuts must I avoid?", {"Pandora-Session": "later"})
        self.assertIn("“I am allergic to peanuts.”", said(events))
        self.assertEqual((events[-1], events[-2]["choices"][0]["finish_reason"], turn["acknowledged"]), ("[DONE]", "stop", True))
        self.assertEqual(self.chat("Hello?", {"Pandora-Memory": "off"})[0], 503)


class Others(ServedCase):
    def test_health(self):
        up = self.upstream()
        self.serve()
        self.assertEqual(self.ask("/health/live")[::2], (200, {"status": "live"}))
        status, _, ready = self.ask("/health/ready")
        self.assertEqual((status, ready["status"]), (200, "ready"))
        self.assertEqual([d["name"].split()[0] for d in ready["dependencies"]], ["stores", "index", "encoder", "model"])
        self.assertTrue(all(d["state"] == "ready" and d["latency_ms"] >= 0 for d in ready["dependencies"]))
        up.close()
        self.wait_until(lambda: self.ask("/health/ready")[2]["status"] == "degraded")  # looked at once a second
        status, _, ready = self.ask("/health/ready")
        self.assertEqual((status, ready["status"], ready["dependencies"][3]["state"]), (200, "degraded", "degraded"))
        self.assertIn(up.url, ready["dependencies"][3]["detail"])

    def test_embeddings_in_both_encodings(self):
        import base64
        import struct
        self.serve()
        plain = self.ask("/v1/embeddings", {"model": "pandora", "input": ["a cat", "a dog"]})[2]
        self.assertEqual([d["index"] for d in plain["data"]], [0, 1])
        self.assertEqual(len(plain["data"][0]["embedding"]), 384)
        packed = self.ask("/v1/embeddings", {"model": "hashing", "input": "a cat", "encoding_format": "base64"})[2]
        floats = struct.unpack("<384f", base64.b64decode(packed["data"][0]["embedding"]))
        for a, b in zip(floats, plain["data"][0]["embedding"]):
            self.assertAlmostEqual(a, b, places=6)
        self.assertEqual(plain["usage"]["prompt_tokens"], plain["usage"]["total_tokens"])
        for bad in ({"input": []}, {"input": [[1, 2]]}, {}, {"input": "x", "encoding_format": "hex"}, {"input": "x", "dimensions": 3}):
            self.assertEqual(self.ask("/v1/embeddings", bad)[0], 400, bad)
        self.assertEqual(self.ask("/v1/embeddings", {"model": "none", "input": "x"})[2]["error"]["code"], "model_not_found")

    def test_a_conversation_and_the_server_share_one_memory(self):
        self.serve()
        self.say("The blue bicycle stands behind the shed.")
        self.settle()
        self.assertIn("behind the shed", self.chat("Where is the blue bicycle?")[2]["choices"][0]["message"]["content"])
        self.assertEqual(len(self.turns()), 2)


class Remembered(ServedCase):
    def test_what_is_remembered_can_be_seen_and_changed(self):
        self.serve()
        self.chat("The blue bicycle stands behind the shed.", {"Pandora-Session": "mine"})
        self.settle()
        turns = self.ask("/v1/turns?session=mine&limit=5")[2]["turns"]
        self.assertEqual([t["message"]["text"] for t in turns], ["The blue bicycle stands behind the shed."])
        number = turns[0]["number"]
        self.assertEqual(self.ask(f"/v1/turns/{number}")[2]["turn"]["uid"], turns[0]["uid"])
        self.assertIn("blue bicycle", str(self.ask("/v1/turns/search", {"query": "Where is the bicycle?"})[2]))
        self.assertEqual([s["session"] for s in self.ask("/v1/sessions")[2]["sessions"]], ["mine"])
        memory = self.ask("/v1/memories", {"content": "My name is Ana."})[2]["memory"]
        self.assertIn(memory["id"], [m["id"] for m in self.ask("/v1/memories")[2]["memories"]])
        self.assertEqual(self.ask(f"/v1/memories/{memory['id']}", method="DELETE")[0], 200)
        self.assertEqual(self.ask("/v1/memories")[2]["memories"], [])
        receipt = self.ask("/v1/recalls")[2]["recalls"][0]["id"]
        self.assertEqual(self.ask(f"/v1/recalls/{receipt}")[0], 200)
        self.assertEqual(self.ask(f"/v1/recalls/{receipt}/replay", method="POST")[0], 200)
        self.assertEqual(self.ask("/v1/research", {"topic": "bicycles", "findings": [{"claim": "they have two wheels"}]})[0], 200)
        self.assertEqual(len(self.ask("/v1/research")[2]["research"]), 1)
        self.assertEqual(self.ask("/v1/sources/example.com/block", method="POST")[0], 200)
        self.assertEqual([s["domain"] for s in self.ask("/v1/sources")[2]["sources"]], ["example.com"])
        self.assertIn("phases", self.ask("/v1/stats")[2])
        self.assertEqual(self.ask(f"/v1/turns/{number}", method="DELETE")[0], 200)
        self.assertEqual(self.ask(f"/v1/turns/{number}")[2]["error"]["code"], "not_found")

    def test_what_makes_no_sense_there_is_refused_by_name(self):
        self.serve()
        for path, body, word in (("/v1/turns?limit=0", None, "limit"), ("/v1/turns?colour=red", None, "colour"), ("/v1/turns/x", None, "number"),
                                 ("/v1/memories", {}, "content"), ("/v1/memories", {"content": "x", "colour": "red"}, "colour"), ("/v1/turns/%ff", None, "number")):
            status, _, answer = self.ask(path, body)
            self.assertEqual(status, 400, (path, answer))
            self.assertIn(word, answer["error"]["message"])
        status, head, answer = self.ask("/v1/turns", method="PUT")
        self.assertEqual((status, head["Allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.ask("/v1/sources/none.example")[0], 404)

    def test_the_description_is_served(self):
        self.serve()
        status, head, text = self.ask("/openapi.yaml")
        self.assertEqual((status, head["Content-Type"]), (200, "application/yaml"))
        self.assertTrue(text.startswith("openapi: 3.1.0"))


if __name__ == "__main__":
    unittest.main()
