"""Random operations on `pandora vectors`, through Qdrant's own client, and on that client's mode in memory: every answer
is compared. Usage: qdrant_property.py [operations] [seed]; the seed is printed.

Left out is where the mode in memory is another thing than a server (the record of a real one, replay_test.py, holds us to
that): errors, the order of equal scores, fusion by distribution, document frequencies after deletions, keys of payloads
deleted below the top level, nulls in a payload that is set, and how many values a field has that is not there.
"""
import copy
import os
import random
import sys
import uuid
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors"))
warnings.filterwarnings("ignore")

from qdrant_client import QdrantClient, models as m
from served_vectors import Vectors

TOLERANCE = 2e-4
KINDS = {
    "plain": dict(vectors_config=m.VectorParams(size=4, distance=m.Distance.COSINE),
                  sparse_vectors_config={"words": m.SparseVectorParams(), "raw": m.SparseVectorParams()}),
    "named": dict(vectors_config={"dot": m.VectorParams(size=3, distance=m.Distance.DOT),
                                  "euclid": m.VectorParams(size=5, distance=m.Distance.EUCLID),
                                  "manhattan": m.VectorParams(size=2, distance=m.Distance.MANHATTAN)}),
}
SIZES = {"plain": {"": 4}, "named": {"dot": 3, "euclid": 5, "manhattan": 2}}
SPARSE = {"plain": ["words", "raw"], "named": []}
INDEXES = {"number": "integer", "kind": "keyword", "tags": "keyword", "score": "float", "flag": "bool", "when": "datetime", "deep.x": "integer"}


class Disagreement(AssertionError):
    pass


class Property:
    def __init__(self, seed, server):
        self.random = random.Random(seed)
        self.local = QdrantClient(":memory:")
        self.remote = QdrantClient(url=server.url, timeout=30)
        for name, config in KINDS.items():
            for client in (self.local, self.remote):
                client.create_collection(name, **config)
        self.ids = list(range(1, 31)) + [str(uuid.UUID(int=self.random.getrandbits(128), version=4)) for _ in range(20)]
        self.indexed = {}

    # ── values ──
    def number(self):
        return round(self.random.uniform(-1, 1), 3)

    def dense(self, size):
        vector = [self.number() for _ in range(size)]
        return vector if any(vector) else [0.5] * size

    def sparse(self):
        indices = self.random.sample(range(25), self.random.randint(1, 6))
        return m.SparseVector(indices=sorted(indices), values=[round(self.random.uniform(0.1, 2), 3) for _ in indices])

    def vectors(self, kind, every=True):
        chosen = {}
        for name, size in SIZES[kind].items():
            if every or self.random.random() < 0.6:
                chosen[name] = self.dense(size)
        for name in SPARSE[kind]:
            if self.random.random() < 0.7:
                chosen[name] = self.sparse()
        return chosen

    def time(self):
        return f"2026-{self.random.randint(1, 12):02}-{self.random.randint(1, 28):02}T{self.random.randint(0, 23):02}:00:00Z"

    def payload(self):
        choices = {"number": lambda: self.random.randint(0, 9), "kind": lambda: self.random.choice("abc"),
                   "tags": lambda: self.random.sample(["x", "y", "z", "w"], self.random.randint(0, 3)),
                   "score": lambda: self.number(), "flag": lambda: self.random.random() < 0.5, "when": self.time,
                   "deep": lambda: {"x": self.random.randint(0, 4), "list": [{"n": self.random.randint(0, 3), "m": self.random.choice("pq")} for _ in range(self.random.randint(0, 3))]},
                   "text": lambda: " ".join(self.random.sample(["red", "fox", "blue", "sky", "Green"], 3)), "nothing": lambda: None}
        return {key: make() for key, make in choices.items() if self.random.random() < 0.6}

    def condition(self, depth):
        r = self.random
        field = lambda key, **how: m.FieldCondition(key=key, **how)
        choices = [
            lambda: field("number", match=m.MatchValue(value=r.randint(0, 9))),
            lambda: field("kind", match=m.MatchValue(value=r.choice("abcd"))),
            lambda: field("tags", match=m.MatchAny(any=r.sample(["x", "y", "z"], r.randint(1, 2)))),
            lambda: field("kind", match=m.MatchExcept(**{"except": r.sample("abc", r.randint(1, 2))})),
            lambda: field("flag", match=m.MatchValue(value=r.random() < 0.5)),
            lambda: field("score", range=m.Range(gte=self.number())),
            lambda: field("number", range=m.Range(gt=r.randint(0, 5), lte=r.randint(4, 9))),
            lambda: field("when", range=m.DatetimeRange(gte=self.time())),
            lambda: field("tags", values_count=m.ValuesCount(gte=r.randint(1, 2))),
            lambda: field("text", match=m.MatchText(text=r.choice(["red", "fox", "sky"]))),
            lambda: field("deep.x", match=m.MatchValue(value=r.randint(0, 4))),
            lambda: field("deep.list[].n", match=m.MatchValue(value=r.randint(0, 3))),
            lambda: m.IsEmptyCondition(is_empty=m.PayloadField(key=r.choice(["tags", "number", "nothing", "deep.list"]))),
            lambda: m.IsNullCondition(is_null=m.PayloadField(key=r.choice(["nothing", "kind"]))),
            lambda: m.HasIdCondition(has_id=r.sample(self.ids, 8)),
            lambda: m.NestedCondition(nested=m.Nested(key="deep.list", filter=m.Filter(must=[
                field("n", match=m.MatchValue(value=r.randint(0, 3))), field("m", match=m.MatchValue(value=r.choice("pq")))]))),
        ]
        if depth > 0:
            choices += [lambda: self.filter(depth - 1)] * 2
        return r.choice(choices)()

    def filter(self, depth=1):
        r = self.random
        some = lambda: [self.condition(depth) for _ in range(r.randint(1, 2))]
        given = {part: some() for part in ("must", "should", "must_not") if r.random() < 0.45}
        if not given:
            given["must"] = some()
        return m.Filter(**given)

    def maybe_filter(self):
        return self.filter() if self.random.random() < 0.6 else None

    def alive(self):
        return [p.id for p in self.local.scroll(self.kind, limit=1000, with_payload=False)[0]]

    def some_alive(self):
        alive = self.alive()
        return self.random.sample(alive, min(len(alive), self.random.randint(1, 4)))

    # ── comparing ──
    def both(self, what, call, compare):
        ours, theirs = call(self.remote), call(self.local)
        fault = compare(ours, theirs)
        if fault:
            raise Disagreement(f"{what}: {fault}\n  ours   {str(ours)[:1500]}\n  theirs {str(theirs)[:1500]}")

    @staticmethod
    def close(a, b):
        return abs(a - b) <= TOLERANCE * max(1, abs(b))

    def same_value(self, a, b):
        if isinstance(a, float) or isinstance(b, float):
            return isinstance(a, (int, float)) and isinstance(b, (int, float)) and self.close(a, b)
        if isinstance(a, list) and isinstance(b, list):
            return len(a) == len(b) and all(self.same_value(x, y) for x, y in zip(a, b))
        if isinstance(a, dict) and isinstance(b, dict):
            return a.keys() == b.keys() and all(self.same_value(a[k], b[k]) for k in a)
        if hasattr(a, "indices") and hasattr(b, "indices"):
            x, y = dict(zip(a.indices, a.values)), dict(zip(b.indices, b.values))
            return self.same_value(x, y)
        return a == b

    def same_records(self, ours, theirs):
        if [p.id for p in ours] != [p.id for p in theirs]:
            return f"{[p.id for p in ours]} instead of {[p.id for p in theirs]}"
        for a, b in zip(ours, theirs):
            if not self.same_value(a.payload or {}, b.payload or {}):
                return f"payload of {a.id}: {a.payload} instead of {b.payload}"
            if not self.same_value(a.vector or {}, b.vector or {}):
                return f"vector of {a.id}: {a.vector} instead of {b.vector}"
        return None

    def same_ranking(self, ours, theirs):
        if len(ours) != len(theirs):
            return f"{len(ours)} instead of {len(theirs)}"
        for i, (a, b) in enumerate(zip(ours, theirs)):
            if not self.close(a.score, b.score):
                return f"score {i}: {a.score} ({a.id}) instead of {b.score} ({b.id})"
        mine = {p.id: p for p in ours}
        for b in theirs:
            a = mine.get(b.id)
            if a is None:
                if not self.close(b.score, theirs[-1].score):
                    return f"{b.id} is missing"
            elif not self.same_value(a.payload or {}, b.payload or {}):
                return f"payload of {b.id}"
        return None

    # ── operations ──
    def upsert(self):
        points = [m.PointStruct(id=i, vector=self.vectors(self.kind, self.random.random() < 0.8), payload=self.payload())
                  for i in self.random.sample(self.ids, self.random.randint(1, 5))]
        for client in (self.local, self.remote):
            client.upsert(self.kind, points)

    def delete(self):
        selector = m.FilterSelector(filter=self.filter()) if self.random.random() < 0.2 else m.PointIdsList(points=self.random.sample(self.ids, 2))
        for client in (self.local, self.remote):
            client.delete(self.kind, selector)

    def change_payload(self):
        points = self.some_alive()
        if not points:
            return
        how, payload, keys = self.random.randrange(5), self.payload(), self.random.sample(["number", "kind", "flag", "tags"], 2)
        key = self.random.choice([None, None, "deep"])
        for client in (self.local, self.remote):
            # The mode in memory keeps what it is given, so points must not be given the same object.
            for given in [[point] for point in points] if client is self.local else [points]:
                if how == 0:
                    client.overwrite_payload(self.kind, copy.deepcopy(payload), given)
                elif how == 1:
                    client.delete_payload(self.kind, keys, given)
                elif how == 2:
                    client.clear_payload(self.kind, m.PointIdsList(points=given))
                else:
                    some = {name: value for name, value in payload.items() if value is not None}
                    client.set_payload(self.kind, copy.deepcopy(some), given, key=key)

    def change_vectors(self):
        points = self.some_alive()
        if not points:
            return
        if self.random.random() < 0.3:
            name = self.random.choice(list(SIZES[self.kind]) + SPARSE[self.kind])
            for client in (self.local, self.remote):
                client.delete_vectors(self.kind, [name], points)
            return
        changed = [m.PointVectors(id=i, vector=self.vectors(self.kind, False)) for i in points]
        changed = [c for c in changed if c.vector]
        if changed:
            for client in (self.local, self.remote):
                client.update_vectors(self.kind, changed)

    def index(self):
        field = self.random.choice(list(INDEXES))
        if self.random.random() < 0.3:
            self.remote.delete_payload_index(self.kind, field)
        else:
            self.remote.create_payload_index(self.kind, field, INDEXES[field])

    def target(self):
        """(name of a vector, one of its kind)"""
        named = self.random.choice(list(SIZES[self.kind]) + SPARSE[self.kind])
        return named, self.dense(SIZES[self.kind][named]) if named in SIZES[self.kind] else self.sparse()

    def threshold(self, named):
        return round(self.random.uniform(0.2, 2), 3) if named in ("euclid", "manhattan") else self.number()

    def query(self):
        r = self.random
        named, vector = self.target()
        if r.random() < 0.2:
            asked = self.some_alive()
            have = [p.id for p in self.local.retrieve(self.kind, asked, with_vectors=True) if (named in p.vector if isinstance(p.vector, dict) else named == "")]
            vector = have[0] if have else vector
        given = dict(query=vector, using=named or None, limit=r.randint(1, 12), query_filter=self.maybe_filter(),
                     with_payload=r.choice([True, True, ["kind", "deep.x"], m.PayloadSelectorExclude(exclude=["tags", "deep.list"])]))
        if r.random() < 0.3:
            given["offset"] = r.randint(0, 6)
        if r.random() < 0.3:
            given["score_threshold"] = self.threshold(named)
        self.both(f"query {given}", lambda c: c.query_points(self.kind, **given).points, self.same_ranking)

    def query_batch(self):
        requests = []
        for _ in range(self.random.randint(1, 3)):
            named, vector = self.target()
            requests.append(m.QueryRequest(query=vector, using=named or None, limit=self.random.randint(1, 5), filter=self.maybe_filter(), with_payload=True))
        def compare(ours, theirs):
            faults = [self.same_ranking(a.points, b.points) for a, b in zip(ours, theirs)]
            return next((f for f in faults if f), None) if len(ours) == len(theirs) else f"{len(ours)} answers"
        self.both(f"batch {requests}", lambda c: c.query_batch_points(self.kind, requests), compare)

    # The last of several with the same score is anybody's, so prefetches ask for more than there is.
    def prefetch(self, depth=1):
        named, vector = self.target()
        inner = [self.prefetch(depth - 1)] if depth > 0 and self.random.random() < 0.4 else None
        return m.Prefetch(query=vector, using=named or None, limit=100, filter=self.musts(), prefetch=inner)

    def musts(self):
        return m.Filter(must=[self.condition(0)]) if self.random.random() < 0.4 else None

    def rank_again(self):
        named, vector = self.target()
        given = dict(prefetch=[self.prefetch(2) for _ in range(self.random.randint(1, 3))], query=vector, using=named or None, limit=10, query_filter=self.musts())
        self.both(f"ranked again {given}", lambda c: c.query_points(self.kind, **given).points, self.same_ranking)

    def fuse(self):
        if self.kind != "plain":
            return
        prefetch = [m.Prefetch(query=self.dense(4), limit=8, filter=self.maybe_filter()), m.Prefetch(query=self.dense(4), limit=6)]
        given = dict(prefetch=prefetch, query=m.FusionQuery(fusion=m.Fusion.RRF), limit=10)
        self.both(f"fusion {given}", lambda c: c.query_points(self.kind, **given).points, self.same_ranking)

    def scroll(self):
        given = dict(scroll_filter=self.maybe_filter(), limit=self.random.randint(1, 60), with_vectors=self.random.random() < 0.4,
                     with_payload=self.random.choice([True, True, ["kind", "deep.x"], m.PayloadSelectorExclude(exclude=["tags", "deep.list"])]))
        if self.random.random() < 0.4:
            given["offset"] = self.random.choice(self.ids)
        def compare(ours, theirs):
            return f"next is {ours[1]} instead of {theirs[1]}" if ours[1] != theirs[1] else self.same_records(ours[0], theirs[0])
        self.both(f"scroll {given}", lambda c: c.scroll(self.kind, **given), compare)

    # Values that are alike stand in any order, so all are asked for.
    def scroll_by_value(self):
        self.remote.create_payload_index(self.kind, "score", "float")
        start = self.number() if self.random.random() < 0.5 else None
        order = m.OrderBy(key="score", direction=self.random.choice([None, "asc", "desc"]), start_from=start)
        given = dict(scroll_filter=self.maybe_filter(), limit=100, order_by=order)
        def compare(ours, theirs):
            values = lambda records: [round(r.payload["score"], 3) for r in records]
            if values(ours) != values(theirs):
                return f"{values(ours)} instead of {values(theirs)}"
            by_id = lambda records: sorted(records, key=lambda r: str(r.id))
            return self.same_records(by_id(ours), by_id(theirs))
        self.both(f"in order {given}", lambda c: c.scroll(self.kind, **given)[0], compare)

    def count(self):
        given = self.maybe_filter()
        self.both(f"count {given}", lambda c: c.count(self.kind, count_filter=given).count, lambda a, b: None if a == b else f"{a} instead of {b}")

    def retrieve(self):
        ids = self.random.sample(self.ids, 6)
        by_id = lambda records: sorted(records, key=lambda r: str(r.id))
        self.both(f"retrieve {ids}", lambda c: by_id(c.retrieve(self.kind, ids, with_payload=True, with_vectors=True)), self.same_records)

    def run(self, operations):
        steps = [self.upsert] * 5 + [self.delete] + [self.change_payload] * 3 + [self.change_vectors] * 2 + [self.index] + \
                [self.query] * 6 + [self.query_batch, self.rank_again, self.fuse, self.scroll_by_value] + [self.scroll] * 3 + [self.count] * 4 + [self.retrieve] * 2
        for number in range(operations):
            self.kind = self.random.choice(list(KINDS))
            step = self.random.choice(steps)
            try:
                step()
            except Exception as error:
                raise Disagreement(f"operation {number} ({self.kind}, {step.__name__}): {error}") from error


def main():
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(os.environ.get("PANDORA_SEED", "1"))
    print(f"{operations} operations, seed {seed}", file=sys.stderr)
    server = Vectors()
    try:
        Property(seed, server).run(operations)
    except Disagreement as error:
        print(f"seed {seed}: {error}", file=sys.stderr)
        return 1
    finally:
        server.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
