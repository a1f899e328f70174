#!/usr/bin/env python3
"""There and back: known traffic -> recording -> scenario -> replay, recorded by mynah again -> scenario.

`roundtrip.py [--sessions N] [--seconds S] [--seed N] [--behaviour recorded|markov]... [--mynah PATH] [--keep DIR] [--strict]`

The second scenario must have the profiles of the first, with weights within 2 points, and the traffic the same mix of endpoints and
of transitions. Both distances are computed here from the two recordings, by the formula that is printed; what mynah says of
them stands beside. Everything runs on loopback. With --strict it ends with 1 when a distance is missed, else only when the
profiles differ (few sessions have a distance by chance alone).
"""

import argparse
import asyncio
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter, deque
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import generate
from shop import ENDPOINTS

PAUSES = 0.01
FORMULA = "sqrt(JSD), JSD(P||Q) = 1/2 sum p log2(p/m) + 1/2 sum q log2(q/m), m = (p+q)/2, of the shares"
failures = []


def verdict(what, good, text, counts=True):
    print(f"{'ok  ' if good else 'MISS' if counts else 'more'}  {what}: {text}")
    if not good and counts:
        failures.append(what)


def run(mynah, *arguments):
    done = subprocess.run([mynah, *map(str, arguments)], capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        sys.exit(f"mynah {' '.join(map(str, arguments))}\nended with {done.returncode}\n{done.stderr}")
    return done.stdout


class Visitor(generate.Client):
    """Everyone takes cookies: on loopback there are no addresses to tell visitors apart by."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.takes_cookies, self.robot = True, False


class Visits(generate.World):
    """Visits of two requests or more: of a single one no cookie comes back, and here it would look like its neighbours'."""

    def walk(self, behaviour):
        while len(steps := super().walk(behaviour)) < 2:
            pass
        return steps


def record(args, folder):
    """Traffic whose visitors come once: who comes back would bring a recorded cookie."""
    generate.Client, generate.World, generate.deque = Visitor, Visits, lambda: deque(maxlen=0)
    pcap = folder / "t.pcap"
    made = generate.generate(str(pcap), str(folder / "truth.json"), args.sessions, args.seed)
    print("made  " + ", ".join(f"{count} {what}" for what, count in made.items()))
    run(args.mynah, "capture", pcap, "-o", folder / "t.mynah", "--unmasked")
    run(args.mynah, "profile", folder / "t.mynah", "-o", folder / "t.toml")


class Shop(asyncio.Protocol):
    """Answers as the generated shop did: anybody new gets a cookie, and who logs in another one."""

    random, served = generate.Ids(__import__("random").Random(7)), 0

    def connection_made(self, transport):
        self.transport, self.held = transport, b""

    def data_received(self, data):
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].decode("latin-1")
            length = re.search(r"(?im)^content-length:\s*(\d+)", head)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.held) < size:
                return
            self.held = self.held[size:]
            self.answer(head)

    def answer(self, head):
        Shop.served += 1
        method, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
        known = re.search(r"(?im)^cookie:.*\bvisit=", head)
        cookie = ""
        if not known or (method, target) == ("POST", "/login"):
            cookie = f"Set-Cookie: visit={self.random.hexadecimal(32)}; Path=/; HttpOnly\r\n"
        api = target.startswith(("/api", "/feeds", "/track"))
        kind, body = ("application/json", '{"ok":true}') if api else ("text/html", "<h1>here</h1>")
        if target.startswith("/manuals"):
            kind, body = "application/pdf", "%PDF-1.7"
        self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{cookie}Content-Length: {len(body)}\r\n\r\n{body}".encode())


def serve():
    """Opens the shop on a thread of its own; gives its port."""
    ready, port = threading.Event(), []

    async def main():
        server = await asyncio.get_running_loop().create_server(Shop, "127.0.0.1", 0, backlog=4096)
        port.append(server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    if not ready.wait(10):
        sys.exit("the shop did not open")
    return port[0]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port, process):
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"mynah capture ended with {process.returncode}\n{process.stderr.read()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("mynah capture did not open its port")


def play(args, folder, behaviour, upstream):
    """Replays through a recording proxy; gives what mynah says of the run."""
    port, again, result = free_port(), folder / f"{behaviour}.mynah", folder / f"run-{behaviour}"
    again.unlink(missing_ok=True)
    proxy = subprocess.Popen(
        [args.mynah, "capture", "--listen", f"127.0.0.1:{port}", "--upstream", f"http://127.0.0.1:{upstream}", "-o", again, "--unmasked"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        listening(port, proxy)
        done = subprocess.run(
            [args.mynah, "replay", folder / "t.toml", "--target", f"http://127.0.0.1:{port}", "--behaviour", behaviour,
             "--rate", f"{args.sessions / args.seconds}/s", "--for", f"{args.seconds}s", "--think-time", f"x{PAUSES}",
             "-o", result, "--force"],
            capture_output=True, text=True, timeout=900)
    finally:
        proxy.send_signal(signal.SIGINT)
        said = proxy.communicate(timeout=300)[1]
    # 11: this machine was too slow to send on time, which says nothing of what was sent.
    if done.returncode not in (0, 11) or proxy.returncode not in (0, 130):
        sys.exit(f"replay ended with {done.returncode}, capture with {proxy.returncode}\n{done.stderr}\n{said}")
    with open(result / "run.json") as file:
        document = json.load(file)
    run(args.mynah, "profile", again, "-o", folder / f"{behaviour}.toml")
    return document


PATTERNS = [
    (step, method, re.compile("".join(
        r"[^/?]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", path)) + r"(\?.*)?"))
    for step, (method, path) in ((step, name.split(" ", 1)) for step, name in ENDPOINTS.items())
]


def endpoint(method, target):
    """The fixed path before the one with a place in it."""
    fits = [step for step, wanted, pattern in PATTERNS if wanted == method and pattern.fullmatch(target)]
    return min(fits, key=lambda step: ENDPOINTS[step].count("{"), default="strange")


def conduct(mynah, recording):
    """Requests by endpoint, and pairs of endpoints in a row, beginnings and ends included."""
    sessions = {}
    for line in run(mynah, "inspect", recording, "--exchanges", "--json").splitlines():
        one = json.loads(line)
        sessions.setdefault(one["session"], []).append((one["started_ns"], endpoint(one["method"], one["target"])))
    mix, pairs = Counter(), Counter()
    for steps in sessions.values():
        steps = [step for _, step in sorted(steps)]
        mix.update(steps)
        pairs.update(zip(["begin", *steps], [*steps, "end"]))
    return len(sessions), mix, pairs


def distance(one, other):
    all_one, all_other = sum(one.values()), sum(other.values())
    total = 0
    for key in one.keys() | other.keys():
        p, q = one[key] / all_one, other[key] / all_other
        m = (p + q) / 2
        total += (p * math.log2(p / m) if p else 0) / 2 + (q * math.log2(q / m) if q else 0) / 2
    return math.sqrt(max(total, 0))


def profiles(path):
    with open(path, "rb") as file:
        scenario = tomllib.load(file)
    return {profile["name"]: profile["weight"] for profile in scenario["profile"]}, scenario.get("fidelity", {})


def compare(args, folder, behaviour, before, upstream):
    served = Shop.served
    document = play(args, folder, behaviour, upstream)
    count, mix, pairs = conduct(args.mynah, folder / f"{behaviour}.mynah")
    print(f"      {behaviour}: {document['arrivals']['completed']} sessions, {document['requests']} requests sent, "
          f"{Shop.served - served} served, {sum(mix.values())} recorded in {count} sessions; {document['failures']} failed")
    verdict(f"{behaviour}, nothing lost", document["failures"] == 0 and Shop.served - served == sum(mix.values()) == document["requests"], "sent = served = recorded")
    told = document["fidelity"]
    for what, found, own, wanted in (
        ("endpoint mix", distance(before[1], mix), told["endpoint_mix"], 0.01),
        ("transitions", distance(before[2], pairs), told["transitions"], 0.03),
    ):
        verdict(f"{behaviour}, {what}", found <= wanted, f"{found:.4f} (wanted {wanted}); run.json says {own:.4f}", args.strict)
    first, fidelity = profiles(folder / "t.toml")
    second, _ = profiles(folder / f"{behaviour}.toml")
    said = fidelity[behaviour]
    verdict(f"{behaviour}, scenario", said["endpoint_mix"] <= 0.01 and said["transitions"] <= 0.03,
            f"[fidelity] says {said}")
    off = {name: abs(first.get(name, 0) - second.get(name, 0)) for name in first.keys() | second.keys()}
    verdict(f"{behaviour}, profiles", first.keys() == second.keys(), f"{len(second)} of {len(first)}")
    verdict(f"{behaviour}, weights", max(off.values()) <= args.points, f"at most {max(off.values()):.2f} points off (wanted {args.points:g})")
    for name in first.keys() | second.keys():
        print(f"        {name:<34} {first.get(name, 0):6.2f} %  {second.get(name, 0):6.2f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--sessions", type=int, default=5_500)
    parser.add_argument("--seconds", type=int, default=60, help="over how long the sessions begin")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", type=float, default=2.0, help="how far a weight may be off")
    parser.add_argument("--behaviour", action="append", choices=["recorded", "markov"])
    parser.add_argument("--mynah", default=os.environ.get("MYNAH", root / "target/release/mynah"))
    parser.add_argument("--keep", help="a folder to work in and to leave as it is then")
    parser.add_argument("--strict", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(args.keep or made)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"      distance = {FORMULA}")
        record(args, folder)
        before = conduct(args.mynah, folder / "t.mynah")
        upstream = serve()
        for behaviour in args.behaviour or ["recorded", "markov"]:
            compare(args, folder, behaviour, before, upstream)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
