#!/usr/bin/env python3
"""How often the gate is wrong: false alarms of comparisons of a server with itself, and how often +10 % is found.

`check.py [--live 40] [--power 20] [--resampled 1000] [--seconds 60] [--rate 150] [--parallel 3] [--mynah PATH] [--keep DIR]`

Not for CI: it takes (live + power) × seconds / parallel. Ends with 1 when false alarms exceed 5 % or less than 90 % is found.
`--keep DIR` leaves the runs there, and takes those that are there instead of making them again.
"""

import argparse
import concurrent.futures
import json
import math
import os
import queue
import random
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SCENARIO = """
version = 1
name = "compared"
"""
# Steps of each profile; weights are as in many shops: most people look.
PROFILES = {"look": (60, ["/", "/items", "/items"]), "search": (25, ["/", "/search", "/items", "/search"]), "buy": (15, ["/login", "/basket", "/order"])}
PORTS = 18300

misses = []


def verdict(what, good, text):
    print(f"{'ok  ' if good else 'MISS'}  {what}: {text}", flush=True)
    if not good:
        misses.append(what)


def binary():
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
    path = target / "release" / "mynah"
    if not path.exists():
        sys.exit("build it first: cargo build --release")
    return path


def scenario(folder):
    text = SCENARIO
    for name, (weight, paths) in PROFILES.items():
        text += f'[[profile]]\nname = "{name}"\nweight = {weight}\n'
        text += "".join(f'[[profile.step]]\nrequest = "GET {path}"\n' for path in paths)
    path = folder / "compared.toml"
    path.write_text(text)
    return path


class Servers:
    """Two of them, fresh for each comparison: what a process is born with is part of what moves from run to run."""

    def __init__(self, port, shift, fast):
        self.urls = [f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"]
        command = [sys.executable, str(HERE / ("fast.py" if fast else "server.py"))]
        each = [[], [] if fast else ["--shift", str(shift)]]
        self.processes = [
            subprocess.Popen([*command, str(port + side), *extra], stdout=subprocess.PIPE) for side, extra in enumerate(each)
        ]
        for process in self.processes:
            process.stdout.readline()

    def __enter__(self):
        return self.urls

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def live(mynah, toml, folder, ports, shift, seconds, rate, fast):
    """One interleaved run; what `compare` says of it. `None`: the generator was the bottleneck."""
    if not (folder / "candidate" / "run.json").exists():
        port = ports.get()
        try:
            with Servers(port, shift, fast) as urls:
                subprocess.run(
                    [mynah, "replay", toml, "--against", *urls, "--rate", f"{rate}/s", "--for", f"{seconds}s", "--block", "5s"]
                    + ["--threads", "1", "--json", "--force", "-o", folder],
                    capture_output=True, timeout=seconds + 60,
                )
        finally:
            ports.put(port)
    return compare(mynah, [folder / "baseline"], [folder / "candidate"])


def pattern(paths):
    return str(paths[0]) if len(paths) == 1 else str(paths[0].parent)


def compare(mynah, baseline, candidate):
    done = subprocess.run(
        [mynah, "compare", pattern(baseline), pattern(candidate), "--json"], capture_output=True, text=True, timeout=120
    )
    return json.loads(done.stdout) if done.returncode in (0, 10) else None


def many(work, count, parallel, ports):
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        return [result for result in pool.map(work, range(count)) if result is not None]


def rows(comparison, verdict_of):
    return [f"{row['endpoint']} {row['metric']}" for row in comparison["rows"] if row["verdict"] == verdict_of]


def wilson(hits, n):
    """The interval of a share, 95 % (Wilson)."""
    if n == 0:
        return (0.0, 1.0)
    z, p = 1.96, hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half, centre + half)


def share(hits, n):
    low, high = wilson(hits, n)
    return f"{hits} of {n} = {100 * hits / max(n, 1):.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"


def read(folder):
    """A run's document, and its interval log's lines by second."""
    document = json.loads((folder / "run.json").read_text())
    head, seconds = [], {}
    for line in (folder / "intervals.hlog").read_text().splitlines():
        if line.startswith("Tag="):
            tag, start, rest = line.split(",", 2)
            seconds.setdefault(int(float(start)), []).append((tag, rest))
        else:
            head.append(line)
    return document, head, seconds


def write(folder, document, head, seconds):
    """The same run with other seconds: `seconds` is [(new second, the lines of an old one)]."""
    folder.mkdir(parents=True)
    lines = [f"{tag},{second}.000,{rest}" for second, entries in sorted(seconds, key=lambda s: s[0]) for tag, rest in entries]
    (folder / "intervals.hlog").write_text("\n".join(head + lines) + "\n")
    (folder / "run.json").write_text(json.dumps(document))


class Turns:
    """Pairs of turns, A's and B's, of many interleaved runs. A pair keeps what its run had over other runs: both sides have it."""

    def __init__(self, folders):
        self.runs = [[read(folder / "baseline"), read(folder / "candidate")] for folder in folders]
        self.block = self.runs[0][0][0]["interleaved"]["block_s"]
        last = min(max(side[2]) for run in self.runs for side in run)
        self.pairs = [(run, pair) for run in self.runs for pair in range((last + 1) // (2 * self.block))]

    def drawn(self, mynah, folder, chance, seconds, swapped):
        """Compares a run of pairs drawn from all; with `swapped`, each is turned round or not, so that there is nothing to find."""
        pairs = chance.sample(self.pairs, max(seconds // (2 * self.block), 3)) if swapped else chance.choices(self.pairs, k=max(seconds // (2 * self.block), 3))
        sides = [[], []]
        for turn, (run, old) in enumerate(pairs):
            turned = swapped and chance.random() < 0.5
            for own in (0, 1):
                to = 1 - own if turned else own
                for offset in range(self.block):
                    entries = run[own][2].get((2 * old + own) * self.block + offset)
                    if entries:
                        sides[to].append(((2 * turn + to) * self.block + offset, entries))
        for name, (document, head, _), lines in zip(("baseline", "candidate"), pairs[0][0], sides):
            write(folder / name, document, head, lines)
        result = compare(mynah, [folder / "baseline"], [folder / "candidate"])
        subprocess.run(["rm", "-rf", folder])
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--live", type=int, default=40)
    parser.add_argument("--power", type=int, default=20)
    parser.add_argument("--resampled", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--parallel", type=int, default=3)
    parser.add_argument("--rate", type=int, default=150, help="sessions a second; each is 3.25 requests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mynah", type=Path, default=None)
    parser.add_argument("--keep", type=Path, default=None)
    args = parser.parse_args()
    mynah = args.mynah or binary()
    with tempfile.TemporaryDirectory() as temporary:
        measure(args, mynah, args.keep or Path(temporary), Path(temporary))
    sys.exit(1 if misses else 0)


def measure(args, mynah, kept, temporary):
    kept.mkdir(parents=True, exist_ok=True)
    toml = scenario(kept)
    ports = queue.Queue()
    for slot in range(args.parallel):
        ports.put(PORTS + 2 * slot)

    def run(kind, shift, fast):
        def one(number):
            which = fast(number)
            folder = kept / f"{kind}-{number:03}"
            return live(mynah, toml, folder, ports, shift, args.seconds, args.rate, which)

        return one

    chance = random.Random(args.seed)
    seeds = [chance.random() for _ in range(args.resampled)]

    def valid(kind):
        folders = [folder for folder in sorted(kept.glob(f"{kind}-*")) if (folder / "candidate" / "run.json").exists()]
        return [folder for folder in folders if compare(mynah, [folder / "baseline"], [folder / "candidate"])]

    if args.live:
        false_alarms(args, mynah, run, valid, seeds, temporary, ports)
    if args.power:
        power(args, mynah, run, valid, seeds, temporary, ports)


def false_alarms(args, mynah, run, valid, seeds, temporary, ports):
    # Half of them against a server that answers in microseconds, where runs differ most.
    print(f"live: {args.live} interleaved comparisons of a server with itself, {args.seconds} s each")
    same = many(run("same", 1.0, lambda number: number % 2 == 1), args.live, args.parallel, ports)
    alarms = [c for c in same if c["verdict"] == "fail"]
    verdict("false alarms, live, all endpoints together", len(alarms) <= 0.05 * len(same), share(len(alarms), len(same)))
    for comparison in alarms:
        print("      " + "; ".join(comparison["reasons"]))
    if len(same) < args.live:
        print(f"      {args.live - len(same)} runs were invalid (the generator was the bottleneck) and say nothing")

    kinds = [[folder for folder in valid("same") if int(folder.name[-3:]) % 2 == kind] for kind in (0, 1)]
    if min(map(len, kinds)) < 10:
        sys.exit("too few valid runs to draw from; --live 40 on an idle machine")
    turns = [Turns(folders) for folders in kinds]

    def resampled(number):
        return turns[number % 2].drawn(mynah, temporary / f"resampled-{number}", random.Random(seeds[number]), args.seconds, True)

    def several(number):
        """Five runs against five, all of one kind of server: the offset from run to run is in them."""
        random_ = random.Random(seeds[number])
        place = temporary / f"several-{number}"
        for side, chosen in zip("ab", halves(random_.sample(kinds[number % 2], 10))):
            (place / side).mkdir(parents=True)
            for at, pair in enumerate(chosen):
                os.symlink((pair / random_.choice(["baseline", "candidate"])).absolute(), place / side / str(at))
        done = subprocess.run([mynah, "compare", place / "a", place / "b", "--json"], capture_output=True, text=True)
        subprocess.run(["rm", "-rf", place])
        return json.loads(done.stdout) if done.returncode in (0, 10) else None

    for what, one in [("one interleaved run", resampled), ("five runs a side", several)]:
        results = many(one, args.resampled, 2, ports)
        alarms = [c for c in results if c["verdict"] == "fail"]
        verdict(f"false alarms, resampled, {what}", bool(results) and len(alarms) <= 0.05 * len(results), share(len(alarms), len(results)))


def power(args, mynah, run, valid, seeds, temporary, ports):
    print(f"power: {args.power} interleaved comparisons with a server that takes 10 % longer for everything, {args.seconds} s each")
    slower = many(run("slower", 1.1, lambda number: False), args.power, args.parallel, ports)
    found = [c for c in slower if c["verdict"] == "fail"]
    verdict("+10 % found", len(found) >= 0.9 * len(slower) > 0, share(len(found), len(slower)))
    by_row = {}
    for comparison in slower:
        for row in comparison["rows"]:
            if row["metric"] == "p95":
                hits, all_, wide = by_row.setdefault(row["endpoint"], (0, 0, 0.0))
                width = (row["interval"][1] - row["interval"][0]) / 2 if row["interval"] else 0
                by_row[row["endpoint"]] = (hits + (row["verdict"] == "slower"), all_ + 1, wide + width)
    for endpoint, (hits, all_, wide) in by_row.items():
        print(f"      {endpoint:14} {hits:3} of {all_}   interval ± {100 * wide / all_:.1f} %")

    # What other lengths would have found, from the same runs' turns.
    runs = valid("slower")
    if not runs:
        return
    turns = Turns(runs)
    for length in (30, 60, 120, 240, 480):
        def longer(number, length=length):
            return turns.drawn(mynah, temporary / f"longer-{length}-{number}", random.Random(seeds[number]), length, False)

        results = many(longer, min(100, args.resampled), 2, ports)
        hits = sum(c["verdict"] == "fail" for c in results)
        each = sum(len([r for r in rows(c, "slower") if r.endswith("p95") and not r.startswith("all")]) for c in results)
        print(f"      in {length:3} s (resampled): found {100 * hits / max(len(results), 1):.0f} %; {each / max(len(results), 1):.1f} of {len(by_row) - 1} endpoints named")


def halves(items):
    return items[: len(items) // 2], items[len(items) // 2 :]


if __name__ == "__main__":
    main()
