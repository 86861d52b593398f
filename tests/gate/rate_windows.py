"""Is a key's limit kept, over four gateways, exactly? One window after the other, each with a key that nobody has used before.

While a Redis is there, it admits as many requests of a minute as the limit says, and no more, whichever gateway they come to. A window
in which it was killed, or had come back less than SETTLED seconds before (each gateway asks again once a second), or in which the
minute ended, or a gateway waited for Redis in vain (one second, on a machine that has too much to do) and counted by itself, says nothing:
it is counted apart.
"""
import collections
import concurrent.futures
import http.client
import threading
import time

LIMIT = 30
AT_ONCE = 8
REFUSED_ENOUGH = 16  # refusals, after which more would say nothing new
MOST_REQUESTS = 400
SETTLED = 3
PAUSE = 2.0  # between two windows


class RateWindows(threading.Thread):
    def __init__(self, keys, ports, redis, outages, counted_alone, over, fault):
        super().__init__()
        self.counted_alone = counted_alone  # how often a gateway said so, so far
        self.keys, self.ports, self.redis, self.outages, self.over, self.fault = keys, ports, redis, outages, over, fault
        self.exact, self.wrong, self.left_out, self.admitted, self.unknown = 0, 0, collections.Counter(), 0, 0

    def run(self):
        while self.keys and not self.over.wait(PAUSE):
            self.window()

    def first(self):
        """One while nothing is killed yet: it is exact, or a fault."""
        while self.keys and not self.exact + self.wrong and not self.over.wait(0.2):
            self.window()

    def window(self):
        if time.time() % 60 > 50:
            return  # it would end in the middle
        kills, up_for = self.outages.up_for()
        if up_for < SETTLED:
            return
        identity, secret = self.keys.pop()
        alone = self.counted_alone()
        minute = int(time.time() // 60)
        said, lock, sent = collections.Counter(), threading.Lock(), [0]

        def ask(_):
            while True:
                with lock:
                    if said[429] >= REFUSED_ENOUGH or sent[0] >= MOST_REQUESTS or self.over.is_set():
                        return
                    sent[0] += 1
                    port = self.ports[sent[0] % len(self.ports)]
                how = self.status(port, secret)
                with lock:
                    said[how] += 1
                if how == "refused":
                    time.sleep(0.02)

        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(ask, range(AT_ONCE)))
        counted = self.counted(identity)
        if self.outages.up_for()[0] != kills:
            self.left_out["Redis was killed"] += 1
        elif int(time.time() // 60) != minute:
            self.left_out["the minute ended"] += 1
        elif said[429] < REFUSED_ENOUGH:
            self.left_out["the gate ended" if self.over.is_set() else "the limit was not reached"] += 1
        elif self.counted_alone() != alone:
            self.left_out["a gateway did not wait for Redis"] += 1
        elif counted != LIMIT or not LIMIT - said["broken off"] <= said[200] <= LIMIT:
            self.wrong += 1
            self.fault(f"a limit of {LIMIT}: Redis counted {counted}; {dict(said)}")
        else:
            self.exact += 1
            self.admitted += said[200]
            self.unknown += LIMIT - said[200]

    @staticmethod
    def status(port, secret):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
        except OSError:
            return "refused"  # its gateway is dead: nobody counted it
        try:
            connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {secret}"})
            response = connection.getresponse()
            response.read()
            return response.status
        except (OSError, http.client.HTTPException):
            return "broken off"
        finally:
            connection.close()

    def counted(self, identity):
        """What Redis holds of the window, or None while it is away."""
        try:
            names = self.redis.ask("KEYS", f"*rate:{identity}:requests").split()
            return int(self.redis.ask("HGET", names[0], "now")) if names else None
        except (OSError, ValueError, self.redis.Failed):
            return None
