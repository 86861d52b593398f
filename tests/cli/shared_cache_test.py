"""Limits in a Redis, by configuration alone: shared by several Gateways, and by each alone while it is away."""
import concurrent.futures
import http.client
import os
import signal
import time
import unittest

from pandora_case import PandoraCase
from postgres_server import PostgresServer
from redis_server import RedisServer
from served_case import ServedCase


class Shared(unittest.TestCase):
    def use_redis(self, *settings):
        self.redis = RedisServer(*settings)
        self.addCleanup(self.redis.close)
        self.environment.update(self.redis.environment())


class SharedCacheSettings(PandoraCase, Shared):
    def test_configuration_is_checked_by_connecting(self):
        self.use_redis("requirepass right")
        self.assertIn("cache.store: Redis 7.", self.out("config", "--check", REDIS_PASSWORD="right"))
        found = self.json("config", "--check", REDIS_PASSWORD="right")["checks"]
        self.assertEqual([one["setting"] for one in found if one["ok"]], ["rows.store", "points.store", "objects.store", "documents.store", "cache.store"])
        wrong = self.json("config", "--check", code=13, REDIS_PASSWORD="wrong")["checks"][-1]
        self.assertIn("REDIS_PASSWORD", wrong["remedy"])
        self.assertNotIn("wrong", str(wrong))
        self.out("config", "--check", code=13)
        secret = os.path.join(self.home, "password")
        with open(secret, "w", encoding="ascii") as file:
            file.write("right\n")
        self.out("config", "--check", REDIS_PASSWORD_FILE=secret)
        self.assert_one_clear_line(self.run_pandora("config", "--check", REDIS_PASSWORD="right", REDIS_PASSWORD_FILE=secret, code=2), "REDIS_PASSWORD_FILE")
        url = f"redis://:right@127.0.0.1:{self.redis.port}/1"
        both = self.run_pandora("config", "--check", REDIS_URL=url)
        self.assertIn("/1 as default", both.stdout.decode())
        self.assertIn("config.redis_url_wins", both.stderr.decode())
        self.assertIn("REDIS_HOST, REDIS_PORT", both.stderr.decode())
        self.assertNotIn("right", self.out("config", REDIS_URL=url))

    def test_settings_that_cannot_be_are_refused(self):
        shared = {"PANDORA_CACHE_STORE": "redis"}
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, PANDORA_CACHE_STORE="memcached"), "embedded or redis")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, REDIS_URL="http://x:hidden@y", **shared), "REDIS_URL", "rediss://")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, REDIS_USER="me", **shared), "REDIS_PASSWORD")
        self.out("turns", "list", REDIS_PREFIX="p" * 64, **shared)
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=None, REDIS_PREFIX="p" * 65, **shared), "at most 64")

    def test_it_starts_and_says_so_while_the_server_is_down(self):
        self.use_redis()
        self.assertEqual(self.json("status")["cache_error"], "")
        self.redis.stop()
        self.assertIn(str(self.redis.port), self.json("status")["cache_error"])
        self.assertIn("limits are counted by this process alone", self.out("status"))
        self.say("I am allergic to peanuts.")
        self.assertIn("limits are counted by each process alone", self.run_pandora("doctor", code=None).stdout.decode())
        self.out("config", "--check", code=8)


class SharedLimits(ServedCase, Shared):
    def key(self, name, *arguments):
        return {"Authorization": "Bearer " + self.json("keys", "create", name, *arguments)["secret"]}

    def test_two_gateways_over_one_database_share_a_keys_limit_exactly(self):
        rows = PostgresServer()
        self.addCleanup(rows.close)
        self.environment.update(rows.environment())
        self.use_redis()
        self.out("db", "migrate")
        headers = self.key("phone", "--requests", "30")
        ports = []
        for number in range(2):
            self.serve(PANDORA_DATA=os.path.join(self.home, f"data{number}"))
            ports.append(self.port)
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda index: self.status_at(ports[index % 2], headers), range(80)))
        admitted = answers.count(200)
        self.assertEqual(answers.count(429), 80 - admitted)
        self.assertGreaterEqual(admitted, 30)
        # A minute may have ended meanwhile, and what it had fades by seconds.
        self.assertLessEqual(admitted, 32 + 30 * (time.monotonic() - begun) / 60)

    @staticmethod
    def status_at(port, headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/v1/models", headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def test_while_it_is_away_each_counts_alone_and_says_so(self):
        self.use_redis()
        headers, other = self.key("phone", "--requests", "3"), self.key("watch", "--requests", "3")
        self.serve()
        known = self.key("laptop")

        def ready():
            return self.ask("/health/ready", headers=known)

        self.assertEqual([self.ask("/v1/models", headers=headers)[0] for _ in range(4)], [200, 200, 200, 429])
        self.assertEqual(ready()[2]["status"], "ready")
        self.redis.stop(signal.SIGKILL)
        self.assertEqual([self.ask("/v1/models", headers=headers)[0] for _ in range(4)], [200, 200, 200, 429], "this process begins to count")
        self.wait_until(lambda: ready()[2]["status"] == "degraded")
        self.assertEqual(ready()[0], 200, "it answers all the same")
        self.assertIn("127.0.0.1", [one["detail"] for one in ready()[2]["dependencies"] if one["name"] == "cache"][0])
        self.assertNotEqual(self.json("status")["cache_error"], "")
        self.redis.start()
        self.wait_until(lambda: ready()[2]["status"] == "ready")
        self.assertEqual(self.ask("/v1/models", headers=headers)[0], 200, "the one that came back has forgotten")
        self.redis.process.send_signal(signal.SIGSTOP)
        self.assertEqual([self.ask("/v1/models", headers=known)[0] for _ in range(20)], [200] * 20, "a key without limits waits for nothing")
        self.assertEqual([self.ask("/v1/models", headers=other)[0] for _ in range(4)], [200, 200, 200, 429])
        self.redis.process.send_signal(signal.SIGCONT)
        self.wait_until(lambda: ready()[2]["status"] == "ready")
        log = self.end()[1]
        # Said when it begins and when it ends; on a busy machine a server may seem to be away once more.
        self.assertGreaterEqual(log.count("cache.alone"), 2, log)
        self.assertLessEqual(log.count("cache.shared_again"), log.count("cache.alone"), log)


if __name__ == "__main__":
    unittest.main()
