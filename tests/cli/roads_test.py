"""The roads to every server: names that nobody answers for, and bytes that come a few at a time. What can be answered is, and nothing said is lost."""
import os
import signal
import unittest

import name_server
from gateways_case import GatewaysCase
from redis_server import RedisServer
from s3_server import S3Server, is_here
from tcp_gate import TcpGate


class Roads(GatewaysCase):
    """A gateway with everything on servers, each of them behind a gate."""

    def setUp(self):
        super().setUp()
        self.redis = RedisServer()
        self.addCleanup(self.redis.close)
        self.environment.update(self.redis.environment())
        self.gates = {"rows": self.gate(self.server.port), "points": self.gate(int(self.environment["QDRANT_URL"].rsplit(":", 1)[1])), "cache": self.gate(self.redis.port)}
        self.environment.update({"POSTGRES_HOST": self.named("rows"), "POSTGRES_PORT": str(self.gates["rows"].port),
                                 "QDRANT_URL": f"http://{self.named('points')}:{self.gates['points'].port}",
                                 "REDIS_HOST": self.named("cache"), "REDIS_PORT": str(self.gates["cache"].port)})
        if is_here():
            s3 = S3Server()
            self.addCleanup(s3.close)
            self.gates["documents"] = self.gate(s3.port)
            self.environment.update({**s3.environment(), "S3_ENDPOINT": f"http://{self.named('documents')}:{self.gates['documents'].port}",
                                     "PANDORA_DOCUMENTS_STORE": "s3"})
            del self.environment["PANDORA_DOCUMENTS"], self.environment["PANDORA_OBJECTS"]
        self.said = []

    def named(self, server):
        return "127.0.0.1"

    def gate(self, port):
        gate = TcpGate(port)
        self.addCleanup(gate.close)
        return gate

    def say_at(self, gateway, count):
        for _ in range(count):
            self.said.append(f"fact number {len(self.said)}")
            self.tell(gateway, self.said[-1])

    def named_by_health(self):
        return {one["name"]: str(one["detail"]) for one in self.ask("/health/ready")[2]["dependencies"]}

    def assert_all_kept(self):
        self.wait_until(lambda: len(self.rows()) >= len(self.said), 300)
        self.assertEqual(self.rows(), self.said, "all of them, once, in order")
        self.wait_until(lambda: self.status("a")["outbox"] == 0, 300)
        self.assertEqual(self.json("reconcile", "--data", os.path.join(self.home, "a"))["differences"], [])


class SlowRoads(Roads):
    def test_of_a_server_that_is_read_a_few_bytes_at_a_time_what_is_there_in_time_is_used(self):
        a = self.gateway("a")
        self.say_at(a, 1)
        for gate in self.gates.values():
            gate.slow = True
            self.say_at(a, 2)
            gate.release()
        self.assert_all_kept()
        for gate in self.gates.values():
            gate.slow = True
        self.say_at(a, 1)
        a[0].send_signal(signal.SIGTERM)
        self.assertEqual(a[0].wait(60), 0)
        for gate in self.gates.values():
            gate.release()
        self.gateway("a")
        self.assert_all_kept()


@unittest.skipUnless(name_server.can_be(), "needs root and a mount namespace, for a server of names of its own")
class NamesThatHang(Roads):
    # On loopback alone it answers to loopback's own names.
    points_settings = ("--set", "vectors.address=0.0.0.0", "--set", "vectors.api_key=key")

    def setUp(self):
        self.names = name_server.NameServer()
        self.addCleanup(self.names.close)
        super().setUp()
        self.environment.update({"QDRANT_API_KEY": "key", "QDRANT_TIMEOUT_MS": "2000", "S3_TIMEOUT_MS": "2000"})

    def named(self, server):
        return f"{server}.pandora.test"

    def hang(self):
        self.names.hangs = True
        for gate in self.gates.values():
            gate.cut()  # whoever goes on must connect anew

    def test_a_server_of_names_that_says_nothing_holds_up_neither_an_answer_nor_the_end(self):
        a = self.gateway("a")
        self.say_at(a, 1)
        self.assertGreater(self.names.asked, 0)
        self.hang()
        self.say_at(a, 2)
        for name in ("stores", "index", "cache"):
            self.wait_until(lambda name=name: "not found in time" in self.named_by_health()[name])
        self.assertIn("not found in time", str(self.status("a")["rows_error"]))
        self.names.hangs = False
        self.assert_all_kept()  # by itself
        self.hang()
        self.say_at(a, 1)
        a[0].send_signal(signal.SIGTERM)
        self.assertEqual(a[0].wait(60), 0)  # the resolver would take 150 s
        self.names.hangs = False
        self.gateway("a")
        self.assert_all_kept()


if __name__ == "__main__":
    name_server.enter()
    unittest.main()
