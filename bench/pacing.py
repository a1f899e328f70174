#!/usr/bin/env python3
"""How late requests are sent: an open model of 20,000 requests a second from one core, against nginx on the other.

Usage: bench/pacing.py [repetitions] [seconds] [rate]

Beside each run a probe sleeps for 5 ms at a time on the client's core and keeps how late it was woken: what the machine did to both. Prints each
run and the medians. Ends with 1 when the send lag's median is above 100 us, its 99th percentile above 500 us, or sent is not scheduled.
"""

import json
import os
import subprocess
import sys
import tempfile

from measure import binary, median, need, run
from replay import NGINX, PORT, SCENARIO, STEP, served

PROBE = """
import time
late = []
try:
    while True:
        due = time.perf_counter() + 0.005
        time.sleep(0.005)
        late.append(time.perf_counter() - due)
except KeyboardInterrupt:
    late.sort()
    at = lambda share: 1e6 * late[min(int(len(late) * share), len(late) - 1)]
    print(at(0.5), at(0.99), 1e6 * late[-1])
"""


def once(scenario, target, seconds, rate, folder):
    result = os.path.join(folder, "run")
    probe = subprocess.Popen(["taskset", "-c", "1", sys.executable, "-c", PROBE], stdout=subprocess.PIPE, text=True)
    command = [binary(), "replay", scenario, "--target", target, "--requests", f"{rate}/s", "--max-in-flight", "64", "--for", f"{seconds}s"]
    figures = run([*command, "--threads", "1", "-o", result, "--force"], core=1)
    probe.send_signal(2)
    hiccups = [float(value) for value in probe.communicate()[0].split()]
    if figures["exit"] not in (0, 11):
        sys.exit(figures["stderr"])
    with open(os.path.join(result, "run.json")) as file:
        return json.load(file), hiccups


def main():
    numbers = [int(argument) for argument in sys.argv[1:]]
    repetitions, seconds, rate = [*numbers, *(7, 10, 20000)[len(numbers) :]][:3]
    need("nginx", "taskset")
    bad = []
    with tempfile.TemporaryDirectory() as folder, served(folder):
        scenario = os.path.join(folder, "bench.toml")
        with open(scenario, "w") as out:
            out.write(SCENARIO.format(steps="".join(STEP.format(n=n) for n in range(200))))
        p50, p99 = [], []
        print("       sent of scheduled        lag us: p50     p99   p99.9      max   response ms: p50   p99   p99.9   cpu    probe us: p50   p99    max")
        for number in range(repetitions):
            document, hiccups = once(scenario, f"http://127.0.0.1:{PORT}", seconds, rate, folder)
            lag, times = document["generator"]["send_lag_us"], document["total"]["response_time_ms"]
            sent, scheduled = document["requests"], document["arrivals"]["scheduled_requests"]
            p50.append(lag["p50"])
            p99.append(lag["p99"])
            print(
                f"run {number + 1}  {sent:9} of {scheduled:9} {lag['p50']:14.0f} {lag['p99']:7.0f} {lag['p999']:7.0f} {lag['max']:8.0f}"
                f" {times['p50']:18.3f} {times['p99']:5.3f} {times['p999']:7.3f} {document['generator']['cpu_busy']:5.0%}"
                f" {hiccups[0]:16.0f} {hiccups[1]:5.0f} {hiccups[2]:6.0f}",
                flush=True,
            )
            if sent != scheduled or document["failures"]:
                bad.append(f"run {number + 1}: {sent} of {scheduled} sent, {document['failures']} failed")
        print(f"median of {repetitions} runs of {seconds} s at {rate} requests/s: send lag p50 {median(p50):.0f} us, p99 {median(p99):.0f} us")
        if median(p50) > 100 or median(p99) > 500:
            bad.append("the send lag is above 100 us (p50) or 500 us (p99)")
    for text in bad:
        print(f"MISS  {text}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
