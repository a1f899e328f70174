#!/usr/bin/env python3
"""Seeds for the fuzz targets, made from our own fixtures and, where it is present, from ../shared/data.

Usage: fuzz/seeds.py FOLDER [--small]   (--small: only what is committed in fuzz/seeds, from fixtures alone)
Recordings are made by a built mynah (target/release/mynah or $MYNAH); without one that target gets none.
"""

import glob
import gzip
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
DATA = os.path.join(ROOT, "..", "shared", "data")
# the order of LINKS in src/pcap.rs, and Linux cooked v2 behind them
LINKS = [1, 101, 113, 0, 108, 12, 14, 228, 229, 9, 50, 51, 104, 239, 147, 127, 276]

DIALOGUES = [
    [(0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")],
    [(0, "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;n=\"v\"\r\nhello\r\n0\r\nT: 1\r\n\r\n"),
     (1, "HTTP/1.1 100 Continue\r\n\r\n"), (1, "HTTP/1.1 201 Created\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")],
    [(0, "GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\n"),
     (1, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No\r\n\r\n")],
    [(0, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"), (0, "\x16\x03\x01\x00\x05hello"), (1, "HTTP/1.1 200 Go\r\n\r\n"), (1, "\x16\x03\x03")],
    [(0, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"), (0, "GET /x HTTP/1.1\r\n\r\n"), (1, "HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx"),
     (1, "HTTP/1.0 200 OK\r\n\r\nuntil the end")],
    [(0, "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), (1, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n\x81\x05hello")],
    [(0, "GET /c HTTP/1.1\nUpgrade: h2c\nX: a\n folded\n\n"), (1, "HTTP/1.1 101 S\nUpgrade: h2c\n\nPRI")],
    [(0, "\r\n\r\nPUT / HTTP/1.1\r\nContent-Length: 3, 4\r\nTransfer-Encoding: x\r\n\r\nabcd"), (1, "HTTP/1.1 200\r\ncontent-length: +1\r\n\r\n")],
    [(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), (1, "\0\0\0\4\0\0\0\0\0")],
    [(1, "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"), (0, "BREW /pot HTTP/1.1\r\n\r\n"), (0, "junk \xff\0 more\r\n"), (0, "GET / HTTP/1.1\r\n\r\n")],
]

GOR = (
    "1 932079936fa4306fc308d67588178d17d823647c 1439818823587396305 200\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n\n🐵🙈🙉\n"
    "2 932079936fa4306fc308d67588178d17d823647c 1439818823597396305 100\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n🐵🙈🙉\n"
    "3 932079936fa4306fc308d67588178d17d823647c 1439818823607396305 100\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\n🐵🙈🙉\n"
)

HAR = {"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "pages": [{"id": "p1", "startedDateTime": "2024-01-02T03:04:05.678Z"}],
       "entries": [{"pageref": "p1", "startedDateTime": "2024-01-02T03:04:05.678+01:00", "time": 12.5, "connection": "17", "serverIPAddress": "[::1]",
                    "request": {"method": "POST", "url": "https://a.example/x?q=1#f", "httpVersion": "h2", "headers": [{"name": ":authority", "value": "a.example"},
                                {"name": "cookie", "value": "a=b"}], "cookies": [], "queryString": [],
                                "postData": {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "k", "value": "v w"}]}},
                    "response": {"status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1", "headers": [{"name": "Content-Encoding", "value": "gzip"}],
                                 "content": {"size": 5, "mimeType": "text/plain", "text": "aGVsbG8=", "encoding": "base64"}},
                    "timings": {"blocked": -1, "dns": 1, "connect": 2, "send": 0.5, "wait": 3, "receive": 1e3}, "_webSocketMessages": [{"type": "send", "data": "x"}]}]}}

MESSAGES = [
    "POST /a/b;c?d=%20e&f HTTP/1.1\r\nHost: h\r\nCookie: a=b; c=\"d\"\r\nAuthorization: Basic YTpi\r\nContent-Type: application/json\r\nContent-Length: 44\r\n\r\n"
    "{\"a\":[1,-2.5e3,\"x\\u0041\\n\"],\"b\":{\"c\":null},\"a\":true}",
    "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=b+c%21&d&=e",
    "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=\"xx\"\r\n\r\n--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n\"\r\n\r\nv\r\n--xx--\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: s=1; Path=/\r\nLocation: http://u:p@h/x?y#z\r\n\r\n"
    "<!doctype html><meta name=csrf content=abc><form><input type=hidden name='t' value=\"v&amp;w\"></form><script>var a = {\"k\": \"v\", n: 1};</script><!-- c -->",
    "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n<?xml version=\"1.0\"?><a b=\"c\"><d>e &lt;f&gt;</d><![CDATA[g]]></a>",
]


def packets(path, most=40, most_bytes=6000):
    """Link type and the first packets of a classic pcap file; nothing for others."""
    data = open(path, "rb").read()
    orders = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}
    order = orders.get(data[:4])
    if order is None:
        return None, []
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    at, found, size = 24, [], 0
    while at + 16 <= len(data) and len(found) < most and size < most_bytes:
        _, _, length, original = struct.unpack(order + "IIII", data[at : at + 16])
        found.append((data[at + 16 : at + 16 + length], original))
        at += 16 + length
        size += length
    return link, found


def packet_seed(link, found):
    if link not in LINKS:
        return None
    out = bytes([LINKS.index(link)])
    for data, original in found:
        out += struct.pack("<HB", len(data), min(15, (original - len(data)) // 100) if original > len(data) else 0) + data
    return out


def http_seed(dialogue, how=0):
    out = bytes([how])
    for side, text in dialogue:
        data = text if isinstance(text, bytes) else text.encode("latin-1")
        for at in range(0, len(data), 127):
            piece = data[at : at + 127]
            if len(piece) == 1:
                # one byte cannot be told by its length (0 and 1 mean something else): up to the end of its line
                out += bytes([side << 7]) + piece + b""
            else:
                out += bytes([side << 7 | len(piece)]) + piece
    return out


def dialogue_of(path):
    """What the first connection of an Ethernet capture said, in the order of its packets."""
    link, found = packets(path, 400, 200_000)
    if link != 1:
        return None
    first, said, size = None, [], 0
    for data, _ in found:
        if data[12:14] != b"\x08\x00" or data[23] != 6:
            continue
        ip = 14 + (data[14] & 15) * 4
        end = 14 + struct.unpack(">H", data[16:18])[0]
        source, destination = struct.unpack(">HH", data[ip : ip + 4])
        payload = data[ip + (data[ip + 12] >> 4) * 4 : end]
        if not payload:
            continue
        first = first or (source, destination)
        if (source, destination) == first or (destination, source) == first:
            said.append(((source, destination) != first, payload[:1500]))
            size += len(payload)
            if size > 6000:
                break
    return [(int(side), payload) for side, payload in said]


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def pcapng(link, found):
    option = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack("<HHI", link, 0, 0) + option) + block(1, struct.pack("<HHI", 101, 0, 0))
    for n, (data, original) in enumerate(found):
        out += block(6, struct.pack("<IIIII", 0, 0x5F0, n * 1000, len(data), original) + data)
    out += block(3, struct.pack("<I", 4) + b"abcd") + block(2, struct.pack("<HHIIII", 1, 0, 0, 9, 4, 4) + b"abcd")
    out += block(5, struct.pack("<III", 0, 0, 0) + struct.pack("<HHQ", 5, 8, 7)) + block(10, struct.pack("<II", 0x544C534B, 4) + b"keys")
    return out


def unzstd(payload):
    return subprocess.run(["zstd", "-dcq"], input=payload, capture_output=True, check=True).stdout


def recordings(source):
    """A recording of a capture file: as it is, and as the contents of its frames."""
    binary = os.environ.get("MYNAH", os.path.join(ROOT, "target", "release", "mynah"))
    if not os.path.exists(binary):
        return
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "r.mynah")
        done = subprocess.run([binary, "capture", source, "-o", out, "--unmasked"], capture_output=True, check=False)
        if done.returncode != 0:
            return
        file = open(out, "rb").read()
    if len(file) < 20_000:
        yield b"\0" + file
    at, frames = 80, b"\1"
    while at + 9 <= len(file):
        length, kind = struct.unpack("<IB", file[at : at + 5])
        contents = unzstd(file[at + 9 : at + 9 + length])
        frames += struct.pack("<BH", kind, min(len(contents), 4000)) + contents[:4000]
        at += 9 + length
        if kind == 3:
            break
    yield frames


def all_seeds(small):
    shop = os.path.join(ROOT, "fixtures", "shop.pcap")
    link, found = packets(shop, 24, 4000)
    yield "packets", packet_seed(link, found)
    inner = found[3][0]
    # the same frame in VLAN, QinQ, MPLS, VXLAN, GRE, PPPoE, cooked headers
    ip = inner[14:]
    udp = lambda port, load: b"\x45\0" + struct.pack(">H", 28 + len(load)) + b"\0\0\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2" + struct.pack(">HHHH", 9, port, 8 + len(load), 0) + load
    over = lambda protocol, load: b"\x45\0" + struct.pack(">H", 20 + len(load)) + b"\0\0\0\0\x40" + bytes([protocol]) + b"\0\0\x0a\0\0\1\x0a\0\0\2" + load
    six = lambda load: b"\x60\0\0\0" + struct.pack(">HBB", len(load) + 8, 0, 64) + b"\x20" * 32 + b"\x06\0\1\4\0\0\0\0" + load
    fragment = lambda at, more, load: b"\x45\0" + struct.pack(">HHH", 20 + len(load), 7, at // 8 | more << 13) + b"\x40\x06\0\0\x0a\0\0\1\x0a\0\0\2" + load
    tcp = ip[20:]
    wrapped = [
        (1, [inner[:12] + b"\x81\0\0\1\x88\xa8\0\2" + inner[12:], inner[:12] + b"\x88\x47\0\1\1\x40" + ip, inner[:12] + b"\x88\x64\x11\0\0\1\0\0\0\x21" + ip]),
        (101, [udp(4789, b"\x08\0\0\0\0\0\1\0" + inner), udp(6081, b"\1\0\x65\x58\0\0\1\0\0\0\0\0" + inner), over(47, b"\0\0\x08\0" + ip), over(4, ip), over(47, b"\x10\0\x88\xbe\0\0\0\1" + b"\0" * 8 + inner)]),
        (101, [fragment(8, 0, tcp[8:]), fragment(0, 1, tcp[:8]), six(tcp), over(51, b"\6\4\0\0" + b"\0" * 20 + tcp)]),
        (113, [b"\0" * 14 + b"\x08\0" + ip]), (276, [b"\x08\0" + b"\0" * 18 + ip]), (0, [b"\2\0\0\0" + ip]), (9, [b"\xff\3\0\x21" + ip]),
        (51, [b"\x11\0\0\1\0\0\0\x21" + ip]), (104, [b"\x0f\0\x08\0" + ip]), (239, [b"\2\0\0\0\4\0\1\0" + struct.pack("<HH", 4 + len(ip), 9) + ip]),
    ]
    for link_of, frames in wrapped:
        yield "packets", packet_seed(link_of, [(frame, len(frame)) for frame in frames])
    for dialogue in DIALOGUES:
        for how in (0, 3):
            yield "http1", http_seed(dialogue, how)
    yield "http1", http_seed(dialogue_of(shop))
    yield "pcapng", pcapng(link, found[:8])
    yield "pcapng", open(shop, "rb").read(3000)
    yield "har", json.dumps(HAR).encode()
    with open(os.path.join(ROOT, "fixtures", "shop-chromium.har")) as file:
        har = json.load(file)
    for entry in har["log"]["entries"][:3]:
        entry = json.loads(json.dumps(entry))
        entry["response"]["content"]["text"] = entry["response"]["content"].get("text", "")[:400]
        yield "har", json.dumps({"log": {**har["log"], "pages": har["log"].get("pages", [])[:1], "entries": [entry]}}).encode()
    yield "gor", GOR.encode()
    for message in MESSAGES:
        yield "message", message.encode()
    with tempfile.TemporaryDirectory() as folder:
        # the first packets alone: a recording of a few exchanges
        cut = os.path.join(folder, "cut.pcap")
        with open(cut, "wb") as out:
            out.write(open(shop, "rb").read(20_000))
        for seed in recordings(cut):
            yield "recording", seed
    if small or not os.path.isdir(DATA):
        return
    for path in sorted(glob.glob(os.path.join(DATA, "pcap", "*", "*"))):
        link, found = packets(path)
        if found:
            yield "packets", packet_seed(link, found)
            dialogue = dialogue_of(path)
            if dialogue:
                yield "http1", http_seed(dialogue)
        size = os.path.getsize(path)
        if size < 8000 or path.endswith(".pcapng"):
            yield "pcapng", open(path, "rb").read(8000)
        if size < 30_000:
            for seed in recordings(path):
                yield "recording", seed
    for path in sorted(glob.glob(os.path.join(DATA, "har", "*", "*.har"))):
        if os.path.getsize(path) < 12_000:
            yield "har", open(path, "rb").read()
    for path in sorted(glob.glob(os.path.join(DATA, "gor", "*.gor*"))):
        data = gzip.open(path).read(8000) if path.endswith(".gz") else open(path, "rb").read(8000)
        yield "gor", data


def main():
    folder, small = sys.argv[1], "--small" in sys.argv
    count, total = 0, 0
    for target, seed in all_seeds(small):
        if not seed:
            continue
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        with open(os.path.join(folder, target, hashlib.sha1(seed).hexdigest()[:16]), "wb") as out:
            out.write(seed)
        count, total = count + 1, total + len(seed)
    print(f"{count} seeds, {total} bytes in {folder}")


if __name__ == "__main__":
    main()
