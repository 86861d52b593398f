"""Several gateways that share a Redis are one to their clients; without it each goes on by itself."""
import http.client
import json
import os
import signal
import tempfile
import threading
import unittest

from gateways_case import GatewaysCase
from redis_server import RedisServer
from served_case import chunk, words
from tools_test import call, calling


class SharedCase(GatewaysCase):
    redis_patience = "20000"  # of a busy machine

    def setUp(self):
        super().setUp()
        self.redis = RedisServer()
        self.addCleanup(self.redis.close)
        self.environment.update({**self.redis.environment(), "REDIS_TIMEOUT_MS": self.redis_patience, "PANDORA_FINDABLE_WAIT_MS": "60000"})
        self.log = tempfile.NamedTemporaryFile(dir=self.home)
        self.addCleanup(self.log.close)
        self.a, self.b = self.gateway("a", self.log, "warn"), self.gateway("b", self.log, "warn")

    def ask_at(self, gateway, *arguments, **more):
        self.at(gateway)
        return self.ask(*arguments, **more)

    def begin(self, gateway, message, session="one"):
        """A streamed answer whose head has come: (connection, response)"""
        connection = http.client.HTTPConnection("127.0.0.1", gateway[1], timeout=self.patience)
        self.addCleanup(connection.close)
        body = {"model": "pandora", "stream": True, "messages": [{"role": "user", "content": message}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json", "Pandora-Session": session})
        return connection, connection.getresponse()

    def read_to(self, response, end):
        text = b""
        while end not in text:
            line = response.readline()
            self.assertTrue(line, text)
            text += line
        return text.decode()

    def ready_of_cache(self, gateway):
        found = self.ask_at(gateway, "/health/ready")[2]
        return [one["state"] for one in found["dependencies"] if one["name"] == "cache"]


class SharedGateways(SharedCase):
    def test_a_conversation_goes_from_gateway_to_gateway_as_through_one(self):
        self.up.script[:] = [words("heard", f" number {turn}") for turn in range(10)]
        for turn in range(10):
            # The next one is said in the moment in which the last one's end is read.
            _, response = self.begin((self.a, self.b)[turn % 2], f"message {turn}")
            self.read_to(response, b"[DONE]")
        self.wait_until(lambda: len(self.rows()) == 10)
        self.assertEqual(self.rows(), [f"message {turn}" for turn in range(10)], "in order")
        self.wait_until(lambda: self.status("a")["outbox"] == 0 and self.status("b")["outbox"] == 0)
        for turn, number in enumerate(self.numbers()):
            shown = self.json("turns", "show", number, "--data", os.path.join(self.home, "a"))["context"]
            self.assertNotIn("not yet findable", shown)
            if turn:
                self.assertIn(f"message {turn - 1}", shown, "each has found what was said just before at the other")

    def test_what_waits_at_one_is_approved_at_the_other(self):
        self.up.script[:] = [calling(call("memory_save", {"content": "Ana likes tea."})), words("Kept."),
                             calling(call("memory_save", {"content": "Ana likes coffee."})), words("Kept.")]
        first = []
        thread = threading.Thread(target=lambda: first.append(self.begin(self.a, "Keep it.")[1].read().decode()))
        thread.start()
        self.wait_until(lambda: self.ask_at(self.b, "/v1/approvals")[2]["approvals"])
        (pending,) = self.ask("/v1/approvals")[2]["approvals"]
        self.assertEqual((pending["tool"], pending["session"]), ("memory_save", "one"))
        self.assertEqual(json.loads(pending["arguments"]), {"content": "Ana likes tea."})
        self.assertEqual(self.ask(f"/v1/approvals/{pending['id']}", {"answer": "session"})[0], 200)
        thread.join()
        self.assertIn("Kept.", first[0])
        self.assertEqual(self.ask_at(self.a, f"/v1/approvals/{pending['id']}", {"answer": "deny"})[0], 404, "it waits no more")
        self.assertIn("Kept.", self.begin(self.b, "And this.")[1].read().decode(), "from now on in this session, here as well")
        self.assertEqual(len(self.json("memory", "list", "--data", os.path.join(self.home, "a"))["memories"]), 2)

    def test_how_far_a_turn_has_come_is_followed_at_the_other(self):
        go_on = threading.Event()

        def held(handler, _):
            handler.stream([chunk({"role": "assistant", "content": "heard"})], done=False)
            go_on.wait(60)
            for event in [chunk({}, "stop")]:
                handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            handler.wfile.write(b"data: [DONE]\n\n")

        self.up.script[:] = [held]
        _, answer = self.begin(self.a, "Take your time.")
        turn = answer.headers["Pandora-Turn"]
        self.wait_until(lambda: self.ask_at(self.b, f"/v1/turns/{turn}/progress")[2].get("stage") == "answering")
        connection = http.client.HTTPConnection("127.0.0.1", self.b[1], timeout=self.patience)
        self.addCleanup(connection.close)
        connection.request("GET", f"/v1/turns/{turn}/progress", headers={"Accept": "text/event-stream"})
        following = connection.getresponse()
        self.assertEqual(following.headers["Content-Type"], "text/event-stream")
        self.assertIn('"answering"', self.read_to(following, b"\n\n"))
        go_on.set()
        self.read_to(answer, b"[DONE]")
        told = [json.loads(line[6:]) for line in following.read().decode().splitlines() if line.startswith("data: ")]
        self.assertEqual((told[-1]["stage"], told[-1]["last"], told[-1]["turn"], told[-1]["session"]), ("findable", True, turn, "one"))
        for gateway in (self.a, self.b):
            self.assertEqual(self.ask_at(gateway, f"/v1/turns/{turn}/progress")[2]["stage"], "findable")
            self.assertEqual(self.ask("/v1/turns/01900000-0000-7000-8000-000000000000/progress")[0], 404)
            self.assertEqual(self.ask("/v1/turns/none/progress")[0], 400)
            self.assertEqual(self.ask(f"/v1/turns/{turn}/progress", {})[0], 405)

    def test_a_session_of_mcp_is_any_gateways(self):
        def rpc(gateway, message, session):
            headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25", "Accept": "application/json, text/event-stream"}
            return self.ask_at(gateway, "/mcp", {"jsonrpc": "2.0", **message}, headers=headers)

        hello = self.ask_at(self.a, "/mcp", {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}})
        session = hello[1]["Mcp-Session-Id"]
        status, _, listed = rpc(self.b, {"id": 1, "method": "tools/list"}, session)
        self.assertEqual(status, 200)
        self.assertIn("memory_save", [tool["name"] for tool in listed["result"]["tools"]])
        answers = []
        saving = {"id": 2, "method": "tools/call", "params": {"name": "memory_save", "arguments": {"content": "Ana likes tea."}}}
        thread = threading.Thread(target=lambda: answers.append(self.rpc_alone(self.a, saving, session)))
        thread.start()
        self.wait_until(lambda: self.ask_at(self.b, "/v1/approvals")[2]["approvals"])
        self.assertEqual(rpc(self.b, {"method": "notifications/cancelled", "params": {"requestId": 2}}, session)[0], 202)
        thread.join()
        self.assertEqual(answers, [b""], "a cancelled request gets no answer")
        self.wait_until(lambda: not self.ask_at(self.b, "/v1/approvals")[2]["approvals"])

    def rpc_alone(self, gateway, message, session):
        connection = http.client.HTTPConnection("127.0.0.1", gateway[1], timeout=self.patience)
        connection.request("POST", "/mcp", json.dumps({"jsonrpc": "2.0", **message}),
                           {"Content-Type": "application/json", "Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"})
        body = connection.getresponse().read()
        connection.close()
        return body

    def test_research_is_read_from_the_redis_and_never_too_old(self):
        finding = {"topic": "trains", "findings": [{"claim": "they go hourly"}]}
        added = self.ask_at(self.a, "/v1/research", finding)[2]["research"]["id"]

        def found(gateway):
            return self.ask_at(gateway, "/v1/research/find", {"topic": "Trains"})[2]["research"]

        for uses, gateway in enumerate((self.b, self.a, self.b), 1):
            (one,) = found(gateway)
            self.assertEqual((one["id"], one["uses"]), (added, uses), "no use of another gateway's is lost")
        self.assertIn("pandora:value:research-topic:", self.redis.ask("KEYS", "*"))
        self.ask_at(self.a, "/v1/research", {"topic": "trains", "findings": [{"claim": "and at night as well"}]})
        self.assertEqual(len(found(self.b)[0]["findings"]), 2, "at once")


class GatewaysWithoutTheirRedis(SharedCase):
    redis_patience = "1000"

    def test_each_goes_on_by_itself_and_says_so(self):
        self.up.script[:] = [words("heard")] * 6 + [calling(call("memory_save", {"content": "Ana likes tea."})), words("Kept.")] * 2
        for how in (signal.SIGKILL, signal.SIGSTOP):
            self.redis.process.send_signal(how)
            for turn in range(3):
                _, response = self.begin((self.a, self.b)[turn % 2], f"message {turn}")
                self.read_to(response, b"[DONE]")
            for name, gateway in (("a", self.a), ("b", self.b)):
                self.wait_until(lambda gateway=gateway: self.ready_of_cache(gateway) == ["degraded"])
                self.assertNotEqual(self.status(name)["cache_error"], "")
            if how == signal.SIGKILL:
                self.redis.process.wait()
                self.redis.start()
            else:
                self.redis.process.send_signal(signal.SIGCONT)
            for gateway in (self.a, self.b):
                self.wait_until(lambda gateway=gateway: self.ready_of_cache(gateway) == ["ready"])
        self.wait_until(lambda: len(self.rows()) == 6)
        thread = threading.Thread(target=lambda: self.begin(self.a, "Keep it.")[1].read())
        thread.start()
        self.wait_until(lambda: self.ask_at(self.b, "/v1/approvals")[2]["approvals"])
        self.assertEqual(self.ask(f"/v1/approvals/{self.ask('/v1/approvals')[2]['approvals'][0]['id']}", {"answer": "deny"})[0], 200, "they share again")
        thread.join()
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            text = log.read()
        # Said when it begins and when it ends; on a busy machine a server may seem to be away once more.
        self.assertGreaterEqual(text.count("cache.alone"), 4, text)
        self.assertEqual(text.count("cache.shared_again"), text.count("cache.alone"), text)


if __name__ == "__main__":
    unittest.main()
