#!/usr/bin/env python3
"""Masking by itself: learn, mask and audit, one core, MB of heads and decoded bodies per second of processor time.

Runs masking/examples/throughput.rs, which makes its own traffic: JSON API calls with 5 % of HTML pages; the same with half of
the bodies in gzip; pages only; and what fixtures/shop.pcap holds, over and over. Prints medians.
Usage: bench/masking.py [megabytes] [runs]
"""

import os
import subprocess
import sys
import tempfile

from measure import binary, median, need

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
STAGES = ["learn", "index", "mask", "audit", "together"]


def throughput(options):
    command = ["cargo", "run", "--quiet", "--release", "-p", "mynah-masking", "--example", "throughput", "--", *options]
    done = subprocess.run(["taskset", "-c", "1", *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    lines = (line.split() for line in done.stdout.splitlines())
    return {words[0]: float(words[1]) for words in lines if words and words[0] in STAGES}


def main():
    megabytes = sys.argv[1] if len(sys.argv) > 1 else "200"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    need("cargo", "taskset")
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "mynah-masking", "--example", "throughput"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        shop = os.path.join(folder, "shop.mynah")
        capture = [binary(), "capture", os.path.join(ROOT, "fixtures", "shop.pcap"), "-o", shop, "--unmasked"]
        subprocess.run(capture, check=True, capture_output=True)
        cases = {
            "JSON API": [],
            "half in gzip": ["--gzip", "50"],
            "HTML only": ["--html", "100"],
            "shop.pcap": ["--recording", shop],
        }
        figures = {name: [] for name in cases}
        for _ in range(runs):
            for name, options in cases.items():
                figures[name].append(throughput(["--megabytes", megabytes, *options]))
        print(f"{megabytes} MB each, {runs} runs in turn, one core, MB/s of processor time, medians")
        print(f"{'':14}" + "".join(f"{stage:>10}" for stage in STAGES))
        for name, results in figures.items():
            print(f"{name:14}" + "".join(f"{median([r[stage] for r in results]):10.1f}" for stage in STAGES))


if __name__ == "__main__":
    main()
