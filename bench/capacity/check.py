#!/usr/bin/env python3
"""What `mynah capacity` finds of a server whose capacity is known: a token bucket with a queue (bucket.rs).

Each repetition has a seed of its own, so sessions come in another order at other moments. Prints what was found beside what is
there, and exits 1 when the median is further off than 3 %.
Usage: bench/capacity/check.py [--repetitions 5] [--rate 3000] [--steps 10] [--step 10s] [--hold 30s] [--latency MS] [--mynah BINARY]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from measure import binary, median, need  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
MARGIN = 0.03


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repetitions", type=int, default=5)
    arguments.add_argument("--rate", type=float, default=3000, help="requests a second that the server does")
    arguments.add_argument("--steps", type=int, default=10, help="requests of a session, one after the other")
    arguments.add_argument("--step", default="10s")
    arguments.add_argument("--hold", default="30s")
    arguments.add_argument("--latency", type=float, default=1, help="milliseconds that each answer takes besides")
    arguments.add_argument("--threshold", default="p99 < 500ms")
    arguments.add_argument("--mynah")
    args = arguments.parse_args()
    need("rustc")
    mynah = args.mynah or binary()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        bucket = os.path.join(folder, "bucket")
        source = os.path.join(HERE, "bucket.rs")
        subprocess.run(["rustc", "-O", "--edition", "2021", source, "-o", bucket], check=True)
        scenario = os.path.join(folder, "bucket.toml")
        with open(scenario, "w") as out:
            out.write('version = 1\nname = "bucket"\n[[profile]]\nname = "all"\nweight = 1\n')
            for n in range(args.steps):
                out.write(f'[[profile.step]]\nrequest = "GET /{n}"\nexpect = 200\n')
        print(f"a bucket of {args.rate:.0f} requests/s, {args.steps} requests a session, steps of {args.step}, held for {args.hold}")
        print("seed  found, requests/s      off   steps  seconds  outcome")
        for seed in range(1, args.repetitions + 1):
            with subprocess.Popen([bucket, str(args.rate), "10", str(args.latency)], stdout=subprocess.PIPE, text=True) as server:
                target = server.stdout.readline().strip()
                begun = time.time()
                line = [mynah, "capacity", scenario, "--target", target, "--from", f"{args.rate / args.steps / 16}/s"]
                line += ["--threshold", args.threshold, "--step", args.step, "--hold", args.hold, "--seed", str(seed)]
                line += ["--json", "-o", os.path.join(folder, f"run{seed}")]
                run = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                took = time.time() - begun
                server.kill()
            if not run.stdout:
                sys.exit(f"mynah said: {run.stderr}")
            document = json.loads(run.stdout)
            answer = next((step for step in document["steps"] if step["number"] == document["answer"]), None)
            rate = answer["requests_per_s"] if answer else 0
            off = rate / args.rate - 1
            print(f"{seed:4}  {rate:17.0f}  {off:+7.1%}  {len(document['steps']):6}  {took:7.0f}  {document['outcome']}", flush=True)
            if document["outcome"] == "found":
                found.append(rate)
            else:
                print(f"      {document['summary']}")
    if len(found) < args.repetitions / 2:
        sys.exit("too few searches came to an end: is this machine busy with other things?")
    off = median(found) / args.rate - 1
    print(f"median {median(found):.0f} of {args.rate:.0f} requests/s: {off:+.1%} (from {min(found):.0f} to {max(found):.0f} in {len(found)} searches)")
    sys.exit(abs(off) > MARGIN)


if __name__ == "__main__":
    main()
