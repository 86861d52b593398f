"""`pandora vectors import` and `export` between servers of their own: whole, idempotent, resumed after a kill, clear when wrong."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from served_vectors import PROGRAM, Vectors

MANY = 12_000
DIMENSIONS = 32


def points_of(vectors, name):
    points, offset = [], None
    while True:
        status, _, answer = vectors.ask("POST", f"/collections/{name}/points/scroll",
                                        {"limit": 1000, "offset": offset, "with_vector": True})
        assert status == 200, answer
        points += answer["result"]["points"]
        offset = answer["result"]["next_page_offset"]
        if offset is None:
            return points


class SamePort(Vectors):
    """Started again where it was."""
    port = 0

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "--json", "vectors", "--port", str(self.port), "--data", self.directory],
                                        stdout=subprocess.PIPE, env={**os.environ, **self.environment})
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.port = int(self.url.rsplit(":", 1)[1])


class Transfer(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="pandora-transfer-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.environment = {**os.environ, "HOME": self.home, "PANDORA_DATA": os.path.join(self.home, "data")}

    def server(self, **environment):
        vectors = SamePort(environment=environment)
        self.addCleanup(vectors.remove)
        return vectors

    def done(self, vectors, method, path, body=None, **options):
        status, _, answer = vectors.ask(method, path, body, **options)
        self.assertEqual(status, 200, answer)
        return answer["result"]

    def pandora(self, *arguments, code=0, stdin=b""):
        done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, timeout=100, env=self.environment)
        self.assertEqual(done.returncode, code, (arguments, done.stderr.decode()))
        return done

    def imported(self, *arguments, **options):
        return {one["name"]: one for one in json.loads(self.pandora("--json", "vectors", "import", *arguments, **options).stdout)["collections"]}

    def refused(self, code, *arguments, **options):
        """One clear line on standard error."""
        done = self.pandora("vectors", *arguments, code=code, **options)
        lines = [line for line in done.stderr.decode().strip().splitlines() if line.startswith("pandora: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        return lines[0]

    def fill(self, vectors):
        """Collections of every kind, and what is easily lost on the way."""
        put = lambda path, body: self.done(vectors, "PUT", path, body)
        put("/collections/plain", {"vectors": {"size": 3, "distance": "Dot"}, "metadata": {"whose": "mine"}})
        put("/collections/plain/index?wait=true", {"field_name": "n", "field_schema": "integer"})
        put("/collections/plain/index?wait=true", {"field_name": "text", "field_schema": {"type": "text", "tokenizer": "word", "min_token_len": 2}})
        put("/collections/plain/index?wait=true", {"field_name": "a.b[].c", "field_schema": "keyword"})
        put("/collections/plain/points?wait=true", {"points": [
            {"id": 18446744073709551615, "vector": [1, 2, 3.4028e38 / 1e30], "payload": {"n": 9223372036854775807, "deep": {"a": [1, {"b": None}]}}},
            {"id": 0, "vector": [1e-40, 0.1, -7], "payload": {"text": "Grüße \"\\ \n\u0000 😀", "f": 0.1, "e": 1e300}},
            {"id": "00000000-0000-0001-0000-000000000010", "vector": [0, 0, 0]}]})
        put("/collections/named%20%C3%A9", {"vectors": {"a": {"size": 2, "distance": "Cosine"}, "b": {"size": 2, "distance": "Manhattan"}},
                                           "sparse_vectors": {"words": {"modifier": "idf"}, "raw": {}}})
        put("/collections/named%20%C3%A9/points?wait=true", {"points": [
            {"id": 1, "vector": {"a": [3, 4], "b": [5, 6], "words": {"indices": [4294967295, 7], "values": [0.5, 2]}}},
            {"id": 2, "vector": {"raw": {"indices": [1], "values": [1e-6]}}},
            {"id": 3, "vector": {}, "payload": {"nothing": "else"}}]})
        put("/collections/empty", {"sparse_vectors": {"only": {}}})
        self.done(vectors, "POST", "/collections/aliases", {"actions": [{"create_alias": {"collection_name": "plain", "alias_name": "now"}},
                                                                       {"create_alias": {"collection_name": "plain", "alias_name": "then"}}]})

    def assert_same(self, one, other):
        for name in ("plain", "named%20%C3%A9", "empty"):
            self.assertEqual(points_of(one, name), points_of(other, name))
            mine, theirs = (self.done(vectors, "GET", f"/collections/{name}") for vectors in (one, other))
            self.assertEqual(mine["config"], theirs["config"])
            self.assertEqual(mine["payload_schema"], theirs["payload_schema"])
        aliases = [sorted(a["alias_name"] for a in self.done(vectors, "GET", "/collections/plain/aliases")["aliases"]) for vectors in (one, other)]
        self.assertEqual(aliases, [["now", "then"]] * 2)

    def test_collections_of_every_kind_arrive_whole_and_twice_is_as_good_as_once(self):
        one, other = self.server(), self.server()
        self.fill(one)
        for _ in range(2):
            imported = self.imported("--from", one.url, "--to", other.url)
            self.assertEqual({name: c["points"] for name, c in imported.items()}, {"plain": 3, "named é": 3, "empty": 0})
            self.assertTrue(all(c["left_out"] == [] and c["went_on_at"] == 0 for c in imported.values()), imported)
            self.assert_same(one, other)
        text = self.pandora("vectors", "import", "--from", one.url, "--to", other.url, "--collection", "plain").stdout.decode()
        self.assertEqual(text, "plain: 3 points\n1 collections, 3 points\n")

    def test_an_export_is_lines_that_an_import_takes(self):
        one, other = self.server(), self.server()
        self.fill(one)
        lines = self.pandora("vectors", "export", "--from", one.url).stdout
        self.assertEqual(self.pandora("vectors", "export", "--from", one.url).stdout, lines)
        imported = self.imported("--file", "-", "--to", other.url, stdin=lines)
        self.assertEqual({name: c["points"] for name, c in imported.items()}, {"plain": 3, "named é": 3, "empty": 0})
        self.assert_same(one, other)
        self.assertEqual(self.pandora("vectors", "export", "--from", other.url).stdout, lines)
        alone = self.pandora("vectors", "export", "--from", one.url, "--collection", "empty").stdout.decode().splitlines()
        self.assertEqual([json.loads(alone[0])["collection"], json.loads(alone[1])], ["empty", {"points": 0}])

    def many(self, vectors):
        self.done(vectors, "PUT", "/collections/many", {"vectors": {"size": DIMENSIONS, "distance": "Cosine"}})
        for first in range(0, MANY, 2000):
            self.done(vectors, "PUT", "/collections/many/points?wait=true",
                      {"points": [{"id": i, "vector": [(i * d) % 101 - 50 for d in range(1, DIMENSIONS + 1)], "payload": {"n": i}}
                                  for i in range(first, first + 2000)]})

    def begin(self, *arguments, beyond=0):
        """An import that has copied more than that, and its process."""
        process = subprocess.Popen([PROGRAM, "vectors", "import", *arguments], env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        folder = os.path.join(self.home, "data", "vectors-import")
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            for name in os.listdir(folder) if os.path.isdir(folder) else []:
                if name.endswith(".json"):
                    with open(os.path.join(folder, name)) as file:
                        if json.load(file)["points"] > max(beyond, 1023):
                            return process
            time.sleep(0.001)
        self.fail(f"it ended before it could be ended: {process.stderr.read()}")

    def test_killed_in_the_middle_it_goes_on_where_it_was(self):
        one, other = self.server(), self.server()
        self.many(one)
        there = 0
        for end in (signal.SIGKILL, signal.SIGINT):
            process = self.begin("--from", one.url, "--to", other.url, beyond=there)
            process.send_signal(end)
            code = process.wait(60)
            self.assertEqual(code, -9 if end == signal.SIGKILL else 130)
            there = len(points_of(other, "many"))
            self.assertTrue(1024 <= there < MANY, there)
        imported = self.imported("--from", one.url, "--to", other.url)["many"]
        self.assertTrue(1024 <= imported["went_on_at"] < MANY, imported)
        self.assertEqual(imported["points"], MANY)
        self.assertEqual(imported["went_on_at"] + imported["copied"], MANY)
        self.assertEqual(points_of(one, "many"), points_of(other, "many"))
        self.assertEqual(self.imported("--from", one.url, "--to", other.url)["many"]["went_on_at"], 0, "it ended; this is another one")

    def test_a_target_that_is_killed_in_the_middle_has_every_point_after_the_next_run(self):
        one, other = self.server(), self.server()
        self.many(one)
        process = self.begin("--from", one.url, "--to", other.url)
        other.kill()
        self.assertEqual(process.wait(60), 8)
        self.assertIn(other.url.removeprefix("http://"), process.stderr.read().decode())
        other.start()
        imported = self.imported("--from", one.url, "--to", other.url)["many"]
        self.assertGreaterEqual(imported["went_on_at"], 1024)
        self.assertEqual(points_of(one, "many"), points_of(other, "many"))

    def test_a_target_that_was_emptied_meanwhile_is_filled_from_the_beginning(self):
        one, other = self.server(), self.server()
        self.many(one)
        process = self.begin("--from", one.url, "--to", other.url)
        process.kill()
        process.wait(60)
        self.done(other, "DELETE", "/collections/many")
        imported = self.imported("--from", one.url, "--to", other.url)["many"]
        self.assertEqual((imported["went_on_at"], imported["points"]), (0, MANY))

    def test_the_key_of_each_server_is_given_in_a_file(self):
        one, other = self.server(PANDORA_VECTORS_API_KEY="first"), self.server(PANDORA_VECTORS_API_KEY="second")
        one_key, other_key = {"api-key": "first"}, {"api-key": "second"}
        self.done(one, "PUT", "/collections/c", {"vectors": {"size": 1, "distance": "Dot"}}, headers=one_key)
        files = {}
        for name in ("first", "second"):
            files[name] = os.path.join(self.home, name)
            with open(files[name], "w") as file:
                file.write(name + "\n")
        both = ("--api-key-file", files["first"], "--to-api-key-file", files["second"])
        self.assertEqual(list(self.imported("--from", one.url, "--to", other.url, *both)), ["c"])
        self.assertEqual(len(self.done(other, "GET", "/collections", headers=other_key)["collections"]), 1)
        for arguments, server, flag in (((), one, "--api-key-file"), (both[:2], other, "--to-api-key-file"),
                                        (("--api-key-file", files["second"], *both[2:]), one, "--api-key-file")):
            line = self.refused(13, "import", "--from", one.url, "--to", other.url, *arguments)
            self.assertIn(server.url, line)
            self.assertIn(flag, line)
            self.assertNotIn("first", line.replace(files["first"], ""))
        self.assertIn("missing", self.refused(3, "import", "--from", one.url, "--api-key-file", os.path.join(self.home, "missing")))

    def test_what_is_wrong_is_said_in_one_line(self):
        one, other = self.server(), self.server()
        self.fill(one)
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        self.assertIn("Connection refused", self.refused(8, "import", "--from", away, "--to", other.url))
        self.assertIn("Connection refused", self.refused(8, "import", "--from", one.url, "--to", away))
        self.assertIn("Connection refused", self.refused(8, "export", "--from", away))
        line = self.refused(3, "import", "--from", one.url, "--to", other.url, "--collection", "nothing")
        self.assertIn("plain", line)
        self.assertIn("both source and target", self.refused(2, "import", "--from", one.url, "--to", one.url))
        self.assertIn("--from", self.refused(2, "import"))
        self.assertIn("no URL", self.refused(2, "import", "--from", "nonsense", "--to", other.url))
        self.refused(2, "import", "--from", one.url, "--file", "x")
        self.done(other, "PUT", "/collections/plain", {"vectors": {"size": 4, "distance": "Dot"}})
        line = self.refused(4, "import", "--from", one.url, "--to", other.url, "--collection", "plain")
        self.assertIn("another shape", line)
        self.done(other, "DELETE", "/collections/plain")
        self.done(other, "PUT", "/collections/plain", {"vectors": {"size": 3, "distance": "Dot"}})
        self.done(other, "PUT", "/collections/plain/points?wait=true", {"points": [{"id": 77, "vector": [1, 1, 1]}]})
        line = self.refused(4, "import", "--from", one.url, "--to", other.url, "--collection", "plain")
        self.assertIn("3 points", line)
        self.assertIn("4 at", line)
        self.done(other, "DELETE", "/collections/plain")
        self.done(other, "POST", "/collections/aliases", {"actions": []})
        self.done(other, "PUT", "/collections/else", {"vectors": {"size": 3, "distance": "Dot"}})
        self.done(other, "POST", "/collections/aliases", {"actions": [{"create_alias": {"collection_name": "else", "alias_name": "now"}}]})
        self.assertIn("alias now", self.refused(4, "import", "--from", one.url, "--to", other.url, "--collection", "plain"))

    def test_a_file_that_is_cut_or_strange_is_refused_by_its_line(self):
        one, other = self.server(), self.server()
        self.fill(one)
        lines = self.pandora("vectors", "export", "--from", one.url, "--collection", "plain").stdout.splitlines(keepends=True)
        for stdin, word in ((b"".join(lines[:-1]), "line 4"), (b"".join(lines[:2]) + lines[2][:20], "line 3"), (lines[1], "line 1"),
                            (b"".join(lines[:2] + lines[3:]), "line 4"), (b"x\n", "line 1"), (lines[0] + b'{"id": 1}\n', "line 2"),
                            (lines[0].replace(b'"version":1', b'"version":2') + lines[1], "version 2")):
            line = self.refused(12 if b"version" in word.encode() else 11, "import", "--file", "-", "--to", other.url, stdin=stdin)
            self.assertIn(word, line)
        self.assertIn("cannot read", self.refused(3, "import", "--file", os.path.join(self.home, "none"), "--to", other.url))
        self.assertEqual(self.imported("--file", "-", "--to", other.url, stdin=b""), {})

    def test_an_index_that_is_not_served_is_left_out_and_said(self):
        other = self.server()
        head = {"format": "pandora collection", "version": 1, "collection": "places", "create": {"vectors": {"size": 1, "distance": "Dot"}},
                "indexes": {"at": "geo", "name": "keyword"}, "aliases": []}
        lines = "\n".join(json.dumps(line) for line in (head, {"id": 1, "vector": [1], "payload": {"name": "x"}}, {"points": 1}))
        done = self.pandora("--json", "vectors", "import", "--file", "-", "--to", other.url, stdin=lines.encode())
        self.assertIn("index of at", json.loads(done.stdout)["collections"][0]["left_out"][0])
        self.assertIn(b"left out: index of at", done.stderr)
        self.assertEqual(list(self.done(other, "GET", "/collections/places")["payload_schema"]), ["name"])

    def test_help_says_how(self):
        for command, words in (("import", ("--from", "--file", "--api-key-file", "--collection")), ("export", ("--from", "--collection"))):
            text = self.pandora("vectors", command, "--help").stdout.decode()
            for word in words:
                self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
