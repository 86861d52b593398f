#!/usr/bin/env python3
"""Turns from 64 clients through nginx and four gateways on one PostgreSQL and one `pandora vectors`, while each of these six is killed and
started again at random; then a comparison.

No acknowledged turn may be missing or changed, none doubled, every number is given once, every request is answered in time or broken off,
and in the end there are as many points and directories as rows, and `pandora reconcile` finds no difference.
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
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../cli"))
from postgres_server import PostgresServer, answers, free_port  # noqa: E402

CLIENTS = 64
GATEWAYS = 4
ANSWER_SECONDS = 60  # the longest that a reply may take, on a busy machine
SETTLE_SECONDS = 240  # until all that was acknowledged is in its places
NGINX = """daemon off;
pid {home}/nginx.pid;
error_log {home}/nginx.log crit;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {home}/nginx-body; proxy_temp_path {home}/nginx-proxy; fastcgi_temp_path {home}/nginx-f; uwsgi_temp_path {home}/nginx-u; scgi_temp_path {home}/nginx-s;
  upstream gateways {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_buffering off; proxy_connect_timeout 2s; proxy_read_timeout {patience}s; }}
  }}
}}
"""


class Process:
    """One that can be killed and started again."""

    def __init__(self, name, command, environment, log):
        self.name, self.command, self.environment, self.log = name, command, environment, log
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log, env=self.environment)
        if not self.process.stdout.readline():
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise RuntimeError(f"{self.name} did not start: {log.read()[-2000:]}")

    def stop(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
        if self.process:
            self.process.wait(60)
            self.process.stdout.close()


class Run:
    def __init__(self, arguments):
        self.turns, self.seed, self.pandora = arguments.turns, arguments.seed, arguments.pandora
        self.lock, self.next, self.over = threading.Lock(), 0, threading.Event()
        self.acknowledged, self.said = {}, collections.Counter()
        self.slowest, self.faults, self.kills = 0.0, [], collections.Counter()
        self.home = tempfile.mkdtemp(prefix="pandora-gateways-", dir=arguments.directory)
        self.database, self.balancer, self.gateways = None, None, []

    def place(self, name):
        return os.path.join(self.home, name)

    def start(self):
        self.database = PostgresServer("max_connections=100")
        points, self.port = free_port(), free_port()
        self.environment = {**os.environ, **self.database.environment(), "PANDORA_ENCODER": "hashing", "PANDORA_POINTS_STORE": "qdrant",
                            "QDRANT_URL": f"http://127.0.0.1:{points}", "PANDORA_DOCUMENTS": self.place("documents"), "PANDORA_OBJECTS": self.place("objects")}
        self.environment.pop("PANDORA_DATA", None)
        self.points_url = self.environment["QDRANT_URL"]
        self.points = Process("points", [self.pandora, "vectors", "--json", "--log-level", "error", "--set", f"vectors.port={points}", "--set", "vectors.path=" + self.place("points")],
                              self.environment, self.place("points.log"))
        self.points.start()
        self.command("db", "migrate")
        ports = [free_port() for _ in range(GATEWAYS)]
        for number, port in enumerate(ports):
            one = Process(f"gateway {number}", [self.pandora, "serve", "--json", "--log-level", "error", "--data", self.place(f"g{number}"), "--set", f"gateway.port={port}"],
                          self.environment, self.place(f"g{number}.log"))
            one.start()
            self.gateways.append(one)
        servers = " ".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;" for port in ports)
        with open(self.place("nginx.conf"), "w", encoding="ascii") as file:
            file.write(NGINX.format(home=self.home, port=self.port, servers=servers, patience=ANSWER_SECONDS))
        nginx = subprocess.run([os.path.join(HERE, "../../scripts/fetch_nginx")], capture_output=True, text=True, check=True).stdout.strip()
        with open(self.place("balancer.log"), "ab") as log:
            self.balancer = subprocess.Popen([nginx, "-p", self.home, "-c", self.place("nginx.conf"), "-e", self.place("balancer.log")], stderr=log)

    def command(self, *arguments, data="g0"):
        done = subprocess.run([self.pandora, *arguments, "--json", "--data", self.place(data)], env=self.environment, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode not in (0, 4):
            raise RuntimeError(f"{arguments}: {done.stderr}")
        return json.loads(done.stdout)

        while not answers(self.port):
            time.sleep(0.02)

    # ── what happens to them ──

    def kill_some(self, what, seed):
        """Kills one of these, lets it lie a while, starts it again; until it is over. All of them are up then."""
        chance = random.Random(f"{self.seed} {seed}")
        while not self.over.wait(chance.uniform(0.3, 2.5)):
            name, stop, start = chance.choice(what)
            stop()
            with self.lock:
                self.kills[name] += 1
            self.over.wait(chance.choice((0, 0.2, 1.0, 3.0)))
            try:
                start()
            except RuntimeError as error:
                return self.fault(str(error))

    def killers(self):
        servers = [("PostgreSQL", self.database.stop, self.database.start), ("points", self.points.stop, self.points.start)]
        gateways = [(one.name, one.stop, one.start) for one in self.gateways]
        return [threading.Thread(target=self.kill_some, args=(servers, "servers")), threading.Thread(target=self.kill_some, args=(gateways, "gateways"))]

    # ── clients ──

    def client(self, name):
        chance, connection = random.Random(f"{self.seed} client {name}"), None
        while True:
            with self.lock:
                if self.next == self.turns:
                    return
                self.next += 1
                number = self.next
            message = f"Note number {number} of {name}: the {chance.choice(('red', 'blue', 'old', 'new'))} key fits door {chance.randrange(10**6)}."
            streams, began = chance.random() < 0.5, time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS + 5)
                connection.request("POST", "/v1/chat/completions", json.dumps({"model": "pandora", "stream": streams, "messages": [{"role": "user", "content": message}]}),
                                   {"Content-Type": "application/json", "Pandora-Session": f"session-{name}"})
                response = connection.getresponse()
                self.note(message, response, response.read().decode(), streams)
            except (OSError, http.client.HTTPException, ValueError) as error:  # its gateway was killed
                with self.lock:
                    self.said[type(error).__name__] += 1
                connection = None
            with self.lock:
                self.slowest = max(self.slowest, time.monotonic() - began)

    def note(self, message, response, body, streams):
        ended, acknowledged, turn = f"status {response.status}", response.headers["Pandora-Acknowledged"] == "true", response.headers["Pandora-Turn"]
        if streams and response.status == 200:
            last = [block for block in body.split("\n\n") if block.startswith("event: pandora.turn")]
            said = json.loads(last[0].split("data: ", 1)[1]) if last else {"acknowledged": False, "turn": None}
            acknowledged, turn, ended = said["acknowledged"], said["turn"], "stream " + ("whole" if last else "broken off")
        with self.lock:
            self.said[ended] += 1
            if acknowledged:
                self.acknowledged[message] = turn

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
        for message, turn in self.acknowledged.items():
            if kept.get(message) != [turn]:
                self.fault(f"acknowledged as {turn}, kept as {kept.get(message)}: {message}")
        for message, turns in kept.items():
            if len(turns) > 1:
                self.fault(f"kept {len(turns)} times: {message}")
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
        if os.path.isdir(quarantine) and os.listdir(quarantine):
            self.fault(f"set aside: {os.listdir(quarantine)[:5]}")
        return len(numbers), points, len(folders)

    def says_all(self, number):
        """What was gathered and done stands in the journal's record alone, in no row."""
        with open(self.place(f"documents/turns/turn_{number:06}/context.md"), encoding="utf-8") as file:
            return "made again from the index" not in file.read()

    def stop(self):
        for one in [*self.gateways, self.points]:
            one.stop(signal.SIGTERM)
        if self.balancer:
            self.balancer.terminate()
            self.balancer.wait()
        if self.database:
            self.database.close()

    def all_of_it(self):
        began = time.monotonic()
        try:
            self.start()
            clients = [threading.Thread(target=self.client, args=(name,)) for name in range(CLIENTS)]
            killers = self.killers()
            for one in clients + killers:
                one.start()
            for one in clients:
                one.join()
            spoken = time.monotonic() - began
            self.over.set()
            for one in killers:
                one.join()
            print(f"{self.turns} requests in {spoken:.0f} s, {len(self.acknowledged)} acknowledged, slowest {self.slowest:.1f} s; {dict(self.said)}; killed: {dict(self.kills)}", flush=True)
            self.settle()
            rows, points, folders = self.compare()
        finally:
            self.over.set()
            self.stop()
        if self.slowest > ANSWER_SECONDS:
            self.fault(f"a reply took {self.slowest:.1f} s")
        if self.balancer.returncode not in (0, -signal.SIGTERM):
            self.fault(f"the balancer ended: {self.balancer.returncode}")
        if not self.acknowledged:
            self.fault("nothing was acknowledged")
        print(f"{rows} rows, {points} points, {folders} directories; settled and compared {time.monotonic() - began - spoken:.0f} s later")
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
