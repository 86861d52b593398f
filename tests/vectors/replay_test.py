"""What a real Qdrant 1.18.3 answered, asked again of `pandora vectors`.

Each scenario starts from nothing and is replayed in order. Compared are statuses, exactly, and bodies, without what
cannot be the same: times, numbers of operations and versions of points, the version of the server, figures of segments
and optimizers. Scores are compared to 1e-5, equal ones in any order; error texts only have to be there. What differs on
purpose stands in DIFFERENCES, each with its reason, and in docs/vectors.md.
"""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from served_vectors import Vectors

SOURCE = os.environ.get("PANDORA_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
RECORD = os.path.normpath(os.path.join(SOURCE, "../shared/data/qdrant-wire"))
SCENARIOS = ["collections", "points", "search-plain", "search-indexed", "search-dot", "search-euclid", "search-manhattan",
             "hybrid", "indexes", "snapshots"]
TOLERANCE = 1e-5
UNSEEN = {"time", "usage", "operation_id", "version", "commit", "segments_count", "indexed_vectors_count", "optimizer_status"}

# A request that this answers 501 is a part of Qdrant that is not served.
NOT_SERVED = [
    (r"/(facet|points/recommend|points/discover|points/(query|search)/groups|points/search/matrix/\w+)$", None),
    (r"/snapshots", None),
    (r"/points/query$", r'"(recommend|mmr|sample|discover|context|formula)":'),
    (r"/points/(query|count|scroll)$", r'"geo_(radius|bounding_box|polygon)":'),
    (r"/index", r'"field_schema": "geo"'),
]


def not_served(exchange):
    body = json.dumps(exchange.get("body"))
    return any(re.search(path, exchange["path"].split("?")[0]) and (pattern is None or re.search(pattern, body))
               for path, pattern in NOT_SERVED)


# (scenario, number of the exchange): the status that we answer instead, or None when only the body differs; and why.
DIFFERENCES = {
    ("collections", 54): (422, "a collection cannot be called `..`: refused like every other bad name, not with a 500"),
    ("hybrid", 102): (None, "document frequencies are of the vectors that are there; the record still counts one that was deleted"),
    ("points", 129): (None, "a batch is all or nothing: the point of its first operation is not there"),
}


def scores(points):
    return [p["score"] for p in points] if isinstance(points, list) and points and all(isinstance(p, dict) and "score" in p for p in points) else None


def same(ours, theirs, path=""):
    """Nothing when they are the same, otherwise where they differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(set(ours) | set(theirs)):
            if key in UNSEEN:
                continue
            if path.endswith(".payload_schema") and key == "loc":
                continue  # geographical indexes are not served
            if key == "params" and ".payload_schema." in path:
                left, right = ours.get(key, {}), theirs.get(key, {})
                found = same({k: v for k, v in left.items() if v is not None}, {k: v for k, v in right.items() if v is not None}, path + ".params")
                if found:
                    return found
                continue
            if key not in ours or key not in theirs:
                return f"{path}.{key}: {'missing' if key not in ours else 'not in the record'}"
            found = same(ours[key], theirs[key], f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(theirs, list) and isinstance(ours, list):
        if len(ours) != len(theirs):
            return f"{path}: {len(ours)} instead of {len(theirs)}"
        a, b = scores(ours), scores(theirs)
        if a is not None and b is not None:
            return same_ranking(ours, theirs, path)
        for i, (x, y) in enumerate(zip(ours, theirs)):
            found = same(x, y, f"{path}[{i}]")
            if found:
                return found
        return None
    if isinstance(theirs, bool) or isinstance(ours, bool) or not isinstance(theirs, (int, float)) or not isinstance(ours, (int, float)):
        return None if ours == theirs else f"{path}: {ours!r} instead of {theirs!r}"
    if isinstance(theirs, int) and isinstance(ours, int):
        return None if ours == theirs else f"{path}: {ours} instead of {theirs}"
    return None if abs(ours - theirs) <= TOLERANCE * max(1, abs(theirs)) else f"{path}: {ours} instead of {theirs}"


def same_ranking(ours, theirs, path):
    close = lambda x, y: abs(x - y) <= TOLERANCE * max(1, abs(y))
    for i, (x, y) in enumerate(zip(ours, theirs)):
        if not close(x["score"], y["score"]):
            return f"{path}[{i}].score: {x['score']} ({x['id']}) instead of {y['score']} ({y['id']})"
    by_id = {str(x["id"]): x for x in ours}
    last = theirs[-1]["score"]
    for y in theirs:
        x = by_id.get(str(y["id"]))
        if x is None:
            if close(y["score"], last):
                continue  # of several with the last score others may be shown
            return f"{path}: {y['id']} is missing"
        found = same({k: v for k, v in x.items() if k != "score"}, {k: v for k, v in y.items() if k != "score"}, f"{path}<{y['id']}>")
        if found:
            return found
    return None


class Replay(unittest.TestCase):
    maxDiff = None

    def replay(self, scenario):
        with open(os.path.join(RECORD, scenario + ".jsonl"), encoding="utf-8") as record:
            exchanges = [json.loads(line) for line in record]
        vectors = Vectors()
        self.addCleanup(vectors.remove)
        faults, served, differing = [], 0, 0
        for number, exchange in enumerate(exchanges):
            status, _, answer = vectors.ask(exchange["method"], exchange["path"], exchange.get("body"), exchange.get("raw"))
            name = f"{scenario} {number}: {exchange['method']} {exchange['path'][:80]} {(exchange.get('raw') or json.dumps(exchange.get('body')))[:200]}"
            if status == 501 and not_served(exchange):
                continue
            served += 1
            wanted, why = DIFFERENCES.get((scenario, number), (None, None))
            if status != (wanted or exchange["status"]):
                faults.append(f"{name}\n    status {status} instead of {exchange['status']}: {json.dumps(answer)[:300]}")
                continue
            if why:
                differing += 1
                continue
            theirs = exchange["answer"]
            if isinstance(theirs, dict) and "__text__" in theirs:
                theirs = theirs["__text__"]
            if status >= 400 and isinstance(theirs, dict):
                if not (isinstance(answer, dict) and answer.get("status", {}).get("error")):
                    faults.append(f"{name}\n    no text says why")
                continue
            found = same(answer, theirs)
            if found:
                faults.append(f"{name}\n    {found}")
        print(f"{scenario}: {len(exchanges)} exchanges, {served} served, {differing} differ on purpose, {len(faults)} wrong", file=sys.stderr)
        self.assertFalse(faults, "\n".join(["", *faults]))


for each in SCENARIOS:
    setattr(Replay, "test_" + each.replace("-", "_"), lambda self, scenario=each: self.replay(scenario))

if __name__ == "__main__":
    if not os.path.isdir(RECORD):
        print(f"SKIPPED: there is no record in {RECORD}", file=sys.stderr)
        sys.exit(77)
    unittest.main()
