"""Keys of the API: made and revoked by commands, asked of every client from then on."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import ssl
import subprocess
import unittest

from served_case import ServedCase, whole

SECRET = re.compile(r"sk-pandora-[0-9A-Za-z]{51}")


class Keys(ServedCase):
    def create(self, name, *arguments):
        return self.json("keys", "create", name, *arguments)["secret"]

    @staticmethod
    def bearer(secret):
        return {"Authorization": "Bearer " + secret}

    def test_without_a_key_it_is_open_and_with_one_it_is_not_and_commands_need_none(self):
        self.serve()
        self.assertEqual(self.ask("/v1/models")[0], 200)
        shown = self.out("keys", "create", "laptop")
        self.assertRegex(shown.splitlines()[0], f"^{SECRET.pattern}$")
        self.assertIn("without a key", shown)
        status, head, body = self.ask("/v1/models")
        self.assertEqual((status, body["error"]["code"], body["error"]["type"]), (401, None, "invalid_request_error"))
        self.assertIn("Bearer", head["WWW-Authenticate"])
        self.assertEqual(self.ask("/v1/models", headers=self.bearer("sk-none"))[2]["error"]["code"], "invalid_api_key")
        secret = shown.splitlines()[0]
        self.assertEqual(self.ask("/v1/models", headers=self.bearer(secret))[0], 200)
        self.assertEqual(self.json("status")["turns"], 0)
        self.assertEqual(self.ask("/health/live")[0], 200)
        status, _, ready = self.ask("/health/ready")
        self.assertEqual((status, ready), (200, {"status": "ready"}), "a stranger is not told of what")
        self.assertIn("dependencies", self.ask("/health/ready", headers=self.bearer(secret))[2])
        for path, method in (("/nothing", "GET"), ("/v1/chat/completions", "GET"), ("/v1/turns/1", "DELETE"), ("/v1/turns", "PUT")):
            self.assertEqual(self.ask(path, method=method)[0], 401, "who may not come in is not told what there is")
            self.assertIn(self.ask(path, method=method, headers=self.bearer(secret))[0], (404, 405))

    def test_a_body_of_somebody_without_a_key_is_not_read(self):
        self.create("laptop")
        self.serve()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Content-Length", str(30 << 20))
        connection.endheaders()
        response = connection.getresponse()
        self.assertEqual(response.status, 401)
        response.read()
        connection.close()

    def test_a_revoked_key_is_refused_at_once_and_after_a_restart(self):
        secret, other = self.create("laptop"), self.create("phone")
        self.serve()
        self.assertEqual(self.ask("/v1/models", headers=self.bearer(secret))[0], 200)
        self.out("keys", "revoke", "laptop", "--yes")
        self.assertEqual(self.ask("/v1/models", headers=self.bearer(secret))[0], 401)
        self.assertEqual(self.ask("/v1/models", headers=self.bearer(other))[0], 200)
        self.end()
        self.serve()
        self.assertEqual(self.ask("/v1/models", headers=self.bearer(secret))[0], 401)
        self.out("keys", "revoke", "phone", "--yes")
        self.assertEqual(self.ask("/v1/models")[0], 401, "it does not open because the keys ended")
        for key in self.json("keys", "list")["keys"]:
            self.out("keys", "remove", key["id"])
        self.assertEqual(self.ask("/v1/models")[0], 200, "no key is left")

    def test_a_key_sees_its_users_memory_only(self):
        self.upstream(*[whole("Noted.") for _ in range(4)])
        ana, bob = self.create("ana", "--user", "ana"), self.create("bob", "--user", "bob")
        self.serve()
        self.chat("I am allergic to peanuts.", self.bearer(ana))
        self.wait_until(lambda: len(self.json("turns", "list", "--user", "ana")["turns"]) == 1)
        self.out("turns", "search", "anything", "--user", "ana")
        search = {"query": "Which peanuts should I avoid?"}
        texts = lambda secret: str(self.ask("/v1/turns/search", search, headers=self.bearer(secret))[2])
        self.assertIn("allergic", texts(ana))
        self.assertNotIn("allergic", texts(bob))
        self.assertEqual(self.ask("/v1/turns", headers=self.bearer(bob))[2]["turns"], [])
        self.assertEqual(self.ask("/v1/turns/1", headers=self.bearer(bob))[0], 404)
        self.assertEqual(self.ask("/v1/turns/1", method="DELETE", headers=self.bearer(bob))[0], 404)
        self.chat("Which peanuts should I avoid?", self.bearer(bob))
        self.assertEqual(self.json("turns", "list")["turns"], [], "and the owner of the machine a third one's")
        self.assertEqual({turn["session"][0] for turn in self.json("turns", "list", "--user", "bob")["turns"]}, {"c"})

    def test_scopes_say_what_a_key_may_do(self):
        secrets = {scope: self.create(scope, "--scope", scope) for scope in ("chat", "read", "write", "tools", "approve", "metrics")}
        self.upstream(whole("Noted."))
        self.serve()
        paths = {("GET", "/v1/models"): "chat", ("GET", "/v1/turns"): "read", ("GET", "/v1/stats"): "read", ("POST", "/v1/memories/search"): "read",
                 ("POST", "/v1/memories"): "write", ("DELETE", "/v1/turns/7"): "write", ("POST", "/v1/sources/a.example/block"): "write",
                 ("GET", "/v1/approvals"): "read", ("POST", "/v1/approvals/01900000-0000-7000-8000-000000000000"): "approve"}
        for (method, path), needed in paths.items():
            for scope, secret in secrets.items():
                status, _, body = self.ask(path, method=method, body={} if method == "POST" else None, headers=self.bearer(secret))
                if scope == needed:
                    self.assertNotIn(status, (401, 403), (path, scope))
                else:
                    self.assertEqual((status, body["error"]["code"]), (403, "missing_scope"), (path, scope))
        both = self.create("both", "--scope", "chat", "--scope", "read")
        self.assertEqual(self.ask("/v1/turns", headers=self.bearer(both))[0], 200)
        usual = self.json("keys", "create", "usual")["key"]["scopes"]
        self.assertEqual(usual, ["chat", "read", "write", "tools"])
        self.assertEqual(len(self.json("keys", "create", "every", "--scope", "all")["key"]["scopes"]), 6)
        self.assert_one_clear_line(self.run_pandora("keys", "create", "no", "--scope", "everything", code=2), "everything", "chat")

    def test_requests_a_minute(self):
        secret = self.create("laptop", "--requests", "3")
        self.serve()
        answers = [self.ask("/v1/models", headers=self.bearer(secret)) for _ in range(4)]
        # A minute of the clock may end in between; then a little of the limit is there again.
        self.assertEqual([status for status, _, _ in answers[:3]], [200] * 3)
        self.assertEqual(answers[0][1]["x-ratelimit-limit-requests"], "3")
        while answers[-1][0] == 200:
            answers.append(self.ask("/v1/models", headers=self.bearer(secret)))
        status, head, body = answers[-1]
        self.assertEqual((status, body["error"]["code"], body["error"]["type"]), (429, "rate_limit_exceeded", "requests"))
        self.assertGreaterEqual(int(head["Retry-After"]), 1)
        self.assertEqual(head["x-ratelimit-remaining-requests"], "0")
        self.assertTrue(head["x-ratelimit-reset-requests"])
        # Who looks whether it lives is told so, whatever the key has left.
        self.assertEqual(self.ask("/health/live", headers=self.bearer(secret))[0], 200)

    def test_at_once_asked_no_more_are_admitted_than_the_limit(self):
        secret = self.create("laptop", "--requests", "20")
        self.serve()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda _: self.ask("/v1/models", headers=self.bearer(secret))[0], range(100)))
        self.assertEqual(set(statuses), {200, 429})
        self.assertLessEqual(statuses.count(200), 20 + 20)  # 20, unless a minute of the clock ended meanwhile

    def test_tokens_a_minute_are_the_models_and_the_encoders(self):
        secret = self.create("laptop", "--tokens", "14")
        self.upstream(whole("Noted."))  # 14 of them
        self.serve()
        status, head, _ = self.chat("I am allergic to peanuts.", self.bearer(secret))
        self.assertEqual((status, head["x-ratelimit-remaining-tokens"]), (200, "14"))
        refused = lambda: self.chat("And what else?", self.bearer(secret))
        self.wait_until(lambda: refused()[0] == 429)
        self.assertEqual(refused()[2]["error"]["type"], "tokens")
        other = self.create("other", "--tokens", "2")
        embed = lambda: self.ask("/v1/embeddings", {"model": "pandora", "input": "a cat and a dog"}, headers=self.bearer(other))[0]
        self.assertEqual((embed(), embed()), (200, 429))

    def test_what_is_listed_holds_no_secret_and_says_when_it_was_used(self):
        secret = self.create("laptop", "--expires", "2999-01-01", "--requests", "5")
        self.serve()
        before = self.json("keys", "list")["keys"][0]
        self.assertIsNone(before["last_used_at"])
        self.ask("/v1/models", headers=self.bearer(secret))
        after = self.json("keys", "list")["keys"][0]
        self.assertTrue(after["last_used_at"])
        self.assertEqual((after["state"], after["user"], after["requests_a_minute"], after["expires_at"][:4]), ("active", "me", 5, "2999"))
        for text in (self.out("keys", "list"), json.dumps(after)):
            self.assertIn(secret[:19], text)
            self.assertNotIn(secret[:24], text)
        self.end()
        self.assertEqual(self.json("keys", "list")["keys"][0]["last_used_at"], after["last_used_at"], "after a restart")
        for path in pathlib.Path(self.data).rglob("*"):
            if path.is_file():
                self.assertNotIn(secret[19:].encode(), path.read_bytes(), f"{path} holds the secret")

    def test_no_secret_is_logged(self):
        secret = self.create("laptop", "--scope", "read")
        self.serve("--log-level", "debug")
        self.ask("/v1/models", headers=self.bearer(secret))
        self.ask("/v1/models", headers=self.bearer(secret + "x"))
        self.ask("/v1/turns?session=" + secret, headers=self.bearer(secret))
        _, err = self.end()
        self.assertTrue(err)
        self.assertNotIn(secret[19:], err)

    def test_names_are_of_one_key_and_revoking_asks_first(self):
        self.create("laptop")
        self.assert_one_clear_line(self.run_pandora("keys", "create", "laptop", code=4), "laptop", "revoke")
        self.assert_one_clear_line(self.run_pandora("keys", "create", "two words", code=2), "name")
        self.assert_one_clear_line(self.run_pandora("keys", "create", "old", "--expires", "2001-01-01", code=2), "expired")
        self.assertEqual(self.json("keys", "list")["keys"][0]["state"], "active")
        self.run_pandora("keys", "revoke", "laptop", stdin="n\n", code=None)
        self.assertEqual(self.json("keys", "list")["keys"][0]["state"], "active")
        self.out("keys", "revoke", "laptop", "--yes")
        self.assertEqual(self.json("keys", "list")["keys"][0]["state"], "revoked")
        self.assert_one_clear_line(self.run_pandora("keys", "revoke", "laptop", "--yes", code=3), "laptop", "keys list")

    def test_a_database_that_is_lost_does_not_open_the_api(self):
        secret = self.create("laptop")
        for name in ("pandora.db", "pandora.db-wal", "pandora.db-shm"):
            path = os.path.join(self.data, name)
            if os.path.exists(path):
                os.remove(path)
        self.serve()
        self.assertEqual(self.ask("/v1/models")[0], 401)
        self.assertEqual(self.ask("/v1/models", headers=self.bearer(secret))[0], 200)
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_beyond_this_machine_only_with_keys_and_unencrypted_only_with_a_warning(self):
        beyond = ("serve", "--set", "gateway.address=0.0.0.0", "--set", "gateway.port=0")
        self.assert_one_clear_line(self.run_pandora(*beyond, code=5), "pandora keys create")
        secret = self.create("laptop")
        self.serve("--set", "gateway.address=0.0.0.0")
        self.assertEqual(self.ask("/v1/models")[0], 401)
        self.assertEqual(self.ask("/v1/models", headers=self.bearer(secret))[0], 200)
        self.out("keys", "revoke", "laptop", "--yes")
        self.out("keys", "remove", self.json("keys", "list")["keys"][0]["id"])
        self.assertEqual(self.ask("/v1/models")[0], 401, "no key is left, and still nobody comes in")
        self.assertIn("tls", self.end()[1])
        self.assert_one_clear_line(self.run_pandora(*beyond, code=5), "pandora keys create")

    def test_with_a_certificate_it_speaks_https(self):
        certificate, key = os.path.join(self.home, "certificate.pem"), os.path.join(self.home, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self.serve("--set", f"gateway.tls_certificate={certificate}", "--set", f"gateway.tls_key={key}")
        self.assertTrue(self.url.startswith("https://"), self.url)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=ssl.create_default_context(cafile=certificate))
        connection.request("GET", "/health/live")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        self.end()
        self.assert_one_clear_line(self.run_pandora("serve", "--set", f"gateway.tls_key={key}", code=2), "gateway.tls_certificate")


if __name__ == "__main__":
    unittest.main()
