#!/usr/bin/env python3
"""What the recording reverse proxy adds to latency: the same open-loop client direct and through it, in turn.

nginx answers; one pinned client sends at a constant rate over keep-alive connections, by a timetable that waits for nobody, and
measures from the intended start. Prints p50 and p99 of both and the difference. MYNAH_PROXY_COMMAND replaces the command,
with {listen} and {upstream} in it. Usage: bench/proxy.py [pairs] [seconds] [requests/s]
"""

import os
import selectors
import shlex
import socket
import subprocess
import sys
import tempfile
import time

import replay
from measure import binary, median, need

LISTEN = 18098
CONNECTIONS = 16
REQUEST = b"GET /items/1 HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: application/json\r\n\r\n"


def drive(port, seconds, rate):
    """Latencies in seconds, sorted. A request for which no connection is free waits, and its waiting counts."""
    selector = selectors.DefaultSelector()
    free = []
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
        free.append(connection)
    total, sent, latencies, intended, answers = int(seconds * rate), 0, [], {}, {}
    start = time.perf_counter() + 0.05
    deadline = start + seconds + 10
    while len(latencies) < total:
        now = time.perf_counter()
        if now > deadline:
            sys.exit(f"bench: {total - len(latencies)} answers are missing")
        while sent < total and free and start + sent / rate <= now:
            connection = free.pop()
            intended[connection], answers[connection] = start + sent / rate, b""
            connection.send(REQUEST)
            sent += 1
        # polled without sleeping: a sleep's own lateness would be measured
        for key, _ in selector.select(0):
            connection = key.fileobj
            data = connection.recv(65536)
            if not data:
                sys.exit("bench: a connection was closed")
            answers[connection] += data
            head, found, body = answers[connection].partition(b"\r\n\r\n")
            if found and len(body) >= length(head):
                latencies.append(time.perf_counter() - intended[connection])
                free.append(connection)
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return sorted(latencies)


def length(head):
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"bench: {head[:80]}")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    sys.exit("bench: an answer without a length")


def wait_for(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"bench: nobody listens on port {port}")


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5
    rate = float(sys.argv[3]) if len(sys.argv) > 3 else 1000
    need("nginx")
    with tempfile.TemporaryDirectory() as folder:
        conf = os.path.join(folder, "nginx.conf")
        with open(conf, "w") as out:
            out.write(replay.NGINX.format(dir=folder, port=replay.PORT))
        listen, upstream = f"127.0.0.1:{LISTEN}", f"http://127.0.0.1:{replay.PORT}"
        own = os.environ.get("MYNAH_PROXY_COMMAND")
        if own:
            command = shlex.split(own.format(listen=listen, upstream=upstream))
        else:
            recording = os.path.join(folder, "out.mynah")
            command = [binary(), "capture", "--listen", listen, "--upstream", upstream, "-o", recording]
        server = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)
        proxy = subprocess.Popen(command, stdin=subprocess.PIPE)
        try:
            wait_for(replay.PORT)
            wait_for(LISTEN)
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
            measure(pairs, seconds, rate)
        finally:
            proxy.stdin.close()
            proxy.terminate() if not own else None
            proxy.wait()
            server.terminate()
            server.wait()


def measure(pairs, seconds, rate):
    print(f"{rate:.0f} requests/s for {seconds:.0f} s over {CONNECTIONS} connections, microseconds from the intended start")
    print("         direct: p50      p99    through: p50      p99      added: p50      p99")
    added = []
    for number in range(pairs):
        figures = []
        for port in (replay.PORT, LISTEN):
            latencies = drive(port, seconds, rate)
            figures.append([latencies[int(len(latencies) * q)] * 1e6 for q in (0.5, 0.99)])
        direct, through = figures
        added.append([after - before for before, after in zip(direct, through)])
        print(f"pair {number + 1} {direct[0]:12.0f} {direct[1]:8.0f} {through[0]:15.0f} {through[1]:8.0f} {added[-1][0]:15.0f} {added[-1][1]:8.0f}")
    p50, p99 = (median([pair[at] for pair in added]) for at in (0, 1))
    low, high = (pick(pair[1] for pair in added) for pick in (min, max))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; added p99 from {low:.0f} to {high:.0f} us")
    if low < 0:
        print("a proxy cannot take latency away: something other than the proxy differs between the two, so these figures do not tell what it adds")
    print(f"median added: p50 {p50:.0f} us, p99 {p99:.0f} us (aim: p99 below 1000 us at 1000 requests/s)")


if __name__ == "__main__":
    main()
