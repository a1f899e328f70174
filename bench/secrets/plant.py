#!/usr/bin/env python3
"""Writes realistic HTTP traffic with known secrets in it: a capture (.gor) and its truth (JSON lines).

Usage: plant.py [--plants N] [--seed N] [-o plants.gor] [--truth plants.jsonl]
"""

import argparse
import json
import random
import re

import site_parts as parts
import values
from pieces import CODINGS, Field, Message, Wrap, encode, render

SEPARATOR = "\n🐵🙈🙉\n".encode()
START = 1_760_000_000_000_000_000
BODY_CODINGS = [*CODINGS, "chunked"]

# What stands as it is in a place; what does not fit is no raw cell.
RAW = {
    "header": r"[^\r\n]+", "cookie": r"[^\s;,\"\\]+", "set-cookie": r"[^\s;,\"\\]+", "query": r"[A-Za-z0-9._~:@!*/-]+",
    "path": r"[A-Za-z0-9._~:@!*-]+", "form": r"[A-Za-z0-9._~*-]+", "location": r"[A-Za-z0-9._~:@!*/-]+", "multipart": r"[^\r\n]+",
    "plain-text": r"[^\n]+",
}
NESTED = ["json-in-string", "base64-json", "base64url-json", "jwt-claim"]

# place -> kind of exchange, the encoding without which it cannot stand there, the encodings it may have, does a name tell what it is.
PLACES = {
    "header": (None, "raw", ["raw", "base64", "base64url", "hex", "pct", "base64-json", "jwt-claim"], True),
    "cookie": (None, "raw", ["raw", "pct", "pct-lower", "base64", "base64url", "json-in-string", "base64-json", "jwt-claim"], True),
    "set-cookie": (None, "raw", ["raw", "pct", "pct-lower", "base64", "base64url", "json-in-string", "base64-json", "jwt-claim"], True),
    "query": (None, "raw", ["raw", "pct", "pct-lower", "plus", "hex", "base64url", "json-in-string", "base64url-json", "jwt-claim"], True),
    "path": ("api-get", "raw", ["raw", "pct", "pct-lower", "base64url"], False),
    "json-request": ("api-post", "json", ["json", "json-slash", "json-u", "hex", "base64", "base64url", "number", *NESTED, *BODY_CODINGS], True),
    "json-response": ("api-get", "json", ["json", "json-slash", "json-u", "hex", "base64", "base64url", "number", *NESTED, *BODY_CODINGS], True),
    "json-array": ("api-get", "json", ["json", "json-slash", "json-u", "number"], True),
    "form": ("form", "raw", ["raw", "pct", "pct-lower", "plus", "base64", "hex", "json-in-string", "jwt-claim"], True),
    "multipart": ("upload", "raw", ["raw", "base64", "json-in-string"], True),
    "multipart-file": ("upload", "json", ["json", "json-u", "base64"], True),
    "xml-element": ("soap", "html", ["html", "ent-named", "ent-dec", "ent-hex", "base64", "gzip"], True),
    "xml-attribute": ("soap", "html", ["html", "ent-named", "ent-dec", "ent-hex"], True),
    "graphql-variable": ("graphql", "json", ["json", "json-slash", "json-u", "base64", "json-in-string", "gzip"], True),
    "graphql-response": ("graphql", "json", ["json", "json-u"], True),
    "hidden-input": ("page", "html", ["html", "ent-named", "ent-dec", "ent-hex", "base64", *BODY_CODINGS], True),
    "meta-tag": ("page", "html", ["html", "ent-named", "ent-dec", "ent-hex"], True),
    "data-attribute": ("page", "html", ["html", "ent-named", "ent-dec", "ent-hex", "json-in-string"], True),
    "link": ("page", "raw", ["pct", "pct-lower", "plus", "base64url"], True),
    "script": ("page", "json", ["json", "json-slash", "json-u", "base64", "json-in-string", "gzip", "br"], True),
    "script-call": ("page", "json", ["json", "json-u"], False),
    "page-text": ("page", "html", ["html", "ent-named", "ent-dec", "ent-hex", "gzip"], False),
    "plain-text": ("plain", "raw", ["raw", "gzip"], False),
    "location": ("form", "raw", ["raw", "pct", "pct-lower", "plus", "base64url", "jwt-claim"], True),
}
SHELL = {"cookie": "pct", "set-cookie": "pct", "query": "pct", "form": "pct", "link": "pct", "location": "pct"}  # what a nested value is wrapped in


class Plant:
    """One planted value: what it is, where it stands, and why it ought to be found."""

    def __init__(self, kind, value, place, encoding, basis):
        self.kind, self.value, self.place, self.encoding, self.basis = kind, value, place, encoding, basis
        self.exchange, self.name = None, None

    @property
    def cell(self):
        return (self.kind, self.encoding, self.place)


def shape(place, encoding):
    """Encoding of a place -> (encoder chain, nested kind, content coding, chunked)."""
    base = PLACES[place][1]
    if encoding in BODY_CODINGS:
        return (base,), None, encoding if encoding in CODINGS else None, encoding == "chunked"
    if encoding in NESTED:
        return ("json",), encoding, None, False
    if encoding in ("base64", "hex", "base64url"):
        shell = SHELL.get(place) if encoding == "base64" else None
        return (encoding, shell) if shell else (encoding,), None, None, False
    if encoding == "number":
        return ("raw",), "number", None, False
    if base == "html" and encoding == "json-in-string":
        return ("json",), encoding, None, False
    return (encoding,), None, None, False


def fitting(kind, place, encoding, rng):
    """A value of this class whose encoding here is not the plain one: None when there is no such cell."""
    base = PLACES[place][1]
    chain, nested, _, _ = shape(place, encoding)
    if place == "header" and kind == "pem" and nested is None and encoding in ("raw", "pct"):
        return None
    for _ in range(200):
        value = values.make(kind, rng)
        if nested == "number":
            if re.fullmatch(r"[1-9][0-9]*", value) and kind != "phone":
                return value
        elif encoding in ("raw",):
            if re.fullmatch(RAW.get(place, ".+"), value):
                return value
        elif nested or encoding == base or encoding in BODY_CODINGS or encoding in ("base64", "base64url", "hex"):
            if base != "raw" or encoding not in BODY_CODINGS or re.fullmatch(RAW[place], value):
                return value
        else:
            here = encode(chain, value.encode())
            plain = encode((base,), value.encode())
            if here != plain and (encoding not in ("pct-lower", "plus") or here != encode(("pct",), value.encode())):
                return value
    return None


def basis_of(kind, place):
    _, _, _, by_format, by_value = values.CLASSES[kind]
    if kind == "entropy":
        return "format"
    if PLACES[place][3]:
        return "name"
    return "format" if by_format else "elsewhere" if by_value else None


def cells(seed):
    """Every cell that can exist."""
    rng = random.Random(f"cells {seed}")
    out = []
    for place, (_, _, encodings, _) in PLACES.items():
        for encoding in encodings:
            if encoding in ("br", "zstd") and encoding not in CODINGS:
                continue
            for kind in values.CLASSES:
                if basis_of(kind, place) and fitting(kind, place, encoding, rng) is not None:
                    out.append((kind, encoding, place))
    rng.shuffle(out)
    return out


def plants(count, seed):
    rng = random.Random(f"plants {seed}")
    every, known, out = cells(seed), {}, []
    if not count:
        return out
    while len(out) < count:
        for kind, encoding, place in every:
            if len(out) >= count:
                break
            value = None
            if known.get(kind) and rng.random() < 0.3:
                value = repeat(rng.choice(known[kind]), place, encoding)
            value = value or fitting(kind, place, encoding, rng)
            if value is None:
                continue
            basis = basis_of(kind, place)
            out.append(Plant(kind, value, place, encoding, basis))
            if basis == "elsewhere":
                out.append(Plant(kind, value, rng.choice(["json-response", "json-request"]), "json", "name"))
            known.setdefault(kind, []).append(value)
    return out


def repeat(value, place, encoding):
    """A value seen before, where it fits a cell."""
    chain, nested, _, _ = shape(place, encoding)
    base = PLACES[place][1]
    if nested == "number" or "\n" in value:
        return None
    if encoding == "raw" or (base == "raw" and encoding in BODY_CODINGS):
        return value if re.fullmatch(RAW.get(place, ".+"), value) else None
    if nested or encoding in ("base64", "base64url", "hex", base) or encoding in BODY_CODINGS:
        return value
    here = encode(chain, value.encode())
    return value if here != encode((base,), value.encode()) and here != encode(("pct",), value.encode()) else None


def laid(plant, rng, quotes=False):
    """The pieces that stand for a plant's value in its place (a JSON string or number with its quotes)."""
    chain, nested, _, _ = shape(plant.place, plant.encoding)
    field = Field(plant.value, chain, plant.kind, True, plant)
    quote = [b'"'] if quotes else []
    if nested is None:
        return [*quote, field, *quote]
    if nested == "number":
        return [field]
    name = plant.name = rng.choice(values.CLASSES[plant.kind][2])
    base = PLACES[plant.place][1]
    outer = SHELL.get(plant.place, base)
    inner = [b'{"step":', Field(str(rng.randint(1, 9)), kind="small number"), b',"' + name.encode() + b'":"', field, b'","theme":"', Field("dark", kind="word"), b'"}']
    if nested == "json-in-string":
        return [*quote, Wrap((outer,), inner), *quote]
    if nested in ("base64-json", "base64url-json"):
        return [*quote, Wrap((nested.removesuffix("-json"), outer), inner), *quote]
    claims = [b'{"iss":"https://id.shop.example","exp":1893456000,"' + name.encode() + b'":"', field, b'"}']
    key = random.Random(rng.random())
    state = key.getstate()

    def sign(text):
        key.setstate(state)
        return values.jwt_of(text, key).encode()

    return [*quote, Wrap((outer,), claims, jwt=sign), *quote]


def grouped(planted, rng):
    """Puts plants together in exchanges: (kind of exchange, coding, chunked, plants)."""
    queues, groups = {}, []
    for plant in planted:
        kind = PLACES[plant.place][0] or rng.choice(["api-get", "api-post", "form", "page"])
        if plant.place == "json-response" and rng.random() < 0.5:
            kind = "api-post"
        _, _, coding, chunks = shape(plant.place, plant.encoding)
        queue = queues.setdefault((kind, coding, chunks), [])
        if any(other.place == plant.place and plant.place in ("path", "link", "location") for other in queue):
            groups.append((kind, coding, chunks, queue[:]))
            queue.clear()
        queue.append(plant)
        if len(queue) >= rng.randint(2, 4):
            groups.append((kind, coding, chunks, queue[:]))
            queue.clear()
    groups += [(*key, queue) for key, queue in queues.items() if queue]
    return groups


def traffic(count, seed, ordinary=None):
    """All exchanges: (session, time, request, response). `ordinary` exchanges without plants come in between."""
    rng = random.Random(f"traffic {seed}")
    groups = grouped(plants(count, seed), rng)
    ordinary = max(200, len(groups) // 3) if ordinary is None else ordinary
    groups += [(rng.choice(["api-get", "api-post", "form", "page", "page", "graphql", "upload", "plain", "soap"]), None, False, []) for _ in range(ordinary)]
    rng.shuffle(groups)
    out, at = [], START
    while groups:
        session = parts.Session(rng)
        for step in range(min(len(groups), rng.randint(4, 11))):
            kind, coding, chunks, planted = groups.pop()
            at += rng.randint(2_000_000, 900_000_000)
            request, response = parts.exchange(session, step, kind, coding, chunks, planted, rng, laid)
            for plant in planted:
                plant.exchange = len(out)
            out.append((session, at, request, response))
    return out


def write_gor(exchanges, path):
    with open(path, "wb") as out:
        for number, (session, at, request, response) in enumerate(exchanges):
            name = f"{session.client}{number:08x}"
            out.write(f"1 {name} {at} 0\n".encode() + request.render() + SEPARATOR)
            out.write(f"2 {name} {at + 1_500_000} 400000\n".encode() + response.render() + SEPARATOR)


def write_truth(exchanges, path):
    with open(path, "w", encoding="utf-8") as out:
        for number, (session, at, *messages) in enumerate(exchanges):
            for side, message in zip(("request", "response"), messages):
                for field in message.fields():
                    line = {"exchange": number, "time": at, "session": session.number, "side": side, "value": field.value, "kind": field.kind, "sensitive": field.sensitive}
                    if field.plant:
                        line |= {"planted": True, "class": field.plant.kind, "encoding": field.plant.encoding, "place": field.plant.place, "name": field.plant.name, "found_by": field.plant.basis}
                    out.write(json.dumps(line) + "\n")


def check_itself(exchanges):
    """Each field must be found again in the unmasked message: else the measurement would be wrong."""
    for number, (_, _, *messages) in enumerate(exchanges):
        for message in messages:
            found, lost, altered = message.read(message.render())
            bad = [(f.kind, f.value) for f, data in found if data != f.render()]
            if bad or lost or altered or len(found) != len(message.fields()):
                raise AssertionError(f"exchange {number}: {bad} {[f.value for f in lost]} {altered}\n{message.render()!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", default="plants.gor")
    parser.add_argument("--truth", default="plants.jsonl")
    args = parser.parse_args()
    exchanges = traffic(args.plants, args.seed)
    check_itself(exchanges)
    write_gor(exchanges, args.output)
    write_truth(exchanges, args.truth)
    print(f"{args.plants} plants over {len(cells(args.seed))} cells in {len(exchanges)} exchanges: {args.output}, {args.truth}")


if __name__ == "__main__":
    main()
