#!/usr/bin/env python3
"""Live capture on loopback: is every packet accounted for, and is anything lost at an ordinary rate?

1. wrk against nginx as fast as the machine can, with mynah capturing beside them: seen = captured + dropped, and seen
   is compared with the interface's own counter.
2. An ordinary rate (5,000 requests/s by default, driven by mynah replay): nothing dropped, and as many exchanges as
   there are lines in nginx's own log.
Runs in a network namespace of its own, so that nothing else is on its loopback interface; wants root for that.
Usage: bench/live.py [seconds] [rate]
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from measure import binary, need

PORT = 18090
STEPS = 10

NGINX = """
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
    log_format short '$request_uri';
    access_log {dir}/access.log short buffer=64k flush=1s;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type application/json; return 200 '{{"id":1,"name":"thing","tags":["a","b"],"price":9.5}}'; }}
    }}
}}
"""

SCENARIO = """
version = 1
name = "steady"
[[profile]]
name = "steady"
weight = 1
"""
STEP = """
[[profile.step]]
request = "GET /items/{n}"
expect = 200
"""


def passed():
    """Packets that the loopback interface has delivered."""
    for line in open("/proc/net/dev"):
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[1])
    return 0


def capture(folder, output):
    process = subprocess.Popen(
        [binary(), "capture", "-i", "lo", "--port", str(PORT), "-o", output], stderr=subprocess.PIPE, text=True, cwd=folder
    )
    assert "recording" in process.stderr.readline()
    return process


def end(process):
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    if process.wait() != 0:
        sys.exit(said)


def inspect(path):
    return json.loads(subprocess.run([binary(), "inspect", path, "--json"], check=True, capture_output=True).stdout)


def lines(folder):
    time.sleep(1.5)
    with open(os.path.join(folder, "access.log"), "rb") as log:
        return sum(1 for _ in log)


def show(name, counts, extra):
    parts = counts["captured"] + counts["dropped_by_kernel"] + counts["dropped_by_mynah"]
    print(
        f"{name}: seen {counts['seen']} = {counts['captured']} captured + {counts['dropped_by_kernel']} dropped by the kernel "
        f"+ {counts['dropped_by_mynah']} by mynah ({'adds up' if parts == counts['seen'] else 'DOES NOT ADD UP'}); {extra}"
    )


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    need("nginx", "wrk", "unshare", "ip")
    if os.environ.get("MYNAH_BENCH_NAMESPACE") != "own":
        os.environ["MYNAH_BENCH_NAMESPACE"] = "own"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        conf = os.path.join(folder, "nginx.conf")
        with open(conf, "w") as out:
            out.write(NGINX.format(dir=folder, port=PORT))
        server = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        try:
            output = os.path.join(folder, "full.mynah")
            before = passed()
            process = capture(folder, output)
            wrk = subprocess.run(
                ["wrk", "-t1", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{PORT}/items/1"], check=True, capture_output=True, text=True
            )
            served = [line for line in wrk.stdout.splitlines() if "requests in" in line][0].strip()
            end(process)
            there = passed() - before
            found = inspect(output)
            counts = found["capture"]
            off = 100 * (counts["seen"] - there) / there
            show(
                f"full rate, {seconds} s ({served})",
                counts,
                f"the interface counted {there} ({off:+.2f} %); {found['exchanges']} exchanges, {counts['gaps']} gaps",
            )

            scenario = os.path.join(folder, "steady.toml")
            with open(scenario, "w") as out:
                out.write(SCENARIO + "".join(STEP.format(n=n) for n in range(STEPS)))
            already = lines(folder)
            output = os.path.join(folder, "steady.mynah")
            before = passed()
            process = capture(folder, output)
            replay = [binary(), "replay", scenario, "--target", f"http://127.0.0.1:{PORT}", "--rate", f"{rate // STEPS}/s", "--for", f"{seconds}s"]
            subprocess.run([*replay, "-o", os.path.join(folder, "run"), "--force"], check=True, capture_output=True, cwd=folder)
            end(process)
            there = passed() - before
            served = lines(folder) - already
            found = inspect(output)
            counts = found["capture"]
            show(
                f"{served / seconds:.0f} requests/s, {seconds} s",
                counts,
                f"the interface counted {there}; {found['exchanges']} exchanges, nginx logged {served}, "
                f"{found['requests_without_response']} without response",
            )
            if counts["seen"] != counts["captured"] or found["exchanges"] != served:
                sys.exit("something was lost at an ordinary rate")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
