"""Whole-process figures of a command, from the operating system's own accounting (wait4)."""

import contextlib
import os
import shutil
import subprocess
import sys
import time


def need(*programs):
    """Ends with a clear word when a peer is missing, rather than measuring without it."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        sys.exit(f"bench: missing {', '.join(missing)}; on Debian: apt-get install {' '.join(missing)}")


@contextlib.contextmanager
def nginx(folder, text):
    """nginx with this configuration, for as long as the block."""
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w") as out:
        out.write(text)
    server = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def run(command, core=None, stdout=subprocess.DEVNULL, env=None):
    """Runs a command to its end: wall and CPU seconds (user + system), peak resident bytes, exit code."""
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=env)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "wall": time.monotonic() - begun,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss * 1024,
        "exit": process.returncode,
        "stderr": errors.decode(errors="replace"),
    }


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def binary():
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(os.path.dirname(__file__), "..", "target"))
    path = os.path.join(target, "release", "mynah")
    if not os.path.exists(path):
        sys.exit("bench: build it first: cargo build --release")
    return os.path.abspath(path)
