"""What the gate of several gateways starts, kills and starts again."""
import collections
import os
import signal
import subprocess
import threading
import time


class Process:
    """A program that says on its first line that it is there."""

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


class Killer(threading.Thread):
    """Kills one of these again and again, lets it lie a while, starts it again; until it is over. All of them are up then."""

    def __init__(self, parts, chance, between, over, fault):
        super().__init__()
        self.parts, self.chance, self.between, self.over, self.fault = parts, chance, between, over, fault
        self.kills, self.slowest = collections.Counter(), collections.Counter()  # by name: how often, and seconds until it was back

    def run(self):
        while not self.over.wait(self.chance.uniform(*self.between)):
            name, stop, start = self.chance.choice(self.parts)
            stop()
            self.kills[name] += 1
            self.over.wait(self.chance.choice((0, 0.2, 1.0, 3.0)))
            began = time.monotonic()
            try:
                start()
            except (RuntimeError, subprocess.SubprocessError) as error:
                self.fault(str(error))
                continue  # so that the others go on being killed
            self.slowest[name] = max(self.slowest[name], time.monotonic() - began)


class Outages:
    """When something was away, as whoever kills it says: was it there all the while?"""

    def __init__(self, server):
        self.server, self.lock, self.count, self.back = server, threading.Lock(), 0, time.monotonic()

    def stop(self):
        with self.lock:
            self.count, self.back = self.count + 1, None
        self.server.stop()

    def start(self):
        self.server.start()
        with self.lock:
            self.back = time.monotonic()

    def up_for(self):
        """(how often it was killed so far, seconds since it is back; 0: it is away)"""
        with self.lock:
            return self.count, time.monotonic() - self.back if self.back is not None else 0


def balancer(nginx, home, port, servers, patience):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nginx.conf"), encoding="ascii") as file:
        text = file.read()
    with open(os.path.join(home, "nginx.conf"), "w", encoding="ascii") as file:
        file.write(text.format(home=home, port=port, patience=patience, servers=" ".join(f"server 127.0.0.1:{one} max_fails=0;" for one in servers)))
    with open(os.path.join(home, "balancer.log"), "ab") as log:
        return subprocess.Popen([nginx, "-p", home, "-c", os.path.join(home, "nginx.conf"), "-e", os.path.join(home, "balancer.log")], stderr=log)
