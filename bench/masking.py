#!/usr/bin/env python3
"""Masking by itself: learn, mask and audit, one core, MB of heads and decoded bodies per second of processor time.

Runs masking/examples/throughput/, which makes its own traffic: JSON API calls with 5 % of HTML pages; the same without
pages, and with half of the bodies in gzip; pages only; and what fixtures/shop.pcap holds, over and over. The peers are searches of
the same bytes for 15 plain detectors, in one regular expression and one after the other, which validate and replace nothing. The first
case is measured again as built for x86-64-v3, where the processor is one. Prints medians; ratios are of all of masking to either
search in the same run. What else runs on the same core, or its sibling, slows masking, which does several things at a time, more than a
search, which waits for one byte after the other: measure on an idle machine. Below the medians stand the best of all runs, and their ratios,
which is what a machine that is never idle can tell.
Usage: bench/masking.py [megabytes] [runs]
"""

import os
import subprocess
import sys
import tempfile

from measure import binary, median, need

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PEERS = ["searched", "one-by-one"]
STAGES = ["learn", "index", "mask", "audit", "together", *PEERS]
V3 = {"avx2", "bmi1", "bmi2", "fma", "movbe"}


def build(folder, flags=""):
    """The example, built by itself with these flags of the compiler."""
    command = ["cargo", "build", "--quiet", "--release", "-p", "mynah-masking", "--example", "throughput"]
    environment = {**os.environ, "CARGO_TARGET_DIR": folder, "RUSTFLAGS": flags} if flags else None
    subprocess.run(command, cwd=ROOT, check=True, env=environment)
    return os.path.join(folder, "release", "examples", "throughput")


def is_v3():
    with open("/proc/cpuinfo") as info:
        return any(V3 <= set(line.split()) for line in info if line.startswith("flags"))


def throughput(program, options):
    done = subprocess.run(["taskset", "-c", "1", program, *options], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    lines = (line.split() for line in done.stdout.splitlines())
    return {words[0]: float(words[1]) for words in lines if words and words[0] in STAGES}


def show(name, figures, ratios):
    print(f"{name:14}" + "".join(f"{figures[stage]:11.1f}" for stage in STAGES) + "".join(f"{r:11.2f}" for r in ratios))


def main():
    megabytes = sys.argv[1] if len(sys.argv) > 1 else "200"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    need("cargo", "taskset")
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    program = build(target)
    with tempfile.TemporaryDirectory() as folder:
        shop = os.path.join(folder, "shop.mynah")
        capture = [binary(), "capture", os.path.join(ROOT, "fixtures", "shop.pcap"), "-o", shop, "--unmasked"]
        subprocess.run(capture, check=True, capture_output=True)
        cases = {
            "JSON API": (program, []),
            "no pages": (program, ["--html", "0"]),
            "half in gzip": (program, ["--gzip", "50"]),
            "HTML only": (program, ["--html", "100"]),
            "shop.pcap": (program, ["--recording", shop]),
        }
        if is_v3():
            tuned = build(os.path.join(target, "x86-64-v3"), "-C target-cpu=x86-64-v3")
            cases = {"JSON API": cases["JSON API"], "for x86-64-v3": (tuned, []), **cases}
        figures = {name: [] for name in cases}
        for _ in range(runs):
            for name, (built, options) in cases.items():
                figures[name].append(throughput(built, ["--megabytes", megabytes, "--peers", "1", *options]))
        print(f"{megabytes} MB each, {runs} runs in turn, one core, MB/s of processor time, medians")
        print(f"{'':14}" + "".join(f"{stage:>11}" for stage in STAGES) + f"{'ratios':>11}")
        for name, results in figures.items():
            ratios = [median([r["together"] / r[peer] for r in results]) for peer in PEERS]
            show(name, {stage: median([r[stage] for r in results]) for stage in STAGES}, ratios)
            best = {stage: max(r[stage] for r in results) for stage in STAGES}
            show("  best", best, [best["together"] / best[peer] for peer in PEERS])


if __name__ == "__main__":
    main()
