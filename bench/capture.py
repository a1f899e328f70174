#!/usr/bin/env python3
"""Capture file → exchanges, against tshark, one core each, in turn.

Makes its own capture: wrk against nginx on loopback under tcpdump. mynah is measured twice: to an unmasked recording
(what the peers do, and a file more) and to a masked, audited, sealed one. Prints MB/s and the ratios.
Usage: bench/capture.py [megabytes] [runs]
"""

import os
import subprocess
import sys
import tempfile
import time

import replay
from measure import binary, median, need, run


def record(path, megabytes):
    with tempfile.TemporaryDirectory() as folder:
        conf = os.path.join(folder, "nginx.conf")
        with open(conf, "w") as out:
            out.write(replay.NGINX.format(dir=folder, port=replay.PORT))
        server = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        sniffer = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-w", path, "-B", "131072", "-U", f"tcp port {replay.PORT}"], stderr=subprocess.DEVNULL
        )
        time.sleep(0.5)
        try:
            while not os.path.exists(path) or os.path.getsize(path) < megabytes * 1e6:
                run(["wrk", "-t1", "-c16", "-d1s", f"http://127.0.0.1:{replay.PORT}/items/1"])
        finally:
            time.sleep(0.5)
            sniffer.terminate()
            sniffer.wait()
            server.terminate()
            server.wait()
    return os.path.getsize(path) / 1e6


def main():
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 200
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    need("nginx", "wrk", "tcpdump", "tshark", "taskset")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bench.pcap")
        size = record(path, megabytes)
        out = os.path.join(folder, "out.mynah")
        commands = {
            "tshark": ["tshark", "-n", "-r", path, "-Y", "http.request", "-T", "fields", "-e", "http.request.uri"],
            "mynah, unmasked": [binary(), "capture", path, "-o", out, "--unmasked"],
            "mynah, masked": [binary(), "capture", path, "-o", out],
        }
        speeds = {name: [] for name in commands}
        peak = dict.fromkeys(commands, 0)
        for _ in range(runs):
            for name, command in commands.items():
                figures = run(command, core=1)
                if figures["exit"] != 0:
                    sys.exit(figures["stderr"])
                speeds[name].append(size / figures["wall"])
                peak[name] = max(peak[name], figures["rss"])
        print(f"{size:.0f} MB of packets, {runs} runs each in turn, one core, medians")
        base = median(speeds["tshark"])
        for name, values in speeds.items():
            speed = median(values)
            print(f"{name:16} {speed:8.1f} MB/s  {speed / base:6.1f} x tshark  peak {peak[name] / 1e6:6.0f} MB")


if __name__ == "__main__":
    main()
