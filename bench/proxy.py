#!/usr/bin/env python3
"""What the recording reverse proxy adds to latency: the same sessions direct and through it, in turn.

nginx answers; mynah replay sends in the open model (sessions of ten requests over one connection) and measures each answer from
its intended start. Prints p50 and p99 of both and the difference. Wants an idle machine: with more programs than cores the
scheduler is measured. Usage: bench/proxy.py [pairs] [seconds] [requests/s]
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import live
import replay
from measure import binary, median, need

LISTEN = 18098


def drive(scenario, port, seconds, rate, folder):
    """p50 and p99 of the response time, in microseconds."""
    run = os.path.join(folder, "run")
    command = [binary(), "replay", scenario, "--target", f"http://127.0.0.1:{port}", "--rate", f"{rate / live.STEPS:g}/s"]
    done = subprocess.run([*command, "--for", f"{seconds}s", "-o", run, "--force"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    with open(os.path.join(run, "run.json")) as out:
        figures = json.load(out)
    if figures["failures"]:
        sys.exit(f"bench: {figures['failures']} requests failed")
    times = figures["total"]["response_time_ms"]
    return times["p50"] * 1000, times["p99"] * 1000


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    rate = float(sys.argv[3]) if len(sys.argv) > 3 else 1000
    need("nginx")
    with tempfile.TemporaryDirectory() as folder:
        conf = os.path.join(folder, "nginx.conf")
        with open(conf, "w") as out:
            out.write(replay.NGINX.format(dir=folder, port=replay.PORT))
        scenario = os.path.join(folder, "steady.toml")
        with open(scenario, "w") as out:
            out.write(live.SCENARIO + "".join(live.STEP.format(n=n) for n in range(live.STEPS)))
        server = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        proxy = subprocess.Popen(
            [binary(), "capture", "--listen", f"127.0.0.1:{LISTEN}", "--upstream", f"http://127.0.0.1:{replay.PORT}"]
            + ["-o", os.path.join(folder, "out.mynah")],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert "recording" in proxy.stderr.readline()
            measure(pairs, seconds, rate, lambda port: drive(scenario, port, seconds, rate, folder))
        finally:
            proxy.terminate()
            print(proxy.stderr.read().strip())
            proxy.wait()
            server.terminate()
            server.wait()


def measure(pairs, seconds, rate, drive_to):
    print(f"{rate:.0f} requests/s for {seconds} s, microseconds from the intended start")
    print("         direct: p50      p99    through: p50      p99      added: p50      p99")
    added = []
    for number in range(pairs):
        direct, through = (drive_to(port) for port in (replay.PORT, LISTEN))
        added.append([after - before for before, after in zip(direct, through)])
        print(f"pair {number + 1} {direct[0]:12.0f} {direct[1]:8.0f} {through[0]:15.0f} {through[1]:8.0f} {added[-1][0]:15.0f} {added[-1][1]:8.0f}")
    p50, p99 = (median([pair[at] for pair in added]) for at in (0, 1))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"median added: p50 {p50:.0f} us, p99 {p99:.0f} us (aim: p99 below 1000 us at 1000 requests/s)")


if __name__ == "__main__":
    main()
