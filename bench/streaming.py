#!/usr/bin/env python3
"""A recording larger than memory: peak memory and time to load, its sessions kept and streamed; and how late requests are sent.

Makes its own recording: a GoReplay file of sessions of six requests, three of them with bodies that do not compress, which is captured
(unmasked: masking is measured by masking.py) and grouped into a scenario, each with its own peak memory. Then it is replayed at an nginx
on loopback, in turn with all sessions in memory (`--memory 100GB`) and with none (`--memory 64MiB`): the peak memory of the process, the
time besides the run (loading, mostly), CPU time, and the send lag. Once at a low rate, so that little but loading is in the figures, and in
pairs at the rate that is asked for; CPU time per request is what these take more.
Usage: bench/streaming.py [megabytes] [pairs] [seconds] [requests/s] [--also]   (1600, 3, 20, 2000)

--also: `mynah inspect`, `mynah mask` and `mynah export` on the same recording, for their peak memory.
"""

import base64
import json
import os
import random
import shutil
import sys
import tempfile

from measure import binary, median, need, nginx, run

PORT = 18117
BODY = 8000
HOST = "api.bench.example"
SEPARATOR = "\n🐵🙈🙉\n".encode()

NGINX = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {dir}; proxy_temp_path {dir};
  client_max_body_size 100m; client_body_buffer_size 64k;
  fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir}; default_type application/json;
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 '{{"id":17,"stored":true}}'; }}
    location = /login {{ add_header Set-Cookie "sid=$request_id; Path=/"; return 200 '{{"token":"$request_id"}}'; }} }}
}}
"""


def record(path, megabytes):
    """Sessions as a client of an upload service has them, five a second."""
    chance = random.Random(7)
    begun, number, session = 1_760_000_000_000_000_000, 0, 0

    def text(length):
        return base64.b64encode(chance.randbytes(length * 3 // 4)).decode()

    with open(path, "wb") as out:

        def exchange(at, method, target, headers, body, answer, more=""):
            nonlocal number
            number += 1
            head = f"{method} {target} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench/1\r\nAccept: application/json\r\n{headers}"
            if body:
                head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            reply = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n{more}\r\n{answer}"
            out.write(f"1 {number:024x} {at} 1000000\n{head}\r\n{body}".encode() + SEPARATOR)
            out.write(f"2 {number:024x} {at + 5_000_000} 1000000\n{reply}".encode() + SEPARATOR)

        while out.tell() < megabytes * 1e6:
            session += 1
            at = begun + session * 200_000_000
            sid, token = f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(128):032x}"
            cookie = f"Cookie: sid={sid}\r\n"
            exchange(at, "GET", "/login", "", "", f'{{"token":"{token}"}}', f"Set-Cookie: sid={sid}; Path=/\r\n")
            for step in range(3):
                at += 100_000_000 + chance.randrange(100_000_000)
                body = f'{{"token":"{token}","part":{step},"data":"{text(BODY)}"}}'
                exchange(at, "POST", f"/parts/{session * 3 + step}", cookie, body, '{"id":17,"stored":true}')
            exchange(at + 50_000_000, "GET", f"/files/{session}", cookie, "", '{"id":17,"stored":true}')
            exchange(at + 300_000_000, "GET", "/list", cookie, "", '{"id":17,"stored":true}')
    return session, number


def checked(name, command):
    """Runs a command that must succeed, and prints what it took."""
    took = run(command)
    if took["exit"] != 0:
        sys.exit(f"{name} ended with {took['exit']}:\n{took['stderr'][-2000:]}")
    print(f"{name:28} {took['wall']:8.1f} s  CPU {took['cpu']:8.1f} s  peak {took['rss'] / 1e6:8.0f} MB", flush=True)
    return took


def replayed(mynah, scenario, url, memory, seconds, rate, folder):
    out = os.path.join(folder, "run")
    shutil.rmtree(out, ignore_errors=True)
    command = [mynah, "replay", scenario, "--target", url, "--for", f"{seconds}s", "--requests", f"{rate}/s"]
    took = run([*command, "--think-time", "0", "--memory", memory, "-y", "-o", out])
    with open(os.path.join(out, "run.json")) as file:
        document = json.load(file)
    lag = document["generator"]["send_lag_us"]
    return {
        "rss": took["rss"] / 1e6,
        # What the process did besides the run: loading, and closing.
        "load": took["wall"] - document["duration_s"],
        "cpu": took["cpu"],
        "p50": lag["p50"],
        "p99": lag["p99"],
        "requests": document["requests"],
        "failures": document["failures"],
        "verdict": document["verdict"],
    }


def show(name, one):
    print(
        f"{name:10} peak {one['rss']:7.0f} MB  besides the run {one['load']:6.1f} s  CPU {one['cpu']:6.1f} s  "
        f"send lag p50 {one['p50']:6.0f} µs  p99 {one['p99']:7.0f} µs  {one['requests']} requests, {one['failures']} failed: {one['verdict']}",
        flush=True,
    )


def pair(measure):
    """Both in turn, and their ratios."""
    kept, streamed = measure("100GB"), measure("64MiB")
    show("kept", kept)
    show("streamed", streamed)
    return kept, streamed


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    megabytes, pairs, seconds, rate = [int(words[n]) if len(words) > n else given for n, given in enumerate((1600, 3, 20, 2000))]
    need("nginx")
    mynah = binary()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        gor, recording, scenario = (os.path.join(folder, name) for name in ("r.gor", "r.mynah", "r.toml"))
        sessions, requests = record(gor, megabytes)
        print(f"{os.path.getsize(gor) / 1e6:.0f} MB of traffic: {sessions} sessions, {requests} requests", flush=True)
        checked("capture --unmasked", [mynah, "capture", gor, "-o", recording, "--unmasked"])
        os.remove(gor)
        checked("profile", [mynah, "profile", recording, "-o", scenario])
        print(f"scenario.sessions: {os.path.getsize(os.path.join(folder, 'r.sessions')) / 1e6:.0f} MB", flush=True)
        if "--also" in sys.argv:
            checked("inspect", [mynah, "inspect", recording])
            checked("mask", [mynah, "mask", recording, "-o", os.path.join(folder, "masked.mynah")])
            os.remove(os.path.join(folder, "masked.mynah"))
            checked("export --format gor", [mynah, "export", scenario, "--format", "gor", "-o", os.path.join(folder, "out.gor")])
            os.remove(os.path.join(folder, "out.gor"))
        os.remove(recording)
        url = f"http://127.0.0.1:{PORT}"
        with nginx(folder, NGINX.format(dir=folder, port=PORT)):
            print("\nat 50 requests/s for 3 s: loading, mostly")
            kept, streamed = pair(lambda memory: replayed(mynah, scenario, url, memory, 3, 50, folder))
            print(f"peak memory streamed/kept {streamed['rss'] / kept['rss']:.3f}, time besides the run {streamed['load'] / kept['load']:.2f}")
            print(f"\nat {rate} requests/s for {seconds} s")
            all = [pair(lambda memory: replayed(mynah, scenario, url, memory, seconds, rate, folder)) for _ in range(pairs)]
    ratio = lambda key: median([streamed[key] / kept[key] for kept, streamed in all])
    more = lambda one, idle: (one["cpu"] - idle["cpu"]) / (one["requests"] - idle["requests"]) * 1e6
    cpu = [median([more(both[n], idle) for both in all]) for n, idle in enumerate((kept, streamed))]
    print(
        f"\nmedian streamed/kept: peak memory {ratio('rss'):.3f}, CPU per request {cpu[1]:.0f}/{cpu[0]:.0f} µs = {cpu[1] / cpu[0]:.2f}, "
        f"send lag p50 {ratio('p50'):.2f}, p99 {ratio('p99'):.2f}"
    )


if __name__ == "__main__":
    main()
