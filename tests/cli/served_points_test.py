"""Points in a server: found as in process; the server away, slow, strange or older, and nothing said is lost."""
import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

from pandora_case import PROGRAM, PandoraCase, weights_are_here
from served_case import ServedCase, whole

KEY = "a-key-that-nobody-may-see"


class Vectors:
    """`pandora vectors` on a port that stays the same when it is started again."""

    def __init__(self, case, key=None):
        self.directory = os.path.join(case.home, "vectors")
        self.environment = {**case.environment, **({"PANDORA_VECTORS_API_KEY": key} if key else {})}
        self.headers = {"Content-Type": "application/json", **({"api-key": key} if key else {})}
        self.port = 0
        case.addCleanup(self.end)
        self.start()

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "--json", "vectors", "--port", str(self.port), "--data", self.directory],
                                        stdout=subprocess.PIPE, env=self.environment)
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, self.headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["result"]


class ServedPoints(PandoraCase):
    def use(self, url, **more):
        self.environment.update({"PANDORA_POINTS_STORE": "qdrant", "QDRANT_URL": url, **more})

    def served(self, key=None):
        vectors = Vectors(self, key)
        self.use(vectors.url, **({"QDRANT_API_KEY": key} if key else {}))
        return vectors

    def search(self, text):
        return self.json("turns", "search", text)

    def settled(self):
        return self.json("status")["outbox"] == 0

    def test_what_was_said_is_found_with_its_points_in_a_server(self):
        vectors = self.served()
        self.say("I am allergic to peanuts.")
        self.say("The meeting is on Monday.")
        found = self.search("allergic peanuts")
        self.assertEqual(found["mode"], "hybrid")
        self.assertIn("peanuts", found["items"][0]["text"])
        self.assertFalse(os.path.exists(os.path.join(self.data, "vectors.db")))
        info = vectors.ask("GET", "/collections/turns")
        self.assertEqual(info["config"]["params"]["vectors"], {"size": 384, "distance": "Cosine"})
        self.assertEqual(info["config"]["params"]["sparse_vectors"], {"bm25": {"modifier": "idf"}})
        kinds = {field: index["data_type"] for field, index in info["payload_schema"].items()}
        self.assertEqual(kinds, {"turn_number": "integer", "session_id": "keyword", "topic": "text", "intent": "keyword",
                                 "timestamp": "datetime", "quality": "float", "rejected": "bool", "turn_uid": "uuid",
                                 "user_id": "keyword", "scope": "keyword"})
        self.assertEqual({c["name"] for c in vectors.ask("GET", "/collections")["collections"]},
                         {"turns", "memories", "research"})
        self.assertIn("ok", {c["check"]: c["state"] for c in self.json("doctor")["checks"]}["points"])

    def test_another_users_turns_are_not_found(self):
        self.served()
        self.say("My door code is 4711.", "--user", "ana")
        self.assertEqual(self.search("door code 4711")["items"], [])
        self.assertEqual(len(self.json("turns", "search", "door code 4711", "--user", "ana")["items"]), 1)

    def test_with_the_server_away_turns_are_saved_and_their_points_follow_when_it_is_back(self):
        vectors = self.served()
        self.say("I am allergic to peanuts.")
        vectors.end()
        self.say("I live in Lisbon.")
        told = self.out("chat", stdin="Where do I live?\n")
        self.assertIn("The search was incomplete", told)
        status = self.json("status")
        self.assertEqual(status["turns"], 3)
        self.assertGreater(status["outbox"], 0)
        self.assertIn(vectors.url, status["points_error"])
        vectors.start()
        self.wait_until(self.settled)
        found = self.search("Where do I live")
        self.assertEqual((found["mode"], found["missing"]), ("hybrid", []))
        self.assertTrue(any("Lisbon" in item["text"] for item in found["items"]), found)
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_a_process_that_runs_goes_on_without_the_server_and_again_with_it(self):
        vectors = self.served()
        self.environment["PANDORA_GATEWAY_PORT"] = "0"
        gateway = subprocess.Popen([PROGRAM, "--json", "serve"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment)
        self.addCleanup(gateway.stdout.close)
        self.addCleanup(gateway.wait)
        self.addCleanup(gateway.send_signal, signal.SIGINT)
        url = json.loads(gateway.stdout.readline())["url"].removesuffix("/v1")

        def say(text):
            body = json.dumps({"model": "pandora", "messages": [{"role": "user", "content": text}]}).encode()
            request = urllib.request.Request(url + "/v1/chat/completions", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["choices"][0]["message"]["content"]

        def health():
            try:
                with urllib.request.urlopen(url + "/health/ready", timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                return json.load(error)

        say("The anchor is in room seven.")
        vectors.end()
        say("The barrel is in room nine.")
        self.assertIn("incomplete", say("Where is the barrel?"))
        self.assertIn(vectors.url, json.dumps(health()))
        vectors.start()
        self.wait_until(self.settled)
        self.assertIn("room nine", say("Where is the barrel?"))
        self.wait_until(lambda: vectors.url not in json.dumps(health()))  # it looks once a second

    def test_a_server_that_takes_everything_and_says_nothing_costs_a_question_its_deadline(self):
        vectors = self.served()
        self.say("I am allergic to peanuts.")
        mute = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(mute.close)
        self.use(f"http://127.0.0.1:{mute.getsockname()[1]}", QDRANT_TIMEOUT_MS="1000", PANDORA_RECALL_DEADLINE_MS="500")
        found = self.search("peanuts")
        self.assertEqual(found["mode"], "recent")
        self.assertIn("took longer than allowed", " ".join(found["missing"]))
        self.use(vectors.url)
        self.assertEqual(self.search("peanuts")["mode"], "hybrid")

    def test_a_key_that_is_not_taken_is_named_and_never_shown(self):
        vectors = self.served(KEY)
        self.say("I am allergic to peanuts.")
        self.assertEqual(self.search("peanuts")["mode"], "hybrid")
        self.environment["PANDORA_LOG_LEVEL"] = "debug"
        for key in (KEY + "x", ""):
            self.environment["QDRANT_API_KEY"] = key
            done = self.run_pandora("turns", "search", "peanuts", code=13)
            lines = done.stderr.decode().strip().splitlines()
            self.assertIn(vectors.url, lines[-1])
            self.assertIn("QDRANT_API_KEY", lines[-1])
            self.assertNotIn(KEY, done.stderr.decode() + done.stdout.decode())
        file = os.path.join(self.home, "key")
        with open(file, "w") as out:
            out.write(KEY + "\n")
        del self.environment["QDRANT_API_KEY"]
        done = self.run_pandora("turns", "search", "peanuts", QDRANT_API_KEY_FILE=file)
        self.assertIn(b"peanuts", done.stdout)
        self.assertNotIn(KEY.encode(), done.stdout + done.stderr)

    def test_an_older_server_is_refused_by_its_version(self):
        class Old(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"title": "qdrant - vector search engine", "version": "1.17.9", "commit": ""}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Old)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.use(f"http://127.0.0.1:{server.server_port}")
        self.assert_one_clear_line(self.run_pandora("status", code=12), "1.17.9", "1.18")

    def test_somebody_elses_collection_is_reported_and_left_alone(self):
        vectors = self.served()
        vectors.ask("PUT", "/collections/turns", {"vectors": {"size": 3, "distance": "Dot"}})
        vectors.ask("PUT", "/collections/turns/points?wait=true", {"points": [{"id": 1, "vector": [1, 2, 3]}]})
        self.say("I am allergic to peanuts.")
        points = {c["check"]: c for c in self.json("doctor", code=8)["checks"]}["points"]
        self.assertEqual(points["state"], "failure")
        self.assertIn("not made by Pandora", points["detail"])
        self.assertIn("not made by Pandora", " ".join(self.search("peanuts")["missing"]))
        self.assertEqual(vectors.ask("POST", "/collections/turns/points/count", {})["count"], 1)
        self.use(vectors.url, QDRANT_PREFIX="mine_")
        self.out("reconcile", "--apply")
        self.wait_until(self.settled)
        self.assertIn("peanuts", self.search("peanuts")["items"][0]["text"])

    def test_a_collection_of_another_encoder_is_refused_and_left_alone(self):
        vectors = self.served()
        self.say("I am allergic to peanuts.")
        config = vectors.ask("GET", "/collections/turns")["config"]
        ours = config["metadata"]["pandora"]
        vectors.ask("DELETE", "/collections/turns")
        vectors.ask("PUT", "/collections/turns", {"vectors": config["params"]["vectors"], "sparse_vectors": config["params"]["sparse_vectors"],
                                                  "metadata": {"pandora": {**ours, "embedder": "other@1"}}})
        self.assert_one_clear_line(self.run_pandora("status", code=12), "turns", "other@1", "reconcile")
        self.assertEqual(vectors.ask("GET", "/collections/turns")["config"]["metadata"]["pandora"]["embedder"], "other@1")

    def test_points_move_from_the_process_to_a_server_by_reconcile(self):
        self.say("I am allergic to peanuts.")
        self.say("The meeting is on Monday.")
        self.served()
        self.assertEqual(self.search("peanuts")["items"], [])
        self.out("reconcile", "--apply")
        self.wait_until(self.settled)
        self.assertIn("peanuts", self.search("peanuts")["items"][0]["text"])

    def test_a_server_that_lost_everything_is_filled_again_by_reconcile(self):
        vectors = self.served()
        self.say("I am allergic to peanuts.")
        for name in ("turns", "memories", "research"):
            vectors.ask("DELETE", f"/collections/{name}")
        self.out("reconcile", "--apply")
        self.wait_until(self.settled)
        self.assertIn("peanuts", self.search("peanuts")["items"][0]["text"])

    @unittest.skipUnless(weights_are_here(), "needs the encoder's weights (scripts/fetch_weights)")
    def test_reindex_makes_collections_beside_the_old_ones_and_moves_the_names_over(self):
        vectors = self.served()
        for text in ("I am allergic to peanuts.", "The meeting is on Monday.", "I live in Lisbon."):
            self.say(text)
        self.environment["PANDORA_ENCODER"] = "bge-small-en-v1.5"
        self.assertEqual(self.search("peanuts")["mode"], "hybrid")  # by the encoder that its points were made by
        moved = self.json("reindex")
        self.assertEqual((moved["moved"], moved["turns"]), (True, 3))
        names = {c["name"] for c in vectors.ask("GET", "/collections")["collections"]}
        aliases = {a["alias_name"]: a["collection_name"] for a in vectors.ask("GET", "/aliases")["aliases"]}
        self.assertEqual(set(aliases), {"turns", "memories", "research"})
        self.assertEqual(set(aliases.values()), names)
        self.assertRegex(aliases["turns"], "^turns_[0-9a-f]{8}$")
        self.assertEqual(vectors.ask("POST", "/collections/turns/points/count", {})["count"], 3)
        found = self.search("What must I not eat?")
        self.assertEqual((found["mode"], found["missing"]), ("hybrid", []))
        self.assertIn("peanuts", found["items"][0]["text"])
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_a_first_start_needs_the_server(self):
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        self.environment.update({"PANDORA_POINTS_STORE": "qdrant", "QDRANT_HOST": "127.0.0.1", "QDRANT_PORT": str(port)})
        self.assert_one_clear_line(self.run_pandora("status", code=8), f"127.0.0.1:{port}", "Connection refused")
        self.environment["PANDORA_POINTS_STORE"] = "elsewhere"
        self.assert_one_clear_line(self.run_pandora("status", code=2), "points.store", "embedded")


class RefusingPoints:
    """In front of a server of points: what it refuses it answers itself, as a server that is full or busy does."""

    def __init__(self, url):
        self.refuses = lambda method, path: None  # or (status, headers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                refused = outer.refuses(self.command, self.path)
                if refused:
                    status, more = refused
                    return self.answer(status, more, b"")
                request = urllib.request.Request(url + self.path, body or None, {"Content-Type": "application/json"}, method=self.command)
                try:
                    with urllib.request.urlopen(request, timeout=60) as passed:
                        self.answer(passed.status, {}, passed.read())
                except urllib.error.HTTPError as error:
                    self.answer(error.code, {}, error.read())

            do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_any

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class PointsThatAreRefused(ServedCase):
    """A server of points whose disk is full takes no points and answers questions; one that has too much to do answers nothing."""

    def setUp(self):
        super().setUp()
        self.upstream(*[whole("heard")] * 20)
        self.points = RefusingPoints(Vectors(self).url)
        self.addCleanup(self.points.close)
        self.environment.update({"PANDORA_POINTS_STORE": "qdrant", "QDRANT_URL": self.points.url})
        self.serve("--log-level", "error")
        self.said = []

    def say_here(self, text):
        status, head, body = self.chat(text)
        self.assertEqual(status, 200, body)
        self.assert_acknowledged(head)
        self.said.append(text)

    def index(self):
        return next(one for one in self.ask("/health/ready")[2]["dependencies"] if one["name"] == "index")

    def assert_named_kept_and_made_up_for(self, refuses, *words):
        self.say_here(f"The anchor is in room {len(self.said)}.")
        self.wait_until(lambda: self.json("status")["outbox"] == 0)
        self.points.refuses = refuses
        self.say_here(f"The barrel is in room {len(self.said)}.")
        self.wait_until(lambda: self.json("status")["points_error"])
        status = self.json("status")
        self.assertGreater(status["outbox"], 0)
        self.assertEqual((status["pending"], status["turns"]), (0, len(self.said)), "rows do not wait for points")
        for word in words:
            self.assertIn(word, status["points_error"])
            self.assertIn(word, self.out("status"))
        self.wait_until(lambda: self.index()["state"] == "degraded")  # it looks once a second
        for word in words:
            self.assertIn(word, self.index()["detail"])
        self.assertEqual(self.ask("/health/ready")[0], 200, "it answers, and says what it lacks")
        self.say_here(f"The candle is in room {len(self.said)}.")
        self.points.refuses = lambda method, path: None
        self.wait_until(lambda: self.json("status")["outbox"] == 0, 240)  # it is tried again after a minute at most
        self.assertEqual(self.json("status")["points_error"], "")
        self.wait_until(lambda: self.index()["state"] == "ready")
        found = self.json("turns", "search", f"barrel {len(self.said) - 2}")
        self.assertEqual((found["mode"], found["missing"]), ("hybrid", []))
        self.assertEqual([turn["message"]["text"] for turn in reversed(self.json("turns", "list")["turns"])], self.said)
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_a_full_disk_is_named_and_points_follow_when_there_is_room(self):
        writes = lambda method, path: (507, {}) if method == "PUT" or "/points/delete" in path or "/points/payload" in path else None
        self.assert_named_kept_and_made_up_for(writes, "its disk is full", "free space")

    def test_a_key_that_may_only_read_is_named_and_points_follow_when_it_may_write(self):
        self.assert_named_kept_and_made_up_for(lambda method, path: (403, {}) if method == "PUT" else None, "QDRANT_API_KEY")

    def test_one_that_has_too_much_to_do_is_named_and_points_follow_when_it_has_time(self):
        self.assert_named_kept_and_made_up_for(lambda method, path: (429, {"Retry-After": "1"}), "too much to do")
        self.assert_named_kept_and_made_up_for(lambda method, path: (429, {}) if method == "PUT" else None, "too much to do")


if __name__ == "__main__":
    unittest.main()
