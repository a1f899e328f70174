#!/usr/bin/env python3
"""CPU per request of a replay against wrk's (and h2load's and oha's, where they are installed), on the same nginx, in turn.

The server is pinned to core 0, the client to core 1. The others send the same header fields. Prints each round and the
median ratios. Usage: bench/replay.py [pairs] [seconds] [--recorded] [OPTION OF REPLAY …]

--recorded: sessions of ten requests to five endpoints come from a recording: a log-in sets a cookie and hands out a token, which later
requests send back (a correlation), and each answer is held against the recorded ones by status, type and the shape of its body.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from measure import binary, median, need, nginx, run

PORT = 18099
CONNECTIONS = 64
HEADERS = {"User-Agent": "bench", "Accept": "application/json"}

NGINX = """
worker_processes 1; worker_cpu_affinity 01; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {dir}; proxy_temp_path {dir};
  fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir}; default_type application/json;
  server {{ listen 127.0.0.1:{port} reuseport backlog=4096;
    location / {{ return 200 '{{"id":17,"name":"a thing","price":1999,"in_stock":true,"x":"y"}}'; }}
    location = /login {{ add_header Set-Cookie "sid=$request_id; Path=/"; return 200 '{{"token":"$request_id","name":"somebody"}}'; }} }}
}}
"""

SCENARIO = """
version = 1
name = "bench"
[[profile]]
name = "get"
weight = 1
{steps}
"""
STEP = """
[[profile.step]]
request = "GET /items/{n}"
headers = {{ User-Agent = "bench", Accept = "application/json" }}
expect = 200
expect_type = "application/json"
"""


def served(folder):
    """nginx, on core 0."""
    return nginx(folder, NGINX.format(dir=folder, port=PORT))


def main():
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    pairs, seconds = [*numbers, *(5, 8)[len(numbers) :]][:2]
    recorded = "--recorded" in sys.argv
    options = [argument for argument in sys.argv[1:] if not argument.isdigit() and argument != "--recorded"]
    need("nginx", "wrk", "taskset")
    peers = {name: run for name, run in {"wrk": wrk_run, "h2load": h2load_run, "oha": oha_run}.items() if shutil.which(name)}
    headers = dict(HEADERS)
    if recorded:
        headers |= {"Cookie": "sid=" + "a" * 32, "X-Token": "b" * 32}
    with tempfile.TemporaryDirectory() as folder, served(folder):
        scenario = os.path.join(folder, "bench.toml")
        with open(scenario, "w") as out:
            out.write(SCENARIO.format(steps="".join(STEP.format(n=n) for n in range(200))))
        if recorded:
            scenario = profiled(folder)
        target = f"http://127.0.0.1:{PORT}"
        ratios = {name: [] for name in peers}
        print("         " + "".join(f"{name:>10}: req/s  us/req" for name in (*peers, "mynah")) + "    mynah / " + ", / ".join(peers))
        for number in range(pairs):
            theirs = {name: peer(target, seconds, headers) for name, peer in peers.items()}
            ours = mynah_run(scenario, target, seconds, folder, options)
            for name, figures in theirs.items():
                ratios[name].append(ours[1] / figures[1])
            figures = "".join(f"{rate:17.0f} {cpu:7.2f}" for rate, cpu in (*theirs.values(), ours))
            print(f"round {number + 1}  {figures}    " + "  ".join(f"{ratios[name][-1]:.2f}" for name in peers), flush=True)
        for name, values in ratios.items():
            print(f"median CPU per request, mynah / {name}: {median(values):.2f}")


def peer_run(command, seconds, requests):
    """Requests a second and CPU time of each; `requests`: how many, of what was printed."""
    with tempfile.TemporaryFile() as out:
        figures = run(command, core=1, stdout=out)
        out.seek(0)
        count = requests(out.read().decode())
    return count / seconds, figures["cpu"] / count * 1e6


def with_headers(flag, headers):
    return [part for name, value in headers.items() for part in (flag, f"{name}: {value}")]


def wrk_run(target, seconds, headers):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *with_headers("-H", headers), f"{target}/items/1"]
    return peer_run(command, seconds, lambda text: int(re.search(r"(\d+) requests in", text)[1]))


def h2load_run(target, seconds, headers):
    command = ["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-D{seconds}", *with_headers("-H", headers), f"{target}/items/1"]
    return peer_run(command, seconds, lambda text: int(re.search(r"(\d+) succeeded", text)[1]))


def oha_run(target, seconds, headers):
    command = ["oha", "--no-tui", "--output-format", "json", f"-c{CONNECTIONS}", f"-z{seconds}s", *with_headers("-H", headers), f"{target}/items/1"]
    return peer_run(command, seconds, lambda text: sum(json.loads(text)["statusCodeDistribution"].values()))


def profiled(folder):
    """A scenario that mynah made of sixty recorded sessions."""
    thing = '{"id":17,"name":"a thing","price":1999,"in_stock":true,"x":"y"}'
    typed = {"name": "Content-Type", "value": "application/json"}
    entries = []
    for session in range(60):
        token = f"{(session + 1) * 2654435761 % 2**32:08x}" * 4
        paths = ["/login", "/me", *(f"/items/{session * 10 + n}" for n in range(5)), "/basket", "/search?q=things", f"/items/{session}"]
        for n, path in enumerate(paths):
            login = path == "/login"
            own = {"Host": "bench.example", **HEADERS} | ({} if login else {"Cookie": f"sid={token}", "X-Token": token})
            body = f'{{"token":"{token}","name":"somebody"}}' if login else thing
            begun = session * 1000 + n * 10
            entries.append(
                {
                    "startedDateTime": f"2026-01-01T00:{begun // 60000:02}:{begun // 1000 % 60:02}.{begun % 1000:03}Z",
                    "time": 2,
                    "connection": str(session),
                    "request": {
                        "method": "GET",
                        "url": f"http://bench.example{path}",
                        "httpVersion": "HTTP/1.1",
                        "headers": [{"name": name, "value": value} for name, value in own.items()],
                    },
                    "response": {
                        "status": 200,
                        "httpVersion": "HTTP/1.1",
                        "headers": [typed, *([{"name": "Set-Cookie", "value": f"sid={token}; Path=/"}] if login else [])],
                        "content": {"size": len(body), "mimeType": "application/json", "text": body},
                    },
                    "timings": {"send": 0, "wait": 1, "receive": 1},
                }
            )
    file = lambda name: os.path.join(folder, name)
    with open(file("bench.har"), "w") as out:
        json.dump({"log": {"version": "1.2", "entries": entries}}, out)
    for command in (
        ["capture", file("bench.har"), "-o", file("bench.mynah"), "--unmasked"],
        # The file says of nobody who it is, as if one person had done it all.
        ["profile", file("bench.mynah"), "-o", file("recorded.toml"), "--session-key", "cookie:sid"],
    ):
        subprocess.run([binary(), *command], check=True, capture_output=True)
    with open(file("recorded.toml")) as made:
        text = made.read()
    if "[correlation." not in text and "[[correlation]]" not in text:
        sys.exit("bench: no correlation was found, so none would be measured")
    if "\nsessions = 60\n" not in text:
        sys.exit("bench: what was recorded of sixty people was not found to be that")
    return file("recorded.toml")


def mynah_run(scenario, target, seconds, folder, options):
    result = os.path.join(folder, "run")
    command = [binary(), "replay", scenario, "--target", target, "--users", str(CONNECTIONS), "--for", f"{seconds}s"]
    figures = run([*command, "--think-time", "0", "--threads", "1", "-o", result, "--force", *options], core=1)
    if figures["exit"] not in (0, 11):
        sys.exit(figures["stderr"])
    with open(os.path.join(result, "run.json")) as file:
        document = json.load(file)
    if document["failures"]:
        sys.exit(f"bench: {document['failures']} requests failed: {document['failure_rows'][:3]}")
    return document["requests"] / seconds, figures["cpu"] / document["requests"] * 1e6


if __name__ == "__main__":
    main()
