"""The Gateway, as its clients see it: what is passed on, what is remembered, how bad input ends."""
import json
import signal
import socket
import threading
import unittest

from pandora_case import PandoraCase
from served_case import USAGE, ServedCase, chunk, whole, words

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
CALL = {"id": "call-abc", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Lisbon"}'}}


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
        self.assertEqual(head["Pandora-Acknowledged"], "true")
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
            self.assertEqual(head["Pandora-Acknowledged"], {"read": "false", "write": "true"}.get(how))
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
        self.assertEqual((head2["Pandora-Turn"], head2["Pandora-Acknowledged"]), (head["Pandora-Turn"], "true"))
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
        self.chat("Good morning to you.", tools=[], tool_choice="auto")
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
        self.assertEqual((status, head["Pandora-Acknowledged"]), (200, "true"))
        self.assertIn("“I am allergic to peanuts.”", body["choices"][0]["message"]["content"])
        self.assertEqual(body["usage"], {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
        _, events, turn = self.stream("Which peanuts must I avoid?", {"Pandora-Session": "later"})
        self.assertIn("“I am allergic to peanuts.”", said(events))
        self.assertEqual((events[-1], events[-2]["choices"][0]["finish_reason"], turn["acknowledged"]), ("[DONE]", "stop", True))
        self.assertEqual(self.chat("Hello?", {"Pandora-Memory": "off"})[0], 503)


class Failures(ServedCase):
    def test_a_refusal_keeps_status_code_and_retry_after_and_the_message_is_saved(self):
        up = self.upstream()
        self.serve()
        for number, status in enumerate((400, 401, 403, 404, 413, 429, 500, 503), 1):
            body = json.dumps({"error": {"message": f"no {status}", "type": "a_type", "code": f"code_{status}"}}).encode()
            up.then((status, body, {"Retry-After": "17"}))
            got, head, answer = self.chat(f"This is question {status}, please.")
            self.assertEqual((got, answer["error"]["code"], answer["error"]["type"]), (status, f"code_{status}", "a_type"))
            self.assertIn(f"no {status}", answer["error"]["message"])
            self.assertEqual(head["Retry-After"], "17")
            self.assertEqual(len(up.asked), number, "who asks knows best when to try again")
        self.assertEqual({t["status"] for t in self.turns()}, {"failed"})
        self.assertEqual(len(self.turns()), 8)

    def test_a_page_where_an_answer_should_be_is_a_clear_error_or_a_degraded_answer(self):
        up = self.upstream((502, b"<html><title>Bad Gateway</title></html>", {"Content-Type": "text/html"}))
        self.serve()
        status, _, body = self.chat("Which nuts should I avoid?")
        self.assertEqual(status, 502)
        self.assertIn("Bad Gateway", body["error"]["message"])
        up.then(*[(200, b"<html><title>Welcome</title></html>", {"Content-Type": "text/html"})] * 3)
        status, _, body = self.chat("Which nuts must I avoid?")
        self.assertEqual(status, 200)
        self.assertIn("Welcome", body["choices"][0]["message"]["content"], "it says why no model answered")

    def test_a_server_that_is_gone_leaves_what_was_found(self):
        up = self.upstream()
        self.serve()
        up.close()
        status, head, body = self.chat("I am allergic to peanuts.")
        self.assertEqual((status, head["Pandora-Acknowledged"]), (200, "true"))
        status, _, body = self.chat("Hello there to you.", tools=[TOOL])
        self.assertEqual((status, body["error"]["type"]), (503, "server_error"), "quotes are no answer to a request with tools")

    def test_a_server_that_hangs_before_the_first_byte(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.upstream(*[lambda handler, _: release.wait(30)] * 3)
        self.serve(PANDORA_MODEL_FIRST_TOKEN_MS="300", PANDORA_MODEL_ATTEMPTS="1")
        status, head, body = self.chat("Which nuts should I avoid?")
        self.assertEqual((status, head["Pandora-Acknowledged"]), (200, "true"))
        self.assertIn("did not answer", body["choices"][0]["message"]["content"])

    def test_a_server_that_breaks_off_in_the_middle(self):
        release = threading.Event()
        self.addCleanup(release.set)
        hang = lambda handler, _: (handler.stream(words("Pea")[:2], done=False), handler.wfile.flush(), release.wait(30))
        cut = lambda handler, _: handler.stream(words("Pea")[:2], done=False)
        broken = [*words("Pea")[:2], b"data: {\"choices\": [\n\n"]
        self.upstream(cut, broken, hang)
        self.serve(PANDORA_MODEL_IDLE_MS="300")
        for i in range(3):
            _, events, turn = self.stream(f"Which nuts should I avoid, number {i}?")
            self.assertIn("error", events[-1])
            self.assertNotEqual(events[-1], "[DONE]")
            self.assertEqual((turn["ending"], turn["acknowledged"]), ("failed", True))
        turns = self.turns()
        self.assertEqual([(t["status"], t["reply"]["text"]) for t in turns], [("failed", "Pea")] * 3)

    def test_a_client_that_leaves_cancels_the_model_and_what_was_said_is_kept(self):
        gone = threading.Event()

        def talk(handler, _):
            try:
                handler.stream([chunk({"content": "Pea"})], done=False)
                while True:
                    handler.wfile.write(b": still there\n\n")
                    gone.wait(0.01)
            except OSError:
                gone.set()
        self.upstream(talk)
        self.serve()
        client = socket.create_connection(("127.0.0.1", self.port))
        body = json.dumps({"model": "pandora", "stream": True, "messages": [{"role": "user", "content": "Which nuts should I avoid?"}]}).encode()
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        received = b""
        while b"Pea" not in received:
            received += client.recv(4096)
        client.close()
        self.assertTrue(gone.wait(20), "the model was not cancelled")
        self.end()
        turn = self.turns()[0]
        self.assertEqual((turn["status"], turn["reply"]["text"]), ("cancelled", "Pea"))

    def test_an_end_lets_an_answer_under_way_finish(self):
        begun, go = threading.Event(), threading.Event()

        def slow(handler, _):
            begun.set()
            go.wait(20)
            handler.answer(200, json.dumps(whole("At last.")).encode())
        self.upstream(slow)
        self.serve()
        answers = []
        asking = threading.Thread(target=lambda: answers.append(self.chat("Which nuts should I avoid?")))
        asking.start()
        self.assertTrue(begun.wait(20))
        self.process.send_signal(signal.SIGTERM)
        go.set()
        asking.join(30)
        self.assertEqual(answers[0][2]["choices"][0]["message"]["content"], "At last.")
        self.assertEqual((self.process.wait(30), self.process.stderr.read()), (0, b""))


class BadInput(ServedCase):
    def raw(self, request):
        client = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece
        client.close()
        return received

    def test_a_body_cut_at_every_byte_is_a_clear_error(self):
        self.serve()
        body = b'{"model":"pandora","messages":[{"role":"user","content":"h\xc3\xa9llo"}],"stream":false,"n":1.5e0}'
        for cut in range(len(body)):
            status, head, answer = self.ask("/v1/chat/completions", raw=body[:cut])
            self.assertEqual(status, 400, (cut, answer))
            self.assertEqual(answer["error"]["type"], "invalid_request_error")
            self.assertTrue(head["X-Request-Id"])
        self.assertEqual(self.turns(), [])

    def test_a_body_of_the_maximum_is_taken_and_a_byte_more_is_not(self):
        self.serve("--set", "gateway.body_bytes=2048")
        for extra, status in ((0, 200), (1, 413)):
            body = json.dumps({"model": "pandora", "messages": [{"role": "user", "content": "The shed is blue."}], "padding": ""}).encode()
            body = body[:-2] + b"x" * (2048 + extra - len(body)) + b'"}'
            got, _, answer = self.ask("/v1/chat/completions", raw=body)
            self.assertEqual((got, status == 200 or "error" in answer), (status, True), answer)

    def test_requests_that_make_no_sense_say_where(self):
        self.serve()
        for body, place in (({"messages": []}, "messages"), ({"model": "pandora"}, "messages"), ({"messages": [{"content": "x"}]}, "messages[0].role"),
                            ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"), ({"messages": "x"}, "messages"), ([], "object"),
                            ({"model": 5, "messages": [{"role": "user", "content": "x"}]}, "model"), ({"messages": [{"role": "user", "content": "x"}], "stream": "yes"}, "stream")):
            status, _, answer = self.ask("/v1/chat/completions", body)
            self.assertEqual(status, 400, body)
            self.assertIn(place, answer["error"]["message"])

    def test_unknown_routes_and_methods_have_openais_shape_and_a_request_id(self):
        self.serve()
        status, head, answer = self.ask("/v1/nothing")
        self.assertEqual((status, answer["error"]["type"]), (404, "not_found_error"))
        self.assertTrue(head["X-Request-Id"])
        status, head, answer = self.ask("/v1/chat/completions", method="GET")
        self.assertEqual((status, head["Allow"], answer["error"]["code"]), (405, "POST", "method_not_allowed"))
        self.assertEqual(self.ask("/v1/models", {}, method="POST")[0], 405)

    def test_no_web_page_can_drive_it(self):
        self.serve()
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            status, _, answer = self.ask("/v1/models", headers=headers)
            self.assertEqual((status, answer["error"]["type"]), (403, "permission_error"), headers)
        self.assertEqual(self.ask("/v1/models", headers={"Host": "localhost:1", "Origin": "http://localhost:1"})[0], 200)

    def test_it_does_not_listen_beyond_this_machine_without_keys(self):
        self.assert_one_clear_line(self.run_pandora("serve", "--set", "gateway.address=0.0.0.0", "--set", "gateway.port=0", code=5), "keys")

    def test_a_port_that_is_taken_is_one_clear_line(self):
        self.serve()
        self.assert_one_clear_line(self.run_pandora("serve", "--set", f"gateway.port={self.port}", "--data", self.home + "/other", code=4), str(self.port))


class Others(ServedCase):
    def test_health(self):
        up = self.upstream()
        self.serve()
        self.assertEqual(self.ask("/health/live")[::2], (200, {"status": "live"}))
        status, _, ready = self.ask("/health/ready")
        self.assertEqual((status, ready["status"]), (200, "ready"))
        self.assertEqual([d["name"].split()[0] for d in ready["dependencies"]], ["stores", "encoder", "model"])
        self.assertTrue(all(d["state"] == "ready" and d["latency_ms"] >= 0 for d in ready["dependencies"]))
        up.close()
        status, _, ready = self.ask("/health/ready")
        self.assertEqual((status, ready["status"], ready["dependencies"][2]["state"]), (200, "degraded", "degraded"))
        self.assertIn(up.url, ready["dependencies"][2]["detail"])

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


if __name__ == "__main__":
    unittest.main()
