"""How bad input and a bad model server end at the Gateway: a clear error, or a degraded answer that says so."""
import json
import signal
import socket
import threading
import unittest

from served_case import TOOL, ServedCase, chunk, whole, words


class Failures(ServedCase):
    def test_a_refusal_keeps_status_code_and_retry_after_and_the_message_is_saved(self):
        up = self.upstream()
        self.serve()
        for number, status in enumerate((400, 401, 403, 404, 413, 429, 500, 503), 1):
            body = json.dumps({"error": {"message": f"no {status}", "type": "a_type", "code": f"code_{status}"}}).encode()
            up.then((status, body, {"Retry-After": "17"}))
            got, head, answer = self.chat(f"This is question {status}, please.", headers={"Pandora-Tools": "off"})
            self.assertEqual((got, answer["error"]["code"], answer["error"]["type"]), (status, f"code_{status}", "a_type"))
            self.assertIn(f"no {status}", answer["error"]["message"])
            self.assertEqual(head["Retry-After"], "17")
            self.assertEqual(len(up.asked), number, "who asks knows best when to try again")
        self.wait_until(lambda: len(self.turns()) == 8)  # a refusal goes out before its turn is saved
        self.assertEqual({t["status"] for t in self.turns()}, {"failed"})

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
        self.assertEqual(status, 200)
        self.assert_kept(head)
        status, _, body = self.chat("Hello there to you.", tools=[TOOL])
        self.assertEqual((status, body["error"]["type"]), (503, "server_error"), "quotes are no answer to a request with tools")

    def test_a_server_that_hangs_before_the_first_byte(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.upstream(*[lambda handler, _: release.wait(30)] * 3)
        self.serve(PANDORA_MODEL_FIRST_TOKEN_MS="300", PANDORA_MODEL_ATTEMPTS="1")
        status, head, body = self.chat("Which nuts should I avoid?")
        self.assertEqual(status, 200)
        self.assert_kept(head)
        self.assertIn("did not answer", body["choices"][0]["message"]["content"])

    def test_a_server_that_breaks_off_in_the_middle(self):
        release = threading.Event()
        self.addCleanup(release.set)
        hang = lambda handler, _: (handler.stream(words("Pea")[:2], done=False), handler.wfile.flush(), release.wait(30))
        cut = lambda handler, _: handler.stream(words("Pea")[:2], done=False)
        broken = [*words("Pea")[:2], b"data: {\"choices\": [\n\n"]
        self.upstream(cut, broken, hang)
        self.serve(PANDORA_MODEL_IDLE_MS="1500")
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

    def test_every_log_line_of_a_request_names_it(self):
        up = self.upstream((500, b"{}", {}), whole("Noted."), models=("first-model",))
        self.serve("--log-level", "debug", "--log-format", "json")
        before = [{"X-Request-Id": f"mine-{i}"} for i in range(3)]
        self.chat("I am allergic to peanuts.", before[0])
        self.ask("/v1/turns/77", headers=before[1])
        self.ask("/v1/chat/completions", raw=b"{", headers=before[2])
        self.settle()
        lines = [json.loads(line) for line in self.end()[1].splitlines() if line.startswith("{")]
        named = [(line["event"], line["request"]) for line in lines if "request" in line]
        self.assertIn(("model.attempt_failed", "mine-0"), named)
        self.assertIn(("chat.finished", "mine-0"), named)
        caused = [line for line in lines if line["event"].split(".")[0] in ("http", "chat", "turn", "model", "recall", "memory")]
        self.assertEqual([line for line in caused if line.get("request") not in ("mine-0", "mine-1", "mine-2")], [])
        self.assertEqual({headers["X-Request-Id"] for headers in up.headers}, {"mine-0"})

    def test_it_does_not_listen_beyond_this_machine_without_keys(self):
        self.assert_one_clear_line(self.run_pandora("serve", "--set", "gateway.address=0.0.0.0", "--set", "gateway.port=0", code=5), "keys")

    def test_a_port_that_is_taken_is_one_clear_line(self):
        self.serve()
        self.assert_one_clear_line(self.run_pandora("serve", "--set", f"gateway.port={self.port}", "--data", self.home + "/other", code=4), str(self.port))


if __name__ == "__main__":
    unittest.main()
