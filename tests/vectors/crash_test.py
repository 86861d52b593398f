"""kill -9 in the middle of concurrent writes with wait=true: no acknowledged point is lost, no start is refused.

Usage: crash_test.py [kills] [seed]; the seed is printed. Several writers put, change and delete points of their own, some of them
thousands at once, so that parts are written meanwhile; what each was told is compared with what is there after the next start. A
write that was under way when the process died may have been done or not, but as a whole.
"""
import http.client
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from served_vectors import Vectors

WRITERS = 6
POINTS_EACH = 40
BULK_WRITERS = 2
BULK_POINTS = 2500  # of one request: every few requests parts are written
BULK_BASE = 1_000_000
QUERY = "?wait=true"
PROGRESS_EVERY = 100  # kills


class Writer(threading.Thread):
    def __init__(self, number, port, known, seed):
        super().__init__(daemon=True)
        self.number, self.port, self.known = number, port, known
        self.random = random.Random(seed)
        self.doubtful = {}  # id → what it may be instead

    def ids(self):
        if self.number < BULK_WRITERS:
            return list(range(BULK_BASE + self.number * BULK_POINTS, BULK_BASE + (self.number + 1) * BULK_POINTS))
        return self.random.sample(range(self.number * 1000, self.number * 1000 + POINTS_EACH), self.random.randint(1, 3))

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            while True:
                ids = self.ids()
                gone = self.random.random() < 0.2
                value = None if gone else self.random.getrandbits(40)
                path, body = "/points/delete", {"points": ids}
                if not gone:
                    path, body = "/points", {"points": [{"id": i, "vector": [1, i % 7, 2, 3], "payload": {"v": value}} for i in ids]}
                self.doubtful = {i: value for i in ids}
                connection.request("POST" if gone else "PUT", "/collections/c" + path + QUERY, json.dumps(body), {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer = response.read()
                if response.status != 200:
                    raise AssertionError(f"{response.status} {answer!r}")
                for i in ids:
                    self.known[i] = value
                self.doubtful = {}
        except (OSError, http.client.HTTPException):
            pass  # it was killed


def state(vectors):
    points, offset = {}, None
    while True:
        status, _, answer = vectors.ask("POST", "/collections/c/points/scroll", {"limit": 1000, "offset": offset})
        assert status == 200, answer
        for point in answer["result"]["points"]:
            points[point["id"]] = point["payload"]["v"]
        offset = answer["result"]["next_page_offset"]
        if offset is None:
            return points


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(os.environ.get("PANDORA_SEED", "1"))
    print(f"{kills} kills, seed {seed}", file=sys.stderr)
    chance = random.Random(seed)
    vectors = Vectors()
    known, lost, writes = {}, 0, 0
    try:
        status, _, answer = vectors.ask("PUT", "/collections/c", {"vectors": {"size": 4, "distance": "Cosine"}})
        assert status == 200, answer
        for kill in range(kills):
            writers = [Writer(n, vectors.port, {}, chance.getrandbits(32)) for n in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.002, 0.15))  # the moment is the point of it
            vectors.kill()
            doubtful = {}
            for writer in writers:
                writer.join()
                writes += len(writer.known)
                known.update(writer.known)
                doubtful.update(writer.doubtful)
            vectors.start()
            there = state(vectors)
            for n in range(BULK_WRITERS):
                first = BULK_BASE + n * BULK_POINTS
                values = {there.get(i) for i in range(first, first + BULK_POINTS)}
                if len(values) != 1:
                    lost += 1
                    print(f"kill {kill}: of one request {len(values)} states are there", file=sys.stderr)
            for i in set(known) | set(there) | set(doubtful):
                found = there.get(i)
                if found != known.get(i) and not (i in doubtful and found == doubtful[i]):
                    lost += 1
                    print(f"kill {kill}: point {i} is {found}, it was acknowledged as {known.get(i)}", file=sys.stderr)
                known[i] = found
            if (kill + 1) % PROGRESS_EVERY == 0:
                print(f"{kill + 1} kills, {writes} acknowledged changes, {lost} lost", file=sys.stderr)
    finally:
        vectors.remove()
    print(f"{kills} kills, {writes} acknowledged changes, {lost} lost, 0 refused starts", file=sys.stderr)
    return 1 if lost or writes == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
