#!/usr/bin/env python3
"""Capture file → exchanges, against tshark, tcpflow and a naive in-order loop, one core each, in turn.

Makes its own capture: wrk against nginx on loopback under tcpdump, the same request again and again, as the peers were measured; and
another one of sessions, in which no request is like another. mynah is measured three times: to exchanges and no
further (`capture/examples/count.rs`: the peers' work, with all of reassembly on), to an unmasked recording, and to a masked,
audited, sealed one. Then the same on a file ten times as long, for the peak memory (masking and tshark left out, which would take
many minutes). Speeds are of CPU time, since the machine may be shared; wall time is printed beside it. A peak below 16 MB is that of the script
from which the process was started.
Usage: bench/capture.py [megabytes] [runs] [times]   (200, 3, 10)
"""

import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import replay
from measure import binary, median, need, run

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))


# For wrk: sessions of twenty requests, of which none is like another; with the first one a session and a token are given out.
SESSIONS = """
local function hex(n) local t = {} for i = 1, n do t[i] = string.format("%x", math.random(0, 15)) end return table.concat(t) end
local count, headers = 0, {}
request = function()
  local path = "/items/" .. math.random(100000) .. "?page=" .. count % 20 .. "&ref=" .. hex(6)
  if count % 20 == 0 then
    path = "/login"
    headers = { ["Authorization"] = "Bearer " .. hex(32), ["Cookie"] = "theme=dark; sid=" .. hex(32), ["Accept"] = "application/json" }
  end
  count = count + 1
  return wrk.format("GET", path, headers)
end
"""


def record(path, megabytes, script=None):
    with tempfile.TemporaryDirectory() as folder, replay.served(folder):
        sniffer = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-w", path, "-B", "131072", "-U", f"tcp port {replay.PORT}"], stderr=subprocess.DEVNULL
        )
        time.sleep(0.5)
        command = ["wrk", "-t1", "-c16", "-d1s", f"http://127.0.0.1:{replay.PORT}/items/1"]
        if script:
            with open(os.path.join(folder, "vary.lua"), "w") as out:
                out.write(script)
            command[1:1] = ["-s", os.path.join(folder, "vary.lua")]
        try:
            while not os.path.exists(path) or os.path.getsize(path) < megabytes * 1e6:
                run(command)
        finally:
            time.sleep(0.5)
            sniffer.terminate()
            sniffer.wait()
    return os.path.getsize(path) / 1e6


def lengthen(path, longer, times):
    """The packets again and again, each time later and from other client ports, so that no connection comes twice."""
    with open(path, "rb") as file:
        header, packets = file.read(24), bytearray(file.read())
    places, ports, at = [], [], 0
    while at + 16 <= len(packets):
        seconds, _, length = struct.unpack_from("<III", packets, at)
        ip = at + 16 + 14
        tcp = ip + (packets[ip] & 15) * 4
        source, destination = struct.unpack_from(">HH", packets, tcp)
        places.append((at, seconds))
        ports.append((tcp, source) if destination == replay.PORT else (tcp + 2, destination))
        at += 16 + length
    span = places[-1][1] - places[0][1] + 2
    with open(longer, "wb") as out:
        out.write(header)
        for n in range(times):
            for (at, seconds), (port, number) in zip(places, ports):
                struct.pack_into("<I", packets, at, seconds + n * span)
                struct.pack_into(">H", packets, port, 1024 + (number - 1024 + n * 5171) % (65536 - 1024))
            out.write(packets)


def built(what, *command):
    """Builds a peer or an example; its folder follows CARGO_TARGET_DIR."""
    print(f"building {what}", file=sys.stderr)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)


def programs():
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    built("the example", "cargo", "build", "--release", "-p", "mynah-capture", "--example", "count")
    naive = os.path.join(target, "naive")
    built("the naive loop", "cargo", "build", "--release", "--manifest-path", "bench/naive/Cargo.toml", "--target-dir", naive)
    return os.path.join(target, "release", "examples", "count"), os.path.join(naive, "release", "naive")


def measure(commands, size, runs):
    figures = {name: [] for name in commands}
    for _ in range(runs):
        for name, (command, folder) in commands.items():
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
                os.mkdir(folder)
            found = run(command, core=1)
            if found["exit"] != 0:
                sys.exit(f"{name}: {found['stderr']}")
            figures[name].append(found)
    base = {name: size / median([f["cpu"] for f in figures[name]]) for name in commands}
    print(f"{'':18} {'MB/s of CPU':>12} {'of wall':>8} {'x tshark':>9} {'x naive':>8} {'peak MB':>8}")
    for name, found in figures.items():
        wall = size / median([f["wall"] for f in found])
        peak = max(f["rss"] for f in found) / 1e6
        ratio = lambda peer: f"{base[name] / base[peer]:.2f}" if peer in base else "-"
        print(f"{name:18} {base[name]:12.1f} {wall:8.1f} {ratio('tshark'):>9} {ratio('naive loop'):>8} {peak:8.1f}", flush=True)


def main():
    given = dict(enumerate(sys.argv[1:]))
    megabytes, runs, times = float(given.get(0, 200)), int(given.get(1, 3)), int(given.get(2, 10))
    need("nginx", "wrk", "tcpdump", "tshark", "tcpflow", "taskset")
    count, naive = programs()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        path, longer = os.path.join(folder, "bench.pcap"), os.path.join(folder, "longer.pcap")
        size = record(path, megabytes)
        out, flows = os.path.join(folder, "out.mynah"), os.path.join(folder, "flows")
        quick = lambda file: {
            "naive loop": ([naive, file], None),
            "mynah, exchanges": ([count, file], None),
            "mynah, unmasked": ([binary(), "capture", file, "-o", out, "--unmasked"], None),
        }
        masked = lambda file: {"mynah, masked": ([binary(), "capture", file, "-o", out], None)}
        slow = {
            **masked(path),
            "tcpflow": (["tcpflow", "-q", "-r", path, "-o", flows], flows),
            "tshark": (["tshark", "-n", "-r", path, "-Y", "http.request", "-T", "fields", "-e", "http.request.uri"], None),
        }
        print(f"{size:.0f} MB of packets, {runs} runs each in turn, one core, medians")
        measure({**quick(path), **slow}, size, runs)
        varied = os.path.join(folder, "varied.pcap")
        size_of_varied = record(varied, megabytes, SESSIONS)
        print("\nsessions of twenty requests, none like another")
        measure({**quick(varied), **masked(varied)}, size_of_varied, runs)
        if times > 1:
            free = shutil.disk_usage(folder).free
            if free < size * 1e6 * times * 2:
                sys.exit(f"not enough room in {folder} for a file {times} times as long")
            # in a process of its own: a child's peak begins with what its parent holds
            maker = multiprocessing.Process(target=lengthen, args=(path, longer, times))
            maker.start()
            maker.join()
            print(f"\n{times} times as long")
            measure(quick(longer), os.path.getsize(longer) / 1e6, 1)


if __name__ == "__main__":
    main()
