#!/usr/bin/env python3
"""Turns from 64 clients through nginx and four gateways, each with an Orchestrator of its own, on one PostgreSQL, one `pandora vectors` and one
Redis, while each of these eleven is killed and started again at random; then a comparison. Clients go on until so many are acknowledged.

No acknowledged turn may be missing or changed, none doubled, also when it was refused and sent again; every number is given once, every
request is answered in time or broken off, and in the end there are as many points and directories as rows, and `pandora reconcile` finds no
difference. A key's limit is kept exactly over all gateways while Redis is there (rate_windows.py).
gateways_driver.py --pandora build/pandora --turns 10000 [--seed N]; prints the seed.
"""
import argparse
import collections
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../cli"))
from gate_processes import Killer, Outages, Process, balancer  # noqa: E402
from postgres_server import PostgresServer, answers, free_port  # noqa: E402
from rate_windows import LIMIT, RateWindows  # noqa: E402
from redis_server import RedisServer  # noqa: E402

CLIENTS = 64
GATEWAYS = 4
STREAMS = 0.9  # of all requests; the others are answered whole, which often is before they are acknowledged
MOST_TRIES = 4  # requests for each turn that shall be acknowledged, on average
TURNS_A_WINDOW = 250  # for each so many there is a key with a limit
ANSWER_SECONDS = 60  # the longest that a reply may take, on a busy machine
SETTLE_SECONDS = 240  # until all that was acknowledged is in its places


class Run:
    def __init__(self, arguments):
        self.turns, self.seed, self.pandora = arguments.turns, arguments.seed, arguments.pandora
        self.lock, self.next, self.over = threading.Lock(), 0, threading.Event()
        self.acknowledged, self.pending, self.said = {}, {}, collections.Counter()
        self.slowest, self.faults, self.killers, self.windows = 0.0, [], [], None
        self.home = tempfile.mkdtemp(prefix="pandora-gateways-", dir=arguments.directory)
        self.database, self.redis, self.points, self.balancer, self.model = None, None, None, None, None
        self.gateways, self.orchestrators = [], []

    def place(self, name):
        return os.path.join(self.home, name)

    def start(self):
        self.database, self.redis = PostgresServer("max_connections=100"), RedisServer()
        self.redis_outages = Outages(self.redis)
        self.model = subprocess.Popen([sys.executable, os.path.join(HERE, "bad_road.py"), "calm"], stdout=subprocess.PIPE, text=True)
        points, self.port = free_port(), free_port()
        self.environment = {**os.environ, **self.database.environment(), **self.redis.environment(), "PANDORA_ENCODER": "hashing", "PANDORA_POINTS_STORE": "qdrant",
                            "QDRANT_URL": f"http://127.0.0.1:{points}", "PANDORA_DOCUMENTS": self.place("documents"), "PANDORA_OBJECTS": self.place("objects"),
                            "PANDORA_MODEL_URL": "http://127.0.0.1:" + self.model.stdout.readline().strip()}
        self.environment.pop("PANDORA_DATA", None)
        self.points_url = self.environment["QDRANT_URL"]
        self.points = self.process("points", None, "vectors", "--set", f"vectors.port={points}", "--set", "vectors.path=" + self.place("points"))
        self.command("db", "migrate")
        self.key = self.command("keys", "create", "clients")["secret"]
        limited = [self.command("keys", "create", f"limited-{number}", "--requests", str(LIMIT)) for number in range(4 + self.turns // TURNS_A_WINDOW)]
        ports = [free_port() for _ in range(GATEWAYS)]
        for number, port in enumerate(ports):
            tools = free_port()
            self.orchestrators.append(self.process(f"orchestrator {number}", number, "orchestrator", "--set", f"orchestrator.port={tools}"))
            self.gateways.append(self.process(f"gateway {number}", number, "gateway", "--set", f"gateway.port={port}", "--set", f"tools.url=http://127.0.0.1:{tools}"))
        nginx = subprocess.run([os.path.join(HERE, "../../scripts/fetch_nginx")], capture_output=True, text=True, check=True).stdout.strip()
        self.balancer = balancer(nginx, self.home, self.port, ports, ANSWER_SECONDS)
        while not answers(self.port):
            time.sleep(0.02)
        self.windows = RateWindows([(one["key"]["id"], one["secret"]) for one in limited], ports, self.redis, self.redis_outages, self.counted_alone, self.over, self.fault)

    def counted_alone(self):
        return sum(open(one.log, "rb").read().count(b"cache.alone") for one in self.gateways)

    def process(self, name, number, command, *arguments):
        data = [] if number is None else ["--data", self.place(f"g{number}")]
        one = Process(name, [self.pandora, command, "--json", "--log-level", "warn", *data, *arguments], self.environment, self.place(name.replace(" ", "-") + ".log"))
        one.start()
        return one

    def command(self, *arguments, data="g0"):
        done = subprocess.run([self.pandora, *arguments, "--json", "--data", self.place(data)], env=self.environment, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode not in (0, 4):
            raise RuntimeError(f"{arguments}: {done.stderr}")
        return json.loads(done.stdout)

    # ── what happens to them ──

    def kill_them(self):
        def killer(name, between, parts):
            one = Killer(parts, random.Random(f"{self.seed} {name}"), between, self.over, self.fault)
            self.killers.append(one)
            one.start()

        killer("servers", (1, 4), [("PostgreSQL", self.database.stop, self.database.start), ("points", self.points.stop, self.points.start)])
        killer("Redis", (6, 18), [("Redis", self.redis_outages.stop, self.redis_outages.start)])
        for some in (0, 1):
            killer(f"gateways {some}", (1, 5), [(one.name, one.stop, one.start) for one in self.gateways[some::2]])
        killer("orchestrators", (0.3, 2.5), [(one.name, one.stop, one.start) for one in self.orchestrators])

    def kills(self):
        all_of_them = [item for one in self.killers for item in one.kills.items()]
        return ", ".join(f"{name} {count}" for name, count in sorted(all_of_them))

    def slowest_starts(self):
        found = collections.Counter()
        for one in self.killers:
            for name, seconds in one.slowest.items():
                kind = name.split(" ")[0]
                found[kind] = max(found[kind], seconds)
        return ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in sorted(found.items()))

    # ── clients ──

    def take_number(self):
        with self.lock:
            if len(self.acknowledged) >= self.turns or self.over.is_set():
                return None
            if self.next >= MOST_TRIES * self.turns:
                self.over.set()
                return None
            self.next += 1
            return self.next

    def client(self, name):
        chance = random.Random(f"{self.seed} client {name}")
        while (number := self.take_number()) is not None:
            message = f"Note number {number} of {name}: the {chance.choice(('red', 'blue', 'old', 'new'))} key fits door {chance.randrange(10**6)}."
            streams = chance.random() < STREAMS
            while self.say(name, message, streams) == "refused" and not self.over.wait(1 + chance.random()):
                pass

    def say(self, name, message, streams):
        """How it ended: "refused" is before anything of it was kept, so it may be said again."""
        began, connection = time.monotonic(), http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS + 5)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps({"model": "pandora", "stream": streams, "messages": [{"role": "user", "content": message}]}),
                               {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}", "Pandora-Session": f"session-{name}"})
            response = connection.getresponse()
            return self.note(message, response, response.read().decode(), streams)
        except (OSError, http.client.HTTPException, ValueError) as error:  # its gateway was killed while it spoke
            with self.lock:
                self.said[f"broken off ({type(error).__name__})"] += 1
            return "broken off"
        finally:
            connection.close()
            with self.lock:
                self.slowest = max(self.slowest, time.monotonic() - began)

    def note(self, message, response, body, streams):
        acknowledged, turn = response.headers["Pandora-Acknowledged"], response.headers["Pandora-Turn"]
        if response.status != 200:
            error = json.loads(body)["error"]
            ended = f"{response.status} {error['code'] or error['type']}: {error['message'][:70]}"
            if response.status == 503 and response.headers["Retry-After"] is None:
                self.fault(f"a refusal without Retry-After: {body[:300]}")
        elif streams:
            last = [block for block in body.split("\n\n") if block.startswith("event: pandora.turn")]
            said = json.loads(last[0].split("data: ", 1)[1]) if last else {"acknowledged": None, "turn": None}
            acknowledged, turn = {True: "true", False: "false", None: None}[said["acknowledged"]], said["turn"]
            ended = {"true": "stream acknowledged", "false": f"stream not acknowledged: {said.get('error')}"}.get(acknowledged, "stream broken off")
        else:
            ended = f"whole, acknowledged: {acknowledged}"
        with self.lock:
            self.said[ended] += 1
            if acknowledged == "true":
                self.acknowledged[message] = turn
            elif acknowledged == "pending":
                self.pending[message] = turn
        nothing_kept = response.status == 429 or (response.status == 503 and turn is None and error["code"] != "broken_off")
        return "refused" if nothing_kept else "over"

    def fault(self, what):
        with self.lock:
            self.faults.append(what)

    # ── afterwards ──

    def settle(self):
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            status = [self.command("status", data=f"g{number}") for number in range(GATEWAYS)]
            if all(one["pending"] == 0 and one["outbox"] == 0 and not one["rows_error"] for one in status):
                break
            if time.monotonic() > end:
                return self.fault("it does not settle: " + str([(one["pending"], one["outbox"], one["last_error"], one["rows_error"]) for one in status]))
            time.sleep(0.2)
        dead = [one for one in status[0]["journals"] if one["silent"]]
        if dead or len(status[0]["journals"]) != GATEWAYS:
            self.fault(f"journals: {status[0]['journals']}")

    def compare(self):
        rows = self.database.sql("SELECT json_build_object('number', turn_number, 'uid', turn_uid, 'text', document::json -> 'message' ->> 'text') FROM pandora.turns ORDER BY turn_number", database="pandora")
        kept = collections.defaultdict(list)
        numbers = []
        for line in rows.splitlines():
            row = json.loads(line)
            kept[row["text"]].append(row["uid"])
            numbers.append(row["number"])
        self.kept = kept
        for message, turn in self.acknowledged.items():
            if kept.get(message) != [turn]:
                self.fault(f"acknowledged as {turn}, kept as {kept.get(message)}: {message}")
        for message, turns in kept.items():
            if len(turns) > 1:
                self.fault(f"kept {len(turns)} times: {message}")
        self.tools_run = int(self.database.sql("SELECT count(*) FROM pandora.observability WHERE kind = 'tool' AND ok", database="pandora"))
        if len(set(numbers)) != len(numbers):
            self.fault("a number was given twice")
        folders = sorted(int(name[5:]) for name in os.listdir(self.place("documents/turns")))
        if folders != numbers:
            self.fault(f"{len(folders)} directories of {len(numbers)} rows; first that differ: {sorted(set(folders) ^ set(numbers))[:5]}")
        poor = [number for number in folders if not self.says_all(number)]
        if poor:
            self.fault(f"{len(poor)} directories were made of their rows alone, the first: {poor[0]}")
        with urllib.request.urlopen(urllib.request.Request(self.points_url + "/collections/turns/points/count", b'{"exact": true}', {"Content-Type": "application/json"}), timeout=60) as answer:
            points = json.load(answer)["result"]["count"]
        if points != len(numbers):
            self.fault(f"{points} points of {len(numbers)} rows")
        differences = self.command("reconcile")["differences"]
        if differences:
            self.fault(f"{len(differences)} differences, the first: {differences[0]}")
        quarantine = self.place("documents/quarantine")
        aside = os.listdir(quarantine) if os.path.isdir(quarantine) else []
        self.torn = [name for name in aside if "-set_aside-journal-" in name]  # who was killed in the middle of a record had not acknowledged it
        if len(self.torn) != len(aside):
            self.fault(f"set aside: {[name for name in aside if name not in self.torn][:5]}")
        return len(numbers), points, len(folders)

    def says_all(self, number):
        """What was gathered and done stands in the journal's record alone, in no row."""
        with open(self.place(f"documents/turns/turn_{number:06}/context.md"), encoding="utf-8") as file:
            return "made again from the index" not in file.read()

    def stop(self):
        for one in [*self.gateways, *self.orchestrators, self.points]:
            if one:
                one.stop(signal.SIGTERM)
        for one in (self.balancer, self.model):
            if one:
                one.terminate()
                one.wait()
        for one in (self.database, self.redis):
            if one:
                one.close()

    def all_of_it(self):
        began = time.monotonic()
        try:
            self.start()
            self.windows.first()
            self.kill_them()
            clients = [threading.Thread(target=self.client, args=(name,)) for name in range(CLIENTS)]
            for one in [*clients, self.windows]:
                one.start()
            for one in clients:
                one.join()
            spoken = time.monotonic() - began
            self.over.set()
            for one in [*self.killers, self.windows]:
                one.join()
            print(f"{self.next} turns asked for in {spoken:.0f} s, {len(self.acknowledged)} acknowledged, slowest answer {self.slowest:.1f} s")
            print(f"killed: {self.kills()}\nslowest until it was back: {self.slowest_starts()}")
            for how, count in self.said.most_common():
                print(f"  {count:6} {how}")
            print(f"a limit of {LIMIT} a minute over {GATEWAYS} gateways: kept exactly in {self.windows.exact} windows ({self.windows.admitted} admitted and answered, "
                  f"{self.windows.unknown} admitted and broken off); left out: {dict(self.windows.left_out) or 'none'}", flush=True)
            self.settle()
            rows, points, folders = self.compare()
        finally:
            self.over.set()
            for one in self.killers:
                one.join()
            self.stop()
        if self.slowest > ANSWER_SECONDS:
            self.fault(f"a reply took {self.slowest:.1f} s")
        if self.balancer.returncode not in (0, -signal.SIGTERM):
            self.fault(f"the balancer ended: {self.balancer.returncode}")
        if len(self.acknowledged) < self.turns:
            self.fault(f"only {len(self.acknowledged)} of {self.next} were acknowledged")
        if not self.windows.exact:
            self.fault("no window of a limit was looked at to its end")
        if not self.tools_run:
            self.fault("no tool ran")
        late = sum(message in self.kept for message in self.pending)
        print(f"{rows} rows, {points} points, {folders} directories; of {len(self.pending)} answered while they were pending {late} are kept; "
              f"{self.tools_run} tools ran; {len(self.torn)} torn ends of journals set aside; settled and compared {time.monotonic() - began - spoken:.0f} s later")
        return self.faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pandora", required=True)
    parser.add_argument("--turns", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--directory", help="where its data lies while it runs (a temporary directory of the system)")
    parser.add_argument("--keep", action="store_true", help="leave the data where it is")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    run = Run(arguments)
    try:
        faults = run.all_of_it()
    finally:
        if not arguments.keep:
            shutil.rmtree(run.home, ignore_errors=True)
    for fault in faults[:20]:
        print("FAULT:", fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
