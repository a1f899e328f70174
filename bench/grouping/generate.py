#!/usr/bin/env python3
"""Generated traffic of a shop with known truth: `generate.py OUT.pcap TRUTH.json [--sessions N] [--seed N]`.

The truth says, for each exchange (client's address and port, start in nanoseconds), which session it is of and which
endpoint it asked for, and for each session its behaviour. Nothing in the traffic itself tells.
"""

import argparse
import json
import random
from collections import deque

from shop import BEHAVIOURS, END, ENDPOINTS, Ids, LONGEST
from wire import Capture, Connection

SECOND = 10**9
BEGIN = 1_790_000_000 * SECOND
AGENTS = [
    f"Mozilla/5.0 ({system}) {engine}"
    for system in ("X11; Linux x86_64", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 14_4", "iPhone; CPU iPhone OS 18_1")
    for engine in ("Gecko/20100101 Firefox/140.0", "AppleWebKit/537.36 Chrome/141.0 Safari/537.36", "AppleWebKit/605.1.15 Version/18.1")
]
ROBOTS = ["pricewatch/2.1", "okhttp/4.12.0", "python-requests/2.32", "Go-http-client/1.1", "feedburner/9"]
LANGUAGES = ["en-GB,en;q=0.9", "de-DE,de;q=0.8,en;q=0.5", "fr-FR,fr", "nl,en;q=0.6", "pl-PL,pl;q=0.9"]


class Client:
    """Somebody at an address, with a browser that behaves in its own way."""

    def __init__(self, world, address, robot):
        r = world.random
        self.address, self.robot = address, robot
        self.agent = r.choice(ROBOTS if robot else AGENTS)
        self.language = r.choice(LANGUAGES)
        self.takes_cookies = not robot and r.random() > 0.08
        # whole: one connection a visit; pauses: the server closes after 15 s; each: one a request.
        self.connections = r.choices(["whole", "pauses", "each"], [0.55, 0.4, 0.05])[0]
        self.sid = None
        self.lang_cookie = r.random() < 0.5
        self.free_at = 0

    def fingerprint(self):
        return (self.agent, self.language)


class World:
    def __init__(self, capture, seed):
        self.capture, self.random = capture, random.Random(seed)
        self.ids = Ids(self.random)
        self.addresses = 0
        self.ports = {}
        self.returning = deque()

    def new_address(self):
        self.addresses += 1
        n = self.addresses
        return bytes([100, 64 + (n >> 16), n >> 8 & 255, n & 255])

    def port(self, address):
        port = self.ports.get(address, 20_000)
        self.ports[address] = port + 1 if port < 60_000 else 20_000
        return port

    def walk(self, behaviour):
        steps, choices = [], behaviour.start
        while len(steps) < LONGEST:
            step = self.random.choices(list(choices), list(choices.values()))[0]
            if step == END:
                break
            steps.append(step)
            choices = behaviour.moves[step]
        return steps

    def visit(self, client, behaviour, start):
        """Plays one visit; gives its exchanges and when it ended."""
        r, time = self.random, start
        connection, exchanges = None, []
        median, spread = behaviour.think
        for step in self.walk(behaviour):
            if connection and (
                client.connections == "each"
                or client.connections == "pauses" and time - connection.last > 15 * SECOND
            ):
                connection.close(connection.last + (14 * SECOND if client.connections == "pauses" else SECOND // 1000))
                connection = None
            if connection is None:
                connection = Connection(self.capture, client.address, self.port(client.address), time)
            done = time + int(r.lognormvariate(-3.5, 0.5) * SECOND)
            exchanges.append([connection.name(), time, step])
            connection.exchange(time, self.request(client, step), done, self.response(client, step))
            time = done + int(min(median * r.lognormvariate(0, spread), 240) * SECOND)
        connection.close(connection.last + SECOND // 100)
        client.free_at = connection.last
        return exchanges

    def request(self, client, step):
        method = ENDPOINTS[step].split(" ", 1)[0]
        lines = [f"{method} {self.ids.target(step)} HTTP/1.1", "Host: stall.example", f"User-Agent: {client.agent}",
                 f"Accept-Language: {client.language}"]
        cookies = ["theme=dark"] if client.lang_cookie and client.takes_cookies else []
        if client.takes_cookies and client.sid:
            cookies.append(f"visit={client.sid}")
        if cookies:
            lines.append("Cookie: " + "; ".join(cookies))
        body = ""
        if method in ("POST", "PUT"):
            body = json.dumps({"amount": self.random.randint(1, 9), "item": self.random.randint(100, 5100)})
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def response(self, client, step):
        sets = ""
        # A new visitor gets a session; who logs in gets another one (so that nobody can have planted it).
        known = client.takes_cookies and client.sid
        if not client.robot and (not known or step == "login"):
            sid = self.ids.hexadecimal(32)
            sets = f"Set-Cookie: visit={sid}; Path=/; HttpOnly\r\n"
            if client.takes_cookies:
                client.sid = sid
        page = not ENDPOINTS[step].split(" ", 1)[1].startswith(("/api", "/feeds", "/track"))
        kind, body = ("text/html", f"<h1>{step}</h1>") if page else ("application/json", '{"ok":true,"n":%d}' % self.random.randint(0, 99))
        if step == "manual":
            kind, body = "application/pdf", "%PDF-1.7"
        return (f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{sets}Content-Length: {len(body)}\r\n\r\n{body}").encode()


def plan(world, count):
    """Starts, in order, each with its behaviour (exact shares) and the group of neighbours behind one address, if any."""
    r = world.random
    kinds = [b for b in BEHAVIOURS for _ in range(round(count * b.percent / 100))]
    r.shuffle(kinds)
    span = max(count * 2, 6 * 3600) * SECOND
    starts, group, left = [], 0, 0
    for behaviour in kinds:
        if left == 0 and r.random() < 0.05:
            group, left, base = group + 1, r.randint(2, 8), r.randrange(span)
        if left:
            left -= 1
            starts.append((BEGIN + base + r.randrange(240 * SECOND), len(starts), behaviour, group))
        else:
            starts.append((BEGIN + r.randrange(span), len(starts), behaviour, None))
    return sorted(starts, key=lambda start: start[:2])


def generate(out, truth_path, count, seed):
    capture = Capture(out)
    world = World(capture, seed)
    groups, truth = {}, []
    shared = cookieless = returned = joined = 0
    for start, _, behaviour, group in plan(world, count):
        capture.until(start - SECOND)
        robot = behaviour.name == "poll"
        client = None
        if group is not None:
            address, neighbours = groups.setdefault(group, (world.new_address(), []))
            client = Client(world, address, robot)
            if not client.takes_cookies:
                alike = [other for other in neighbours if other.fingerprint() == client.fingerprint()]
                # Same browser, same language, same address, no cookies: only the connection can tell, if it lasts.
                while any(other.connections != "whole" for other in alike):
                    client.agent, client.language = world.random.choice(ROBOTS + AGENTS), world.random.choice(LANGUAGES)
                    alike = [other for other in neighbours if other.fingerprint() == client.fingerprint()]
                if alike:
                    client.connections = "whole"
                elif client.connections == "each" and world.random.random() < 0.5:
                    client.connections = "pauses"
            neighbours.append(client)
            shared += 1
        elif not robot and world.returning and world.returning[0].free_at + 3600 * SECOND < start and world.random.random() < 0.06:
            client = world.returning.popleft()
            returned += 1
        client = client or Client(world, world.new_address(), robot)
        before = client.sid
        exchanges = world.visit(client, behaviour, start)
        joined += bool(before is not None and client.sid != before) or any(step == "login" for _, _, step in exchanges)
        cookieless += not client.takes_cookies
        if client.takes_cookies and group is None and world.random.random() < 0.1:
            world.returning.append(client)
        truth.append({"behaviour": behaviour.name, "exchanges": exchanges})
    capture.close()
    with open(truth_path, "w") as file:
        json.dump({"sessions": truth, "endpoints": ENDPOINTS}, file, separators=(",", ":"))
    return {
        "sessions": len(truth),
        "exchanges": sum(len(one["exchanges"]) for one in truth),
        "behind a shared address": shared,
        "without cookies": cookieless,
        "returning": returned,
        "log in": joined,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("truth")
    parser.add_argument("--sessions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(", ".join(f"{count} {what}" for what, count in generate(args.out, args.truth, args.sessions, args.seed).items()))
