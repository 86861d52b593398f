"""Bodies made from the schemas of Qdrant's own models, right and nearly right: each ends with an answer that says why, and the server
goes on. Usage: qdrant_schema_test.py [requests] [seed]; the seed is printed.
"""
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors"))

from pydantic import TypeAdapter
from qdrant_client import models as m
from served_vectors import Vectors

ROUTES = [
    ("PUT", "/collections/made", m.CreateCollection), ("PATCH", "/collections/c", m.UpdateCollection),
    ("POST", "/collections/aliases", m.ChangeAliasesOperation), ("PUT", "/collections/c/index?wait=true", m.CreateFieldIndex),
    ("PUT", "/collections/c/points?wait=true", m.PointInsertOperations), ("POST", "/collections/c/points/delete?wait=true", m.PointsSelector),
    ("POST", "/collections/c/points/payload?wait=true", m.SetPayload), ("PUT", "/collections/c/points/payload?wait=true", m.SetPayload),
    ("POST", "/collections/c/points/payload/delete?wait=true", m.DeletePayload), ("POST", "/collections/c/points/payload/clear?wait=true", m.PointsSelector),
    ("PUT", "/collections/c/points/vectors?wait=true", m.UpdateVectors), ("POST", "/collections/c/points/vectors/delete?wait=true", m.DeleteVectors),
    ("POST", "/collections/c/points/batch?wait=true", m.UpdateOperations), ("POST", "/collections/c/points", m.PointRequest),
    ("POST", "/collections/c/points/query", m.QueryRequest), ("POST", "/collections/c/points/query/batch", m.QueryRequestBatch),
    ("POST", "/collections/c/points/scroll", m.ScrollRequest), ("POST", "/collections/c/points/count", m.CountRequest),
    ("POST", "/collections/c/points/search", m.SearchRequest), ("POST", "/collections/c/points/search/batch", m.SearchRequestBatch),
    ("POST", "/collections/c/points/recommend", m.RecommendRequest), ("POST", "/collections/c/facet", m.FacetRequest),
    ("POST", "/collections/c/points/query/groups", m.QueryGroupsRequest),
]
ALLOWED = (200, 400, 404, 409, 413, 422, 429, 501)  # 500 and 503: something is wrong with us
STRANGE = [None, True, -1, 0, 1.5, 2**63, 1e39, "", "x", "\u0000", "a.b[]", "a[", [], [[]], {}, {"": {}}, "2026-01-01T00:00:00Z"]
# Values that lead somewhere in the collection that is there.
TEXTS = ["", "s", "k", "n", "t", "c", "k.x", "l[].k", "now", "a b", "word"]
DEEPEST = 9


class Bodies:
    def __init__(self, model, chance):
        self.schema = TypeAdapter(model).json_schema()
        self.chance = chance

    def make(self):
        return self.of(self.schema, 0)

    def of(self, schema, depth):
        chance = self.chance
        if chance.random() < 0.02:
            return chance.choice(STRANGE)
        if "$ref" in schema:
            return self.of(self.schema["$defs"][schema["$ref"].rsplit("/", 1)[1]], depth)
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                simple = [one for one in schema[several] if "$ref" not in one and one.get("type") not in ("object", "array")]
                return self.of(chance.choice(simple if depth > DEEPEST and simple else schema[several]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return chance.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self.an_object(schema, depth)
        if kind == "array":
            return self.an_array(schema, depth)
        if kind == "string":
            return chance.choice(TEXTS)
        if kind == "integer":
            return chance.choice([0, 1, 2, 3, 10, chance.randrange(-2, 2**40)])
        if kind == "number":
            return chance.choice([0, 0.5, -1, 3, chance.uniform(-10, 10)])
        if kind == "boolean":
            return chance.random() < 0.5
        return None if kind == "null" else chance.choice([1, "s", {"k": 1}])

    def an_object(self, schema, depth):
        chance, made = self.chance, {}
        required = schema.get("required", [])
        for name, one in schema.get("properties", {}).items():
            if name in required or chance.random() < (0.25 if depth < DEEPEST else 0):
                made[name] = self.of(one, depth + 1)
        extra = schema.get("additionalProperties")
        if extra and depth <= DEEPEST:
            for _ in range(chance.randrange(3)):
                made[chance.choice(TEXTS)] = self.of(extra if isinstance(extra, dict) else {}, depth + 1)
        if required and chance.random() < 0.02:
            made.pop(chance.choice(required), None)
        return made

    def an_array(self, schema, depth):
        item = schema.get("items", {})
        if item.get("type") == "number" and self.chance.random() < 0.8:
            return [self.chance.uniform(-2, 2) for _ in range(4)]  # of the size that the collection takes
        return [self.of(item, depth + 1) for _ in range(self.chance.randrange(4) if depth < DEEPEST else 0)]


def prepare(vectors):
    for name in ("c", "made"):
        vectors.ask("DELETE", "/collections/" + name)
    body = {"vectors": {"size": 4, "distance": "Cosine"}, "sparse_vectors": {"s": {"modifier": "idf"}}}
    assert vectors.ask("PUT", "/collections/c", body)[0] == 200
    for field, kind in (("k", "keyword"), ("n", "integer"), ("t", "text")):
        assert vectors.ask("PUT", "/collections/c/index?wait=true", {"field_name": field, "field_schema": kind})[0] == 200
    points = [{"id": i, "vector": {"": [1, i, 2, 3], "s": {"indices": [i], "values": [1]}},
               "payload": {"k": "ab"[i % 2], "n": i, "t": "a word of many", "l": [{"k": {"x": i}}]}} for i in range(20)]
    assert vectors.ask("PUT", "/collections/c/points?wait=true", {"points": points})[0] == 200


def main():
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(os.environ.get("PANDORA_SEED", "1"))
    print(f"{requests} requests, seed {seed}", file=sys.stderr)
    chance = random.Random(seed)
    routes = [(method, path, Bodies(model, chance)) for method, path, model in ROUTES]
    vectors, statuses = Vectors(), {}
    try:
        for number in range(requests):
            if number % 300 == 0:
                prepare(vectors)
            method, path, bodies = routes[number % len(routes)]
            body = bodies.make()
            status, _, answer = vectors.ask(method, path, body)
            statuses[status] = statuses.get(status, 0) + 1
            why = f"request {number} of seed {seed}: {method} {path} {json.dumps(body)} gave {status} {answer!r}"
            assert status in ALLOWED, why
            assert status == 200 or answer["status"]["error"], why
        assert vectors.ask("GET", "/collections")[0] == 200
        assert vectors.end() == 0
    finally:
        vectors.remove()
    print(" ".join(f"{status}: {count}" for status, count in sorted(statuses.items())), file=sys.stderr)
    assert statuses.get(200, 0) * 10 > requests, "too few of the bodies were right"


if __name__ == "__main__":
    main()
