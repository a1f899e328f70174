#!/usr/bin/env python3
"""GETs of one key by the example that speaks Redis, against redis-benchmark on the same redis-server, in turn.

Usage: bench/redis.py [pairs] [seconds]

The server is pinned to core 0, the client to core 1, one thread; both have 50 connections with one request at a time on each (-P 1). Prints
requests/s and CPU time per request of each pair, and the median ratios. Build first: cargo build --release -p mynah-redis
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from measure import median, need, run

PORT = 18131
CONNECTIONS = 50
KEY = "session:1"
SCENARIO = f"""
version = 1
name = "bench"
[[profile]]
name = "get"
[[profile.step]]
protocol = "redis"
to = "redis://127.0.0.1:{PORT}"
send = "GET {KEY}"
"""


def binary():
    folder = os.environ.get("CARGO_TARGET_DIR", os.path.join(os.path.dirname(__file__), "..", "target"))
    path = os.path.join(folder, "release", "mynah-redis")
    if not os.path.exists(path):
        sys.exit(f"{path}: not there; cargo build --release -p mynah-redis")
    return path


def ask(words):
    with socket.create_connection(("127.0.0.1", PORT)) as connection:
        parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        connection.sendall(f"*{len(words)}\r\n{parts}".encode())
        return connection.recv(65536)


def mynah(scenario, folder, seconds):
    out = os.path.join(folder, "run")
    figures = run([binary(), scenario, "--users", str(CONNECTIONS), "--threads", "1", "--for", f"{seconds}s", "-o", out], core=1)
    # 11: the machine has other things to do, and requests went out late.
    if figures["exit"] not in (0, 11):
        sys.exit(figures["stderr"])
    with open(os.path.join(out, "run.json")) as file:
        document = json.load(file)
    if document["failures"]:
        sys.exit(f"{document['failures']} requests failed")
    return document["requests_per_s"], figures["cpu"] / document["requests"] * 1e6, document["requests"]


def peer(requests):
    command = ["redis-benchmark", "-p", str(PORT), "-c", str(CONNECTIONS), "-P", "1", "-n", str(requests), "--csv", "GET", KEY]
    with tempfile.TemporaryFile("w+") as out:
        figures = run(command, core=1, stdout=out)
        out.seek(0)
        text = out.read()
    rate = re.search(r'^"GET [^"]*","([0-9.]+)"', text, re.MULTILINE)
    if figures["exit"] != 0 or not rate:
        sys.exit(figures["stderr"] or text)
    return float(rate[1]), figures["cpu"] / requests * 1e6


def main():
    numbers = [int(argument) for argument in sys.argv[1:]]
    pairs, seconds = [*numbers, *(5, 5)[len(numbers) :]][:2]
    need("redis-server", "redis-benchmark", "taskset")
    with tempfile.TemporaryDirectory() as folder:
        scenario = os.path.join(folder, "bench.toml")
        with open(scenario, "w") as out:
            out.write(SCENARIO)
        command = ["taskset", "-c", "0", "redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        server = subprocess.Popen([*command, "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            ask(["SET", KEY, "abc"])
            rates, costs = [], []
            for number in range(pairs):
                own, cost, requests = mynah(scenario, folder, seconds)
                other, other_cost = peer(requests)
                rates.append(own / other)
                costs.append(cost / other_cost)
                print(
                    f"pair {number + 1}: mynah {own:,.0f}/s, {cost:.2f} us of CPU a request; "
                    f"redis-benchmark {other:,.0f}/s, {other_cost:.2f} us; ratios {rates[-1]:.2f}, {costs[-1]:.2f}"
                )
            print(f"median: {median(rates):.2f} of its requests/s, {median(costs):.2f} times its CPU time a request")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
