"""A message as a tree of literals, fields and wrappers: it is written out from it, and what was masked is read back by it.

The literals between two fields are looked for in order in the masked message; what stands between them is what became of a field.
"""

import base64
import gzip
import html
import json
import re
import urllib.parse
import zlib

try:
    import brotli
except ImportError:
    brotli = None
try:
    import zstandard
except ImportError:
    zstandard = None

# Encodings of a value. Each takes and gives bytes; a decoder raises ValueError when it cannot.

UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")
NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "@": "commat", ".": "period", "+": "plus",
         "/": "sol", "_": "lowbar", ":": "colon", "=": "equals", "#": "num", "!": "excl", "%": "percnt", "$": "dollar"}


def percent(upper):
    form = "%%%02X" if upper else "%%%02x"
    return lambda data: b"".join(bytes([c]) if UNRESERVED.match(bytes([c])) else (form % c).encode() for c in data)


def json_text(data):
    return json.dumps(data.decode())[1:-1].encode()


def json_unicode(data):
    return "".join(f"\\u{ord(c):04x}" if not c.isalnum() and c not in " -._" else c for c in data.decode()).encode()


def un_json(data):
    return json.loads(b'"' + data + b'"', strict=False).encode("utf-8", "surrogatepass")


def entities(form):
    def encode(data):
        out = []
        for place, c in enumerate(data.decode()):
            if form == "named":
                out.append(f"&{NAMED[c]};" if c in NAMED else c)
            elif c == "\n" or (c.isalnum() and place % 3) or c == " ":
                out.append(c)
            else:
                out.append(f"&#{ord(c)};" if form == "dec" else f"&#x{ord(c):X};")
        return "".join(out).encode()

    return encode


def un_html(data):
    return html.unescape(data.decode()).encode()


def un_base64url(data):
    return base64.b64decode(data.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(data) % 4), validate=True)


def un_plus(data):
    return urllib.parse.unquote_to_bytes(data.replace(b"+", b" "))


ENCODE = {
    "raw": (lambda data: data, lambda data: data),
    "pct": (percent(True), urllib.parse.unquote_to_bytes),
    "pct-lower": (percent(False), urllib.parse.unquote_to_bytes),
    "plus": (lambda data: percent(True)(data).replace(b"%20", b"+"), un_plus),
    "json": (json_text, un_json),
    "json-slash": (lambda data: json_text(data).replace(b"/", b"\\/"), un_json),
    "json-u": (json_unicode, un_json),
    "html": (lambda data: html.escape(data.decode()).encode(), un_html),
    "ent-named": (entities("named"), un_html),
    "ent-dec": (entities("dec"), un_html),
    "ent-hex": (entities("hex"), un_html),
    "hex": (lambda data: data.hex().encode(), lambda data: bytes.fromhex(data.decode())),
    "base64": (base64.b64encode, lambda data: base64.b64decode(data, validate=True)),
    "base64url": (lambda data: base64.urlsafe_b64encode(data).rstrip(b"="), un_base64url),
}


def encode(chain, data):
    for name in chain:
        data = ENCODE[name][0](data)
    return data


def decode(chain, data):
    for name in reversed(chain):
        data = ENCODE[name][1](data)
    return data


# Content codings.


def un_deflate(data):
    try:
        return zlib.decompress(data)
    except zlib.error:
        return zlib.decompress(data, -15)


CODINGS = {"gzip": (lambda d: gzip.compress(d, mtime=0), gzip.decompress), "deflate": (zlib.compress, un_deflate)}
if brotli:
    CODINGS["br"] = (brotli.compress, brotli.decompress)
if zstandard:
    CODINGS["zstd"] = (lambda d: zstandard.ZstdCompressor().compress(d), lambda d: zstandard.ZstdDecompressor().decompressobj().decompress(d))


def chunked(data):
    cuts = [data[i : i + 37] for i in range(0, len(data), 37)]
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in cuts) + b"0\r\n\r\n"


def un_chunked(data):
    out, at = [], 0
    while True:
        line = data.index(b"\r\n", at)
        size = int(data[at:line].split(b";")[0], 16)
        if size == 0:
            return b"".join(out)
        out.append(data[line + 2 : line + 2 + size])
        at = line + 2 + size + 2


# The tree. A literal is `bytes`.


class Field:
    """One value in its place: planted (`plant` is its truth), ordinarily sensitive (`kind` is a class), or harmless."""

    def __init__(self, value, chain=("raw",), kind="", sensitive=False, plant=None):
        self.value, self.chain, self.kind, self.sensitive, self.plant = value, tuple(chain), kind, sensitive, plant

    def render(self):
        return encode(self.chain, self.value.encode())


class Wrap:
    """Pieces within an encoding: JSON in a string, base64 of a form, the claims of a JWT."""

    def __init__(self, chain, pieces, jwt=None):
        self.chain, self.pieces, self.jwt = tuple(chain), pieces, jwt

    def render(self):
        inner = render(self.pieces)
        return encode(self.chain, self.jwt(inner) if self.jwt else inner)

    def open(self, data):
        data = decode(self.chain, data)
        return un_base64url(data.split(b".")[1]) if self.jwt else data


class Free:
    """What may change without being masked: lengths, digests."""

    def __init__(self, text):
        self.text = text

    def render(self):
        return self.text


def render(pieces):
    return b"".join(piece if isinstance(piece, bytes) else piece.render() for piece in pieces)


def fields(pieces):
    for piece in pieces:
        if isinstance(piece, Field):
            yield piece
        elif isinstance(piece, Wrap):
            yield from fields(piece.pieces)


def merged(pieces):
    out = []
    for piece in pieces:
        if isinstance(piece, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += piece
        else:
            out.append(piece)
    return out


def match(pieces, data, found, lost, altered):
    """Fills `found` with (field, bytes in the masked message), `lost` with fields whose place is gone, `altered` with literals that changed."""
    pieces = merged(pieces)
    at, open_ = 0, None  # `open_`: a list of what stands before the next literal
    pending = []

    def settle(end):
        if len(pending) == 1:
            take(pending[0], data[at:end], found, lost, altered)
        else:
            for piece in pending:
                lost.extend([piece] if isinstance(piece, Field) else fields([piece]))
        pending.clear()

    for piece in pieces:
        if not isinstance(piece, bytes):
            pending.append(piece)
            continue
        where = data.find(piece, at)
        if where < 0 or (not pending and where != at and not open_):
            altered.append((piece, data[at : at + len(piece) + 20]))
            open_ = True
            if where < 0:
                pending.append(Free(b""))
                continue
        open_ = None
        settle(where)
        at = where + len(piece)
    settle(len(data))


def take(piece, data, found, lost, altered):
    if isinstance(piece, Field):
        found.append((piece, data))
    elif isinstance(piece, Wrap):
        try:
            inner = piece.open(data)
        except (ValueError, IndexError):
            lost.extend(fields([piece]))
            return
        inside = []
        match(piece.pieces, inner, found, lost, inside)
        if len(inside) < sum(isinstance(part, bytes) for part in merged(piece.pieces)):
            altered.extend(inside)  # else the whole was replaced, not a part of it


class Message:
    """A request or a response."""

    def __init__(self, start, headers, body=None, coding=None, chunks=False):
        self.start, self.headers, self.body, self.coding, self.chunks = start, headers, body, coding, chunks

    def head(self, length):
        pieces = [*self.start, b"\r\n"]
        for name, value in self.headers:
            pieces += [name.encode() + b": ", *value, b"\r\n"]
        if self.coding:
            pieces.append(b"Content-Encoding: " + self.coding.encode() + b"\r\n")
        if self.chunks:
            pieces.append(b"Transfer-Encoding: chunked\r\n")
        elif length is not None:
            pieces += [b"Content-Length: ", Free(b"%d" % length), b"\r\n"]
        return [*pieces, b"\r\n"]

    def render(self):
        if self.body is None:
            return render(self.head(None))
        body = render(self.body)
        body = CODINGS[self.coding][0](body) if self.coding else body
        body = chunked(body) if self.chunks else body
        return render(self.head(len(body))) + body

    def fields(self):
        return list(fields(self.head(0))) + list(fields(self.body or []))

    def read(self, data):
        """What became of each field: (found, lost, altered literals)."""
        found, lost, altered = [], [], []
        head, _, body = data.partition(b"\r\n\r\n")
        match(self.head(None if self.body is None else 0), head + b"\r\n\r\n", found, lost, altered)
        if self.body is not None:
            try:
                match(self.body, plain_body(head, body), found, lost, altered)
            except Exception:  # whichever decoder it was
                lost.extend(fields(self.body))
        return found, lost, altered


def plain_body(head, body):
    head = head.lower()
    if b"\r\ntransfer-encoding: chunked" in head:
        body = un_chunked(body)
    coding = re.search(rb"\r\ncontent-encoding: ([a-z]+)", head)
    return CODINGS[coding[1].decode()][1](body) if coding and coding[1].decode() in CODINGS else body
