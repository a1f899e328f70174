#!/usr/bin/env python3
"""CPU per request of a replay against wrk's, on the same nginx, in turn.

The server is pinned to core 0, the client to core 1. wrk sends the same header fields. Prints each pair and the
median ratio. Usage: bench/replay.py [pairs] [seconds] [--recorded] [OPTION OF REPLAY …]

--recorded: the same requests come from a recording, so that each answer's body is held against the recorded ones.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

from measure import binary, median, need, run

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
    location / {{ return 200 '{{"id":17,"name":"a thing","price":1999,"in_stock":true,"x":"y"}}'; }} }}
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


def main():
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    pairs, seconds = [*numbers, *(5, 8)[len(numbers) :]][:2]
    recorded = "--recorded" in sys.argv
    options = [argument for argument in sys.argv[1:] if not argument.isdigit() and argument != "--recorded"]
    need("nginx", "wrk", "taskset")
    with tempfile.TemporaryDirectory() as folder:
        conf = os.path.join(folder, "nginx.conf")
        with open(conf, "w") as out:
            out.write(NGINX.format(dir=folder, port=PORT))
        server = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        scenario = os.path.join(folder, "bench.toml")
        with open(scenario, "w") as out:
            out.write(SCENARIO.format(steps="".join(STEP.format(n=n) for n in range(200))))
        if recorded:
            scenario = profiled(folder)
        target = f"http://127.0.0.1:{PORT}"
        try:
            ratios = []
            print("          wrk: req/s   us CPU/req    mynah: req/s   us CPU/req   CPU ratio")
            for number in range(pairs):
                wrk = wrk_run(target, seconds)
                ours = mynah_run(scenario, target, seconds, folder, options)
                ratios.append(ours[1] / wrk[1])
                print(f"pair {number + 1}  {wrk[0]:12.0f} {wrk[1]:12.2f} {ours[0]:15.0f} {ours[1]:12.2f} {ratios[-1]:11.2f}")
            print(f"median CPU per request, mynah / wrk: {median(ratios):.2f}")
        finally:
            server.terminate()
            server.wait()


def wrk_run(target, seconds):
    with tempfile.TemporaryFile() as out:
        headers = [part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")]
        figures = run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *headers, f"{target}/items/1"], core=1, stdout=out)
        out.seek(0)
        requests = int(re.search(r"(\d+) requests in", out.read().decode())[1])
    return requests / seconds, figures["cpu"] / requests * 1e6


def profiled(folder):
    """A scenario that mynah made of two hundred recorded requests."""
    body = '{"id":17,"name":"a thing","price":1999,"in_stock":true,"x":"y"}'
    headers = [{"name": name, "value": value} for name, value in {"Host": "bench.example", **HEADERS}.items()]
    typed = [{"name": "Content-Type", "value": "application/json"}]
    entries = [
        {
            "startedDateTime": f"2026-01-01T00:00:{n // 10:02}.{n % 10}00Z",
            "time": 2,
            "request": {"method": "GET", "url": f"http://bench.example/items/{n}", "httpVersion": "HTTP/1.1", "headers": headers},
            "response": {
                "status": 200,
                "httpVersion": "HTTP/1.1",
                "headers": typed,
                "content": {"size": len(body), "mimeType": "application/json", "text": body},
            },
            "timings": {"send": 0, "wait": 1, "receive": 1},
        }
        for n in range(200)
    ]
    file = lambda name: os.path.join(folder, name)
    with open(file("bench.har"), "w") as out:
        json.dump({"log": {"version": "1.2", "entries": entries}}, out)
    for command in (
        ["capture", file("bench.har"), "-o", file("bench.mynah"), "--unmasked"],
        ["profile", file("bench.mynah"), "-o", file("recorded.toml")],
    ):
        subprocess.run([binary(), *command], check=True, capture_output=True)
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
