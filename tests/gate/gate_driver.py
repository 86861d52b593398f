#!/usr/bin/env python3
"""Turns through `pandora serve` whose model server is reached over a bad road (bad_road.py), then a comparison. With --apart it is
`pandora gateway` and `pandora orchestrator`, and the road between those two is as bad.

No acknowledged turn may be missing, doubled or changed; every request is answered, and in time. Memory grows by
what stays in it of a kept turn, and by the mapped files of the index, which the system can take back: of those no more is resident than
lies on disk. Turns that keep nothing follow, and then both are flat. gate_driver.py --pandora build/pandora --turns 10000 [--apart] [--seed N]; prints the seed.
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
import typing

CLIENTS = 16
PATIENCE_MS = 1000  # of Pandora with the model server
ANSWER_SECONDS = 20  # the longest that a reply may take: some attempts, each with its patience, on a busy machine
FIRST_TURNS = 1000  # after so many every cache and pool has its size
BYTES_A_TURN = 3 * 1024  # of memory of its own for a kept turn, at most
SLACK = 12 << 20  # the index's tail that is not in files yet, and caches that fill


class Memory(typing.NamedTuple):
    """Bytes: of the process's own, and of mapped files, its program among them."""
    own: int
    files: int


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return Memory(*(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile")))


def bytes_under(folder):
    return sum(os.path.getsize(os.path.join(where, name)) for where, _, names in os.walk(folder) for name in names)


class Run:
    def __init__(self, arguments):
        self.turns, self.seed, self.apart = arguments.turns, arguments.seed, arguments.apart
        self.tools_run, self.processes = 0, []
        self.lock, self.next = threading.Lock(), 0
        self.acknowledged, self.said = {}, {}  # message → turn; message → how the request ended
        self.slowest, self.faults, self.memory, self.tools_memory = 0.0, [], [], []
        self.home = tempfile.mkdtemp(prefix="pandora-gate-", dir=arguments.directory)
        self.environment = {**os.environ, "PANDORA_DATA": os.path.join(self.home, "data"), "PANDORA_ENCODER": "hashing",
                            "PANDORA_MODEL_FIRST_TOKEN_MS": str(PATIENCE_MS), "PANDORA_MODEL_IDLE_MS": str(PATIENCE_MS)}
        self.pandora = arguments.pandora

    def start(self):
        self.environment["PANDORA_MODEL_URL"] = self.road(str(self.seed))
        self.orchestrator = None
        if self.apart:
            self.orchestrator, port = self.listen("orchestrator", "orchestrator.port=0")
            self.environment["PANDORA_TOOLS_URL"] = self.road(f"{self.seed} tools", str(port))
        self.serve, self.port = self.listen("gateway" if self.apart else "serve", "gateway.port=0")

    def road(self, *arguments):
        """The URL of a bad road."""
        here = os.path.dirname(os.path.abspath(__file__))
        process = subprocess.Popen([sys.executable, os.path.join(here, "bad_road.py"), *arguments], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return "http://127.0.0.1:" + process.stdout.readline().strip()

    def listen(self, command, setting):
        """A process of Pandora's, and its port."""
        process = subprocess.Popen([self.pandora, command, "--json", "--log-level", "error", "--set", setting], stdout=subprocess.PIPE, text=True, env=self.environment)
        self.processes.insert(0, process)  # ended before its roads
        return process, int(json.loads(process.stdout.readline())["url"].rsplit(":", 1)[1])

    def phase(self, turns, memory):
        """So many turns by all clients, each with the next number."""
        self.memory_use, self.end = memory, self.next + turns
        clients = [threading.Thread(target=self.client, args=(name,)) for name in range(CLIENTS)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        self.note_memory(self.next)

    def note_memory(self, number):
        self.memory.append((number, resident(self.serve.pid)))
        if self.orchestrator:
            self.tools_memory.append((number, resident(self.orchestrator.pid)))

    def client(self, name):
        chance = random.Random(f"{self.seed} client {name} from {self.next}")
        connection = None
        while True:
            with self.lock:
                if self.next == self.end:
                    return
                self.next += 1
                number = self.next
                if number % 500 == 0 or number == FIRST_TURNS:
                    self.note_memory(number)
            message = f"Note number {number} of {name}: the {chance.choice(('red', 'blue', 'old', 'new'))} key fits door {chance.randrange(10**6)}."
            streams, began = chance.random() < 0.5, time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
                connection.request("POST", "/v1/chat/completions", json.dumps({"model": "pandora", "stream": streams, "messages": [{"role": "user", "content": message}]}),
                                   {"Content-Type": "application/json", "Pandora-Session": f"session-{name}", "Pandora-Memory": self.memory_use})
                response = connection.getresponse()
                body = response.read().decode()
                self.note(message, response, body, streams)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.fault(f"{message}: {error!r}")
                connection = None
            with self.lock:
                self.slowest = max(self.slowest, time.monotonic() - began)

    def note(self, message, response, body, streams):
        """What the client was told of its turn."""
        ended, turn = f"status {response.status}", response.headers["Pandora-Turn"]
        acknowledged = response.headers["Pandora-Acknowledged"] == "true"
        if streams and response.status == 200:
            last = [block for block in body.split("\n\n") if block.startswith("event: pandora.turn")]
            if len(last) != 1:
                return self.fault(f"{message}: its stream does not say how it ended: {body[-300:]}")
            said = json.loads(last[0].split("data: ", 1)[1])
            acknowledged, turn, ended = said["acknowledged"], said["turn"], "stream " + ("whole" if "data: [DONE]" in body else "broken off")
            if "data: [DONE]" in body and "heard: " in body:
                words = "".join(json.loads(line[6:])["choices"][0]["delta"].get("content") or "" for line in body.split("\n") if line.startswith('data: {"') and '"choices":[{' in line)
                if not words.endswith("heard: " + message):
                    self.fault(f"{message}: a whole stream says {words!r}")
        with self.lock:
            self.said[message] = ended
            if acknowledged:
                self.acknowledged[message] = turn

    def fault(self, what):
        with self.lock:
            self.faults.append(what)

    def compare(self):
        """Everything that was acknowledged is there once, as it was said; nothing is there twice."""
        exported = subprocess.run([self.pandora, "export"], env=self.environment, capture_output=True, text=True, check=True, timeout=600).stdout
        kept = collections.defaultdict(list)
        for line in exported.splitlines():
            if (turn := json.loads(line).get("turn")) is not None:
                kept[turn["message"]["text"]].append(turn["uid"])
                self.tools_run += sum(row["kind"] == "tool" and row["ok"] for row in json.loads(line)["observations"])
        for message, turn in self.acknowledged.items():
            if kept[message] != [turn]:
                self.fault(f"acknowledged as {turn}, kept as {kept[message]}: {message}")
        for message, turns in kept.items():
            if len(turns) > 1:
                self.fault(f"kept {len(turns)} times: {message}")
        return kept

    def look_at_memory(self, index, kept):
        if self.turns < 2 * FIRST_TURNS:
            return "too few turns to judge memory"
        first, saved, after = (next(found for number, found in self.memory if number >= at) for at in (FIRST_TURNS, self.turns, self.next))

        def grew(what, by, at_most, over):
            if by > at_most:
                self.fault(f"{what} grew by {by / 1e6:.1f} MB over {over}, at most {at_most / 1e6:.1f} MB are what it may")

        grew("memory", saved.own - first.own, SLACK + BYTES_A_TURN * (kept - FIRST_TURNS), f"the turns after the first {FIRST_TURNS}")
        grew("memory", after.own - saved.own, SLACK, f"{self.next - self.turns} turns that kept nothing")
        grew("what is resident of mapped files", after.files - first.files, index, "all turns")
        tools = ""
        if self.tools_memory:
            begun, ended = (next(found for number, found in self.tools_memory if number >= at) for at in (FIRST_TURNS, self.next))
            grew("the Orchestrator's memory", ended.own - begun.own, SLACK, "all turns")
            tools = f"; the Orchestrator's {begun.own / 1e6:.1f} and {ended.own / 1e6:.1f} MB"
        return (f"memory {first.own / 1e6:.1f} MB after {FIRST_TURNS} turns, {saved.own / 1e6:.1f} MB after all, {after.own / 1e6:.1f} MB after {self.next - self.turns} that kept nothing; "
                f"of mapped files {first.files / 1e6:.1f}, {saved.files / 1e6:.1f} and {after.files / 1e6:.1f} MB, the index on disk {index / 1e6:.1f} MB{tools}")

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(60)

    def all_of_it(self):
        began = time.monotonic()
        self.start()
        try:
            self.phase(self.turns, "on")
            self.phase(self.turns // 2, "read")
            alive = all(process.poll() is None for process in self.processes)
        finally:
            self.stop()
        if not alive:
            self.fault("a process of Pandora's ended")
        kept = self.compare()
        if self.apart and self.tools_run == 0:
            self.fault("no tool ran")
        memory = self.look_at_memory(bytes_under(os.path.join(self.home, "data/vectors.db-index")), len(kept))
        if self.slowest > ANSWER_SECONDS:
            self.fault(f"a reply took {self.slowest:.1f} s")
        ways = collections.Counter(self.said.values())
        print(f"{self.turns} turns in {time.monotonic() - began:.0f} s, {len(self.acknowledged)} acknowledged, {len(kept)} kept, {self.next - self.turns} more that kept nothing, slowest {self.slowest:.1f} s; {dict(ways)}; {self.tools_run} tools ran; {memory}")
        return self.faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pandora", required=True)
    parser.add_argument("--apart", action="store_true", help="Gateway and Orchestrator as two processes, a bad road between them")
    parser.add_argument("--turns", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--directory", help="where its data lies while it runs (a temporary directory of the system)")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    run = Run(arguments)
    try:
        faults = run.all_of_it()
    finally:
        shutil.rmtree(run.home, ignore_errors=True)
    for fault in faults[:20]:
        print("FAULT:", fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
