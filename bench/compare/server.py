#!/usr/bin/env python3
"""A server whose latencies are known: `server.py PORT [--shift 1.1] [--seed N]`, on 127.0.0.1.

Each endpoint has a log-normal latency of its own, of 10 ms or more. On top of that comes what makes comparisons hard:
- a drift that all servers of the machine have in common (a few per cent up and down over half a minute),
- stalls of this server's own (every ten seconds or so it holds everything up for up to 60 ms, as a collector of garbage does),
- a slow tail (one request in a hundred takes three times as long).
`--shift` makes every latency that many times as long.
"""

import argparse
import asyncio
import math
import random
import time

# Path → median in milliseconds, and how wide the logarithm spreads.
ENDPOINTS = {"/": (10, 0.2), "/search": (25, 0.35), "/items": (12, 0.25), "/basket": (15, 0.3), "/order": (40, 0.3), "/login": (30, 0.2)}


def common_drift(now):
    """The same for all who ask at the same time."""
    return 1 + 0.03 * math.sin(now / 5.1) + 0.02 * math.sin(now / 1.7)


class Latency:
    def __init__(self, shift, seed):
        self.shift = shift
        self.random = random.Random(seed)
        self.stalled_until = 0.0
        self.next_stall = time.monotonic() + self.random.expovariate(1 / 10)

    def of(self, path):
        now = time.monotonic()
        if now >= self.next_stall:
            self.stalled_until = now + self.random.uniform(0.01, 0.06)
            self.next_stall = now + self.random.expovariate(1 / 10)
        median, spread = ENDPOINTS.get(path, (10, 0.2))
        base = max(10.0, median * math.exp(self.random.gauss(0, spread))) / 1000 * common_drift(now)
        if self.random.random() < 0.01:
            base *= 3
        return base * self.shift + max(0.0, self.stalled_until - now)


class Connection(asyncio.Protocol):
    def __init__(self, latency):
        self.latency = latency
        self.buffer = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head, self.buffer = self.buffer[:end], self.buffer[end + 4 :]
            path = head.split(b" ", 2)[1].decode().split("?")[0]
            asyncio.get_running_loop().call_later(self.latency.of(path), self.answer)

    def answer(self):
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}")


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--shift", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    latency = Latency(args.shift, args.seed)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(latency), "127.0.0.1", args.port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
