#!/usr/bin/env python3
"""What `pandora up` takes beside `docker compose up -d --wait`, for the same services in the same run, and `pandora status`.

    tests/stack/engine/with_engine --pandora build/pandora bench/stack_up.py [ROUNDS]

Both take turns. Every profile but the one with Grafana, which is a stand-in: five containers, production overlay.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = os.environ["PANDORA_PROGRAM"]
PROFILES = ["--profile", "cache", "--profile", "objects"]
STATUS_CALLS = 50


def timed(command, folder, environment, codes=(0,)):
    begun = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    if done.returncode not in codes:
        sys.exit(f"{command}: {done.stdout}{done.stderr}")
    return time.monotonic() - begun


def line(name, times):
    print(f"{name:48} median {statistics.median(times):7.3f} s   best {min(times):7.3f}   worst {max(times):7.3f}")


def percentile(ordered, percent):
    """The nearest rank."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    home = tempfile.mkdtemp(prefix="pandora-stack-")
    folder = os.path.join(home, "instance")
    environment = {**os.environ, "HOME": home}
    compose = ["docker", "compose", *PROFILES]
    ways = {"docker compose up -d --wait": [*compose, "up", "-d", "--wait"],
            "pandora up --containers": [PROGRAM, "up", "--containers", *PROFILES]}
    befores = {"nothing to do": [], "after stop": ["stop"], "after down": ["down"]}
    try:
        timed([PROGRAM, "init", "--production", "--dir", folder], None, environment)
        print(f"the first start: {timed(ways['pandora up --containers'], folder, environment):.3f} s")
        timed(ways["docker compose up -d --wait"], folder, environment)
        for before, words in befores.items():
            times = {name: [] for name in ways}
            for _ in range(rounds):
                for name, command in ways.items():
                    if words:
                        timed([*compose, *words], folder, environment)
                    times[name].append(timed(command, folder, environment))
            for name, taken in times.items():
                line(f"{before}: {name}", taken)
            compose_median, own_median = (statistics.median(times[name]) for name in ways)
            print(f"{before}: pandora up adds {own_median - compose_median:+.3f} s (at most 1 is asked)")
        calls = sorted(timed([PROGRAM, "status"], folder, environment) for _ in range(STATUS_CALLS))
        print(f"pandora status, {STATUS_CALLS} calls: p50 {percentile(calls, 50) * 1e3:.0f} ms, p95 {percentile(calls, 95) * 1e3:.0f} ms "
              "(at most 100 is asked)")
    finally:
        timed([*compose, "down"], folder, environment, codes=range(256))
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
