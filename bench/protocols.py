#!/usr/bin/env python3
"""CPU per request over HTTP/2 and TLS against h2load's on the same nginx, in turn, and memory per idle user.

The server is pinned to core 0, the client to core 1; both have 64 connections with one request at a time on each. For h2load, which
offers no think times, only CPU is compared. Prints each pair, the median ratios, and KiB of each idle user (think time 5 s)
over each protocol. Usage: bench/protocols.py [pairs] [seconds] [idle users]
"""

import json
import os
import re
import sys
import tempfile

from measure import binary, median, need, nginx, run

PORTS = {"HTTP/1.1": 18101, "h2c": 18102, "HTTP/1.1 over TLS": 18103, "h2 over TLS": 18104}
FLAGS = {
    "HTTP/1.1": [],
    "h2c": ["--http", "2"],
    "HTTP/1.1 over TLS": ["--insecure", "--http", "1.1"],
    "h2 over TLS": ["--insecure", "--http", "2"],
}
PEER = {"HTTP/1.1": ["--h1"], "h2c": [], "HTTP/1.1 over TLS": ["--h1"], "h2 over TLS": []}
CONNECTIONS = 64

NGINX = """
worker_processes 1; worker_cpu_affinity 01; daemon off; pid {dir}/pid; error_log {dir}/error.log;
worker_rlimit_nofile 40000;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {dir}; proxy_temp_path {dir};
  fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir}; default_type application/json;
  ssl_certificate {cert}.crt; ssl_certificate_key {cert}.key; ssl_protocols TLSv1.3; http2_idle_timeout 1h;
  server {{
    listen 127.0.0.1:{p[0]} reuseport backlog=4096; listen 127.0.0.1:{p[1]} http2 reuseport backlog=4096;
    listen 127.0.0.1:{p[2]} ssl reuseport backlog=4096; listen 127.0.0.1:{p[3]} ssl http2 reuseport backlog=4096;
    location / {{ return 200 '{{"id":17,"name":"a thing","price":1999,"in_stock":true,"x":"y"}}'; }} }}
}}
"""

SCENARIO = """
version = 1
name = "bench"
[[profile]]
name = "get"
weight = 1
"""
STEP = """
[[profile.step]]
request = "GET /items/{n}"
headers = {{ User-Agent = "bench", Accept = "application/json" }}
expect = 200
think = "5s"
"""


def main():
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    pairs, seconds, users = [*numbers, *(3, 6, 1000)[len(numbers) :]][:3]
    need("nginx", "h2load", "taskset")
    certificate = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "replay/tests/data/localhost"))
    with tempfile.TemporaryDirectory() as folder:
        scenario = os.path.join(folder, "bench.toml")
        with open(scenario, "w") as out:
            out.write(SCENARIO + "".join(STEP.format(n=n) for n in range(200)))
        with nginx(folder, NGINX.format(dir=folder, cert=certificate, p=list(PORTS.values()))):
            for protocol in PORTS:
                compare(protocol, scenario, folder, pairs, seconds)
            base = idle("HTTP/1.1", scenario, folder, 1)
            for protocol in PORTS:
                each = (idle(protocol, scenario, folder, users) - base) / 1024 / users
                print(f"{protocol}: {each:.1f} KiB for each of {users} idle users")


def compare(protocol, scenario, folder, pairs, seconds):
    print(f"{protocol:18}  h2load: req/s   us CPU/req    mynah: req/s   us CPU/req   CPU ratio")
    ratios = []
    for number in range(pairs):
        peer = peer_run(protocol, seconds)
        ours = mynah_run(protocol, scenario, folder, CONNECTIONS, seconds, ["--think-time", "0"])
        document = ours["document"]
        rate, cpu = document["requests"] / seconds, ours["cpu"] / document["requests"] * 1e6
        ratios.append(cpu / peer[1])
        print(f"pair {number + 1}              {peer[0]:14.0f} {peer[1]:12.2f} {rate:15.0f} {cpu:12.2f} {ratios[-1]:11.2f}")
    print(f"{protocol}: median CPU per request, mynah / h2load: {median(ratios):.2f}")


def url(protocol):
    scheme = "https" if "TLS" in protocol else "http"
    return f"{scheme}://localhost:{PORTS[protocol]}" if scheme == "https" else f"{scheme}://127.0.0.1:{PORTS[protocol]}"


def peer_run(protocol, seconds):
    headers = ["-H", "user-agent: bench", "-H", "accept: application/json"]
    command = ["h2load", "-t1", f"-c{CONNECTIONS}", "-m1", "-D", str(seconds), *PEER[protocol], *headers]
    with tempfile.TemporaryFile() as out:
        figures = run([*command, f"{url(protocol)}/items/1"], core=1, stdout=out)
        out.seek(0)
        text = out.read().decode()
    done = re.search(r"(\d+) succeeded", text)
    if not done or int(done[1]) == 0:
        sys.exit(f"bench: h2load came to nothing:\n{text}")
    return int(done[1]) / seconds, figures["cpu"] / int(done[1]) * 1e6


def mynah_run(protocol, scenario, folder, users, seconds, options):
    result = os.path.join(folder, "run")
    command = [binary(), "replay", scenario, "--target", url(protocol), "--users", str(users), "--for", f"{seconds}s"]
    figures = run([*command, "--threads", "1", "-o", result, "--force", *FLAGS[protocol], *options], core=1)
    if figures["exit"] not in (0, 11):
        sys.exit(figures["stderr"])
    with open(os.path.join(result, "run.json")) as file:
        figures["document"] = json.load(file)
    if figures["document"]["failures"]:
        sys.exit(f"bench: requests failed: {figures['document']['failure_rows'][:3]}")
    return figures


def idle(protocol, scenario, folder, users):
    """Peak resident bytes with so many users that mostly think."""
    return mynah_run(protocol, scenario, folder, users, 8, ["--spawn-rate", str(max(users // 4, 1))])["rss"]


if __name__ == "__main__":
    main()
