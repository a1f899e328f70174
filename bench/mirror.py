#!/usr/bin/env python3
"""What mirroring live traffic does and costs, on loopback: nginx as the captured server under a steady rate (2,000 requests/s for 30 s
by default, driven by mynah replay), and a target that keeps every byte it gets.

For a mirror that sniffs (10 % and all of the sessions) and one that is a reverse proxy (10 %): whether every sampled session is whole at the
target, whether any secret is, what was dropped, how far behind the mirror was, and the captured server's own latency beside
that without a mirror. A last, short one is told not to mask: there every request must have
a secret. Fails when a session is torn, a secret got through or the figures do not add up.
Runs in a network namespace of its own, so that nothing else is on its loopback interface; wants root for that.
Usage: bench/mirror.py [seconds] [rate]
"""

import collections
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from measure import binary, need

PORT, PROXY, TARGET = 18100, 18101, 18102
STEPS = 10
PASSWORD, TOKEN, EMAIL = "hunter2-k3J9xQ2mLp", "q81aWTb7x8Kq2mLp0Z", "ann.dupont@mail.example.org"

NGINX = """
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 8192; }}
http {{
    log_format short '$request_id $cookie_sid $request_uri';
    access_log {dir}/access.log short buffer=64k flush=1s;
    keepalive_requests 1000000;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location = /login {{ add_header Set-Cookie "sid=$request_id; Path=/"; return 200 '{{"ok":true}}'; }}
        location / {{ return 200 '{{"id":1,"name":"thing","tags":["a","b"],"price":9.5}}'; }}
    }}
}}
"""


def scenario():
    text = 'version = 1\nname = "steady"\n[[profile]]\nname = "steady"\nweight = 1\n'
    text += '[[profile.step]]\nrequest = "POST /login"\nexpect = 200\n'
    text += f"json = '{{\"email\":\"{EMAIL}\",\"password\":\"{PASSWORD}\"}}'\n"
    for number in range(1, STEPS):
        text += f'[[profile.step]]\nrequest = "GET /items/{number}"\nthink = "100ms"\nexpect = 200\n'
        text += f'headers = {{ Authorization = "Bearer {TOKEN}" }}\n'
    return text


class Target:
    """Answers 200 to everything, and keeps what it gets. One thread a connection would be too many: one loop for all."""

    def __init__(self):
        self.heard, self.stopping = [], False
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(("127.0.0.1", TARGET))
        self.server.listen(8192)
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def loop(self):
        import selectors

        wait = selectors.DefaultSelector()
        self.server.setblocking(False)
        wait.register(self.server, selectors.EVENT_READ)
        held = {}
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        while not self.stopping:
            for key, _ in wait.select(0.2):
                if key.fileobj is self.server:
                    client, _ = self.server.accept()
                    client.setblocking(False)
                    wait.register(client, selectors.EVENT_READ)
                    held[client] = b""
                    continue
                client = key.fileobj
                try:
                    data = client.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    wait.unregister(client)
                    held.pop(client)
                    client.close()
                    continue
                held[client] += data
                while (end := held[client].find(b"\r\n\r\n")) >= 0:
                    length = re.search(rb"content-length: (\d+)", held[client][:end], re.IGNORECASE)
                    whole = end + 4 + (int(length[1]) if length else 0)
                    if len(held[client]) < whole:
                        break
                    self.heard.append(held[client][:whole])
                    held[client] = held[client][whole:]
                    client.send(answer)

    def take(self):
        heard, self.heard = self.heard, []
        return heard


def drive(folder, port, seconds, rate):
    run = os.path.join(folder, f"load-{time.monotonic_ns()}")
    command = [binary(), "replay", os.path.join(folder, "steady.toml"), "--target", f"http://127.0.0.1:{port}"]
    command += ["--requests", f"{rate}/s", "--arrivals", "uniform", "--for", f"{seconds}s", "-o", run]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 11):
        sys.exit(done.stderr + done.stdout)
    document = json.load(open(os.path.join(run, "run.json")))
    return document, done.returncode


def begin(folder, name, args):
    run = os.path.join(folder, name)
    command = [binary(), "mirror", *args, "--target", f"http://127.0.0.1:{TARGET}", "--session-key", "cookie:sid", "-o", run]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()
    if first.startswith("warning: --unmasked"):
        first = process.stderr.readline()
    if not first.startswith("mirroring"):
        sys.exit(first + process.stderr.read())
    return process, run


def sessions(folder, since):
    """By production's session: how many requests it made, in nginx's own log from this byte on."""
    time.sleep(1.5)
    counts = collections.Counter()
    with open(os.path.join(folder, "access.log")) as log:
        log.seek(since)
        for line in log:
            request, cookie, path = line.split(" ", 2)
            counts[request if path.startswith("/login") else cookie] += 1
    return counts


def ms(figures):
    return f"p50 {figures['p50']:.2f} ms, p99 {figures['p99']:.2f} ms"


def latency(document):
    return ms(document["total"]["service_time_ms"])


def shadow(folder, target, name, args, port, seconds, rate, share):
    """One mirror under load; whether all is well."""
    since = os.path.getsize(os.path.join(folder, "access.log"))
    target.take()
    process, run = begin(folder, name, [*args, "--rate", share])
    load, _ = drive(folder, port, seconds, rate)
    time.sleep(2)
    usage = open(f"/proc/{process.pid}/status").read()
    memory = int(re.search(r"VmHWM:\s+(\d+)", usage)[1]) / 1024
    ticks = open(f"/proc/{process.pid}/stat").read().rsplit(") ", 1)[1].split()
    cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    if process.wait() != 130:
        sys.exit(said)
    document = json.load(open(os.path.join(run, "run.json")))
    mirror = document["mirror"]
    production, heard = sessions(folder, since), target.take()
    by_session, logins, secrets = collections.Counter(), 0, 0
    for request in heard:
        text = request.decode("latin-1")
        found = re.search(r"sid=([0-9a-zA-Z]+)", text)
        by_session[found[1] if found else "login"] += 1
        logins += text.startswith("POST /login")
        words = [PASSWORD, TOKEN, EMAIL, "ann.dupont"]
        secrets += any(word in text for word in words) or bool(found and found[1] in production)
    by_session.pop("login", None)
    torn = [count for count in by_session.values() if count != STEPS - 1]
    dropped = mirror["dropped"]
    lost = sum(dropped.values())
    adds_up = mirror["exchanges"] == mirror["sent"] + lost
    unexplained = lost - dropped["sampled_out"]
    clean = mirror["capture"]["dropped_by_kernel"] + mirror["capture"]["dropped_by_mynah"] + unexplained == 0
    shown = {why: count for why, count in dropped.items() if count}
    print(f"\n{name}: --rate {share} of {len(production)} sessions, {sum(production.values())} requests")
    print(f"  target    got {len(heard)} requests, {len(by_session)} sessions, {logins} log-ins; {len(torn)} sessions torn")
    print(f"  secrets   {secrets} requests with an original value")
    capture = mirror["capture"]
    print(f"  dropped   {shown}; capture lost {capture['dropped_by_kernel']} to the kernel, {capture['dropped_by_mynah']} to mynah, "
          f"{capture['gaps']} gaps; {'adds up' if adds_up else 'DOES NOT ADD UP'}")
    print(f"  lag       after the request was captured {ms(mirror['lag_ms'])}, max {mirror['lag_ms']['max']:.1f} ms; "
          f"after its answer was {ms(mirror['own_lag_ms'])}")
    print(f"  mynah     {cpu:.1f} s CPU in {seconds} s, {memory:.0f} MiB at most")
    print(f"  captured  {latency(load)} ({load['requests_per_s']:.0f} requests/s)")
    if "--unmasked" in args:
        return secrets == len(heard)
    # What was lost on the way can tear a session: then that must have been said.
    return adds_up and secrets == 0 and len(by_session) > 0 and (not torn or not clean)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    need("nginx", "unshare", "ip")
    if os.environ.get("MYNAH_BENCH_NAMESPACE") != "own":
        os.environ["MYNAH_BENCH_NAMESPACE"] = "own"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        conf = os.path.join(folder, "nginx.conf")
        with open(conf, "w") as out:
            out.write(NGINX.format(dir=folder, port=PORT))
        with open(os.path.join(folder, "steady.toml"), "w") as out:
            out.write(scenario())
        server = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        target = Target()
        try:
            drive(folder, PORT, 3, rate)
            time.sleep(1.5)
            alone, _ = drive(folder, PORT, seconds, rate)
            print(f"without a mirror: {latency(alone)} ({alone['requests_per_s']:.0f} requests/s; load average {os.getloadavg()[0]:.1f})")
            time.sleep(1.5)
            sniff = ["-i", "lo", "--port", str(PORT)]
            proxy = ["--listen", f"127.0.0.1:{PROXY}", "--upstream", f"http://127.0.0.1:{PORT}"]
            well = [
                shadow(folder, target, "sniff-10", sniff, PORT, seconds, rate, "10%"),
                shadow(folder, target, "sniff-100", sniff, PORT, seconds, rate, "100%"),
                shadow(folder, target, "proxy-10", proxy, PROXY, seconds, rate, "10%"),
                # That secrets would be found if they were there.
                shadow(folder, target, "unmasked (a control)", [*proxy, "--unmasked"], PROXY, 3, rate, "10%"),
            ]
        finally:
            target.stopping = True
            server.terminate()
            server.wait()
    if not all(well):
        sys.exit("bench: a session is torn, a secret got through, or figures do not add up")


if __name__ == "__main__":
    main()
