"""What strangers send to `pandora vectors`: every body ends with an answer that says why, and the server goes on."""
import http.client
import json
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from served_vectors import Vectors

BODIES = {
    ("PUT", "/points?wait=true"): {"points": [{"id": 1, "vector": [1, 2, 3, 4], "payload": {"a": [1, {"b": None}]}}]},
    ("POST", "/points/query"): {"query": [1, 2, 3, 4], "limit": 3, "filter": {"must": [{"key": "a", "match": {"any": [1, 2]}}]}, "with_payload": ["a"], "using": "", "score_threshold": 0.5},
    ("POST", "/points/scroll"): {"limit": 3, "offset": 1, "with_vector": [""], "filter": {"should": [{"has_id": [1]}, {"nested": {"key": "l", "filter": {"must": []}}}]}},
    ("POST", "/points/payload?wait=true"): {"payload": {"k": 1}, "points": [1], "key": "a.b"},
    ("POST", "/points/batch?wait=true"): {"operations": [{"delete": {"points": [9]}}, {"upsert": {"batch": {"ids": [4], "vectors": [[1, 1, 1, 1]]}}}]},
    ("PUT", "/index?wait=true"): {"field_name": "n", "field_schema": {"type": "integer", "lookup": True}},
}
STRANGE = [None, True, -1, 0, 1.5, 2**64, 1e39, "", "x", "\u0000", [], [[]], {}, {"": {}}, "2026-01-01", [None], ["a", 1], {"key": "a"}]
MUTATIONS = 150


class BadInput(unittest.TestCase):
    def setUp(self):
        self.vectors = Vectors()
        self.addCleanup(self.vectors.remove)
        self.assertEqual(self.vectors.ask("PUT", "/collections/c", {"vectors": {"size": 4, "distance": "Cosine"}})[0], 200)

    def places(self, value, path=()):
        yield path
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in children:
            yield from self.places(child, path + (key,))

    def test_bodies_with_something_strange_in_one_place(self):
        seed = int(os.environ.get("PANDORA_SEED", "1"))
        print(f"seed {seed}", file=sys.stderr)
        chance = random.Random(seed)
        for (method, path), body in BODIES.items():
            for _ in range(MUTATIONS):
                changed = json.loads(json.dumps(body))
                place = chance.choice(list(self.places(changed)))
                strange = chance.choice(STRANGE)
                if place:
                    inner = changed
                    for step in place[:-1]:
                        inner = inner[step]
                    if isinstance(inner, dict) and chance.random() < 0.2:
                        del inner[place[-1]]
                    else:
                        inner[place[-1]] = strange
                else:
                    changed = strange
                with self.subTest(seed=seed, path=path, body=changed):
                    status, _, answer = self.vectors.ask(method, "/collections/c" + path, changed)
                    self.assertIn(status, (200, 400, 404, 422, 501), answer)
                    if status != 200:
                        self.assertTrue(answer["status"]["error"])
        self.assertEqual(self.vectors.ask("POST", "/collections/c/points/count", {})[0], 200)

    def test_a_filter_nested_a_thousand_deep(self):
        nested = '{"must":[' * 1000 + "{}" + "]}" * 1000
        for path, body in (("query", '{"query":[1,2,3,4],"filter":%s}'), ("count", '{"filter":%s}'), ("delete", '{"filter":%s}')):
            status, _, answer = self.vectors.ask("POST", "/collections/c/points/" + path, raw=body % nested)
            self.assertEqual((status, "recursion limit" in answer["status"]["error"]), (400, True))

    def test_a_body_at_the_limit_and_one_past_it(self):
        limit = 32 << 20
        start, end = b'{"exact":true,"x":"', b'"}'
        for size, wanted in ((limit, 200), (limit + 1, 413)):
            connection = http.client.HTTPConnection("127.0.0.1", self.vectors.port, timeout=60)
            connection.putrequest("POST", "/collections/c/points/count")
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(size))
            connection.endheaders()
            if wanted == 200:
                connection.send(start + b"x" * (size - len(start) - len(end)) + end)
            response = connection.getresponse()
            answer = json.loads(response.read())
            self.assertEqual(response.status, wanted)
            self.assertEqual("error" in answer["status"], wanted != 200)
            connection.close()

    def test_a_damaged_file_makes_its_collection_red_and_the_others_serve(self):
        damage = {"red-changes": ("points.db", 40), "red-parts": (".part", 2000)}
        for name, (_, points) in damage.items():
            self.assertEqual(self.vectors.ask("PUT", "/collections/" + name, {"vectors": {"size": 4, "distance": "Cosine"}})[0], 200)
            body = {"points": [{"id": i, "vector": [1, i, 2, 3], "payload": {"n": i}} for i in range(points)]}
            self.assertEqual(self.vectors.ask("PUT", f"/collections/{name}/points?wait=true", body)[0], 200)
        self.vectors.end()  # two thousand changes are kept in parts, forty are not
        with open(os.path.join(self.vectors.directory, "catalogue.json"), encoding="utf-8") as file:
            ids = json.load(file)["collections"]
        for name, (ending, _) in damage.items():
            found = [os.path.join(folder, file) for folder, _, files in os.walk(os.path.join(self.vectors.directory, "collections", ids[name]))
                     for file in files if file.endswith(ending)]
            self.assertEqual(len(found), 1, found)
            with open(found[0], "r+b") as file:
                file.seek(-os.path.getsize(found[0]) // 2, os.SEEK_END)
                file.write(b"\xff" * 4096)
        self.vectors.start()
        for name in damage:
            status, _, answer = self.vectors.ask("GET", "/collections/" + name)
            self.assertEqual((status, answer["result"]["status"]), (200, "red"), answer)
            self.assertTrue(answer["result"]["optimizer_status"]["error"])
            for method, path, body in (("POST", "/points/scroll", {}), ("PUT", "/points?wait=true", {"points": [{"id": 1, "vector": [1, 2, 3, 4]}]})):
                self.assertEqual(self.vectors.ask(method, f"/collections/{name}{path}", body)[0], 500)
        self.assertEqual(self.vectors.ask("PUT", "/collections/c/points?wait=true", BODIES[("PUT", "/points?wait=true")])[0], 200)
        self.assertEqual(self.vectors.ask("DELETE", "/collections/red-parts")[2]["result"], True)

    def test_names_that_are_paths(self):
        for name in ("..", ".", "%2e%2e", "a%2Fb", "a%5Cb", "%00", "x" * 256):
            status, _, answer = self.vectors.ask("PUT", "/collections/" + name, {"vectors": {"size": 4, "distance": "Dot"}})
            self.assertEqual(status, 422, (name, answer))
        self.assertEqual([c["name"] for c in self.vectors.ask("GET", "/collections")[2]["result"]["collections"]], ["c"])


if __name__ == "__main__":
    unittest.main()
