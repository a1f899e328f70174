"""Looks for many values in data at once, and takes data apart in every way a value may hide in."""

import base64
import html
import re
import urllib.parse

from pieces import plain_body

try:
    import zstandard
except ImportError:
    zstandard = None

SHORTEST = 6


class Search:
    """Finds any of many values of six bytes and more."""

    def __init__(self, wanted):
        self.starts = {}
        for value in wanted:
            data = value.encode()
            if len(data) >= SHORTEST:
                self.starts.setdefault(data[:SHORTEST], []).append((data, value))

    def found(self, data):
        starts, out = self.starts, set()
        for at in range(len(data) - SHORTEST + 1):
            few = starts.get(data[at : at + SHORTEST])
            if few:
                out.update(value for whole, value in few if data.startswith(whole, at))
        return out


def views(message):
    """The message as it stands, its body decoded, and both with every encoding opened."""
    head, _, body = message.partition(b"\r\n\r\n")
    yield message
    try:
        opened = plain_body(head, body)
    except Exception:  # whichever decoder it was: the raw bytes are searched all the same
        opened = body
    whole = head + b"\r\n\r\n" + opened
    if opened != body:
        yield whole
    yield from deeper(whole, 4)


def deeper(data, depth):
    if not depth:
        return
    for other in {un(data) for un in (percent, plus, entities, escapes, runs)} - {data, b""}:
        yield other
        yield from deeper(other, depth - 1)


def percent(data):
    return urllib.parse.unquote_to_bytes(data) if b"%" in data else data


def plus(data):
    return urllib.parse.unquote_to_bytes(data.replace(b"+", b" ")) if b"+" in data else data


def entities(data):
    return html.unescape(data.decode("latin-1")).encode("utf-8", "replace") if b"&" in data and b";" in data else data


def escapes(data):
    def one(found):
        code = found[1]
        if len(code) > 1:
            return chr(int(code[1:], 16)).encode("utf-8", "replace")
        return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(code, code)

    return re.sub(rb"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[^\n])", one, data) if b"\\" in data else data


def runs(data):
    """What runs of hex and base64 digits stand for, if it is text; empty when there are none."""
    out = []
    for run in re.findall(rb"[0-9a-fA-F]{12,}", data):
        if len(run) % 2 == 0:
            out.append(bytes.fromhex(run.decode()))
    for run in {*re.findall(rb"[A-Za-z0-9+/]{8,}", data), *re.findall(rb"[A-Za-z0-9_-]{8,}", data)}:
        run = run.translate(bytes.maketrans(b"-_", b"+/"))
        whole = run[: len(run) - (len(run) % 4 == 1)]
        try:
            out.append(base64.b64decode(whole + b"=" * (-len(whole) % 4)))
        except ValueError:
            continue
    return b"\0".join(piece for piece in out if sum(32 <= c < 127 or c in (10, 13, 9) for c in piece) > 0.9 * len(piece))


def frames(data):
    """The zstd frames in a file, opened."""
    if not zstandard:
        return
    for found in re.finditer(rb"\x28\xb5\x2f\xfd", data):
        try:
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data[found.start() :])
        except zstandard.ZstdError:
            continue
