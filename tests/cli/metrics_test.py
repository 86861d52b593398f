"""/metrics: a real Prometheus reads it, and what happens is what it says."""
import os
import re
import subprocess
import unittest

from pandora_case import SOURCE
from served_case import CALL, TOOL, ServedCase, whole, words

CACHE = os.environ.get("PANDORA_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pandora")
PROMTOOL = os.path.join(CACHE, "checkers/promtool")


class Metrics(ServedCase):
    def metrics(self, headers=()):
        status, head, text = self.ask("/metrics", headers=headers)
        self.assertEqual(status, 200, text)
        self.assertTrue(head["Content-Type"].startswith("text/plain; version=0.0.4"))
        values = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                self.assertNotIn(name, values, "twice")
                values[name] = float(value)
        return text, values

    def sum(self, name, *parts):
        """Of all series of a name that have these labels."""
        found = [value for series, value in self.metrics()[1].items() if re.match(re.escape(name) + r"(\{|$)", series) and all(p in series for p in parts)]
        return sum(found)

    @unittest.skipUnless(os.path.exists(PROMTOOL), "promtool is not there: run scripts/bootstrap --tests")
    def test_a_real_prometheus_reads_it_and_finds_no_fault(self):
        self.upstream(whole("Noted."), words("Hello", "."), (500, b"{}", {}), whole(tool_calls=[CALL]))
        self.serve(**{"PANDORA_MODEL_ATTEMPTS": "1"})
        self.chat("I am allergic to peanuts.")
        self.stream("Which nuts should I avoid?")
        self.chat("And what else should I avoid?")
        self.chat("What is the weather in Lisbon today?", tools=[TOOL])
        self.ask("/health/ready")
        self.ask("/nothing")
        self.settle()
        text, _ = self.metrics()
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=text.encode(), capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, b""), "neither a syntax error nor a word of its linter")

    def test_every_family_of_the_page_is_there_and_no_other(self):
        self.upstream(whole("Noted."), whole(tool_calls=[CALL]))
        self.serve()
        self.chat("I am allergic to peanuts.")
        self.ask("/health/ready")
        self.json("keys", "create", "every", "--scope", "all")
        secret = self.json("keys", "create", "watcher", "--scope", "metrics")["secret"]
        self.wait_until(lambda: self.json("status")["pending"] == 0)
        text, _ = self.metrics({"Authorization": "Bearer " + secret})
        there = set(re.findall(r"^# TYPE (\S+)", text, re.M))
        page = (SOURCE / "docs/metrics.md").read_text()
        described = set(re.findall(r"^\| `([a-z_]+)`", page, re.M))
        # Tools of our own and failures of the encoder are not had here.
        rare = {"gen_ai_execute_tool_duration_seconds", "pandora_encoder_failures_total"}
        self.assertEqual(there | rare, described)

    def test_values_move_when_they_must(self):
        up = self.upstream(whole("Noted."), words("Hello", "."), whole("Passed."))
        self.serve()
        before = self.metrics()[1]
        self.assertEqual(before["pandora_turns"], 0)
        self.assertNotIn("gen_ai", " ".join(before))
        self.chat("I am allergic to peanuts.")
        self.stream("Which nuts should I avoid?")
        self.chat("Pass this on.", {"Pandora-Memory": "off"})
        self.ask("/v1/turns/77")
        self.ask("/nothing/at/all")
        self.ask("/v1/models", method="PUT")
        self.wait_until(lambda: self.sum("pandora_turns") == 2)
        requests = "pandora_http_requests_total"
        self.assertEqual(self.sum(requests, 'route="/v1/chat/completions"', 'status="200"'), 3)
        self.assertEqual(self.sum(requests, 'route="/v1/turns/{number}"', 'status="404"'), 1)
        self.assertEqual(self.sum(requests, 'route="other"', 'status="404"'), 1)
        self.assertEqual(self.sum(requests, 'route="/v1/models"', 'method="PUT"', 'status="405"'), 1)
        self.assertEqual(self.sum("pandora_http_request_duration_seconds_count", 'route="/v1/chat/completions"'), 3)
        self.assertEqual(self.sum("pandora_turn_duration_seconds_count", 'ending="answered"'), 2)
        self.assertEqual(self.sum("pandora_turn_phase_duration_seconds_count", 'phase="phase 2"'), 2)
        self.assertEqual(self.sum("pandora_recalls_total", 'mode="hybrid"'), 2)
        self.assertEqual(self.sum("pandora_recall_duration_seconds_count", 'stage="search"'), 2)
        self.assertEqual(self.sum("pandora_journal_sync_duration_seconds_count"), 2)
        self.assertEqual(self.sum("gen_ai_client_operation_duration_seconds_count", 'error_type=""', 'gen_ai_request_model="first-model"'), 3)
        self.assertEqual(self.sum("gen_ai_client_token_usage_sum", 'gen_ai_token_type="input"'), 33)
        self.assertEqual(self.sum("gen_ai_client_operation_time_to_first_chunk_seconds_count"), 3)
        self.assertGreaterEqual(self.sum("pandora_encoder_texts_total", 'role="question"'), 2)
        self.wait_until(lambda: self.sum("pandora_points", 'collection="turns"') == 2)
        self.wait_until(lambda: self.sum("pandora_outbox_entries") + self.sum("pandora_journal_pending_turns") == 0)
        values = self.metrics()[1]
        for name in ("pandora_http_connections", "pandora_http_requests_in_flight"):
            self.assertGreaterEqual(values[name], 1, "this request itself")
        self.assertGreater(values["process_resident_memory_bytes"], 1 << 20)
        self.assertGreater(values["pandora_http_connections_total"], before["pandora_http_connections_total"])
        up.close()
        self.chat("And what else should I avoid?", model="second-model")
        self.wait_until(lambda: self.sum("gen_ai_client_operation_duration_seconds_count", 'error_type="unavailable"') == 1)
        self.ask("/health/ready")
        self.assertEqual(self.sum("pandora_up", 'service="stores"'), 1)
        self.assertEqual(self.sum("pandora_up", 'service="model '), 0)

    def test_what_is_said_and_asked_is_in_no_label(self):
        self.upstream(whole("Noted."))
        self.serve()
        self.chat("I am allergic to peanuts.", {"Pandora-Session": "a-secret-session"})
        for path in ("/v1/turns?session=a-secret-session", "/v1/a-secret-path", "/v1/models/a-secret-model", "/v1/sources/a-secret-domain"):
            self.ask(path)
        self.ask("/v1/chat/completions", {"model": "a-secret-model", "messages": [{"role": "user", "content": "Hello."}]})
        text, _ = self.metrics()
        self.assertNotIn("secret", re.sub("pandora_secret_age_seconds", "", text))
        self.assertNotIn("peanuts", text)

    def test_with_keys_it_takes_the_scope_that_is_given_only_by_name(self):
        usual, watcher = (self.json("keys", "create", *how)["secret"] for how in (("usual",), ("watcher", "--scope", "metrics")))
        self.serve()
        self.assertEqual(self.ask("/metrics")[0], 401)
        self.assertEqual(self.ask("/metrics", headers={"Authorization": "Bearer " + usual})[0], 403)
        _, values = self.metrics({"Authorization": "Bearer " + watcher})
        self.assertEqual(values["pandora_keys"], 2)
        self.assertGreaterEqual(values['pandora_secret_age_seconds{secret="api_key"}'], 0)
        self.assertEqual(values['pandora_http_requests_total{method="GET",route="/metrics",status="401"}'], 1)


if __name__ == "__main__":
    unittest.main()
