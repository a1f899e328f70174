#!/usr/bin/env python3
"""Masks traffic with known secrets in it and says what survived, what is no longer valid, and what was masked for nothing.

Usage: check.py [--plants N] [--seed N] [--mynah PATH] [--keep FOLDER] [--examples N]
Exit code: 0 nothing survived, 1 something did (or a format or an equality is broken, or more than 5 % of what was masked is harmless),
12 mynah refused to seal.
"""

import argparse
import collections
import ipaddress
import os
import re
import subprocess
import sys
import tempfile
import time

import plant as planting
import values
from pieces import decode, plain_body
from search import Search, frames, views

HERE = os.path.dirname(os.path.abspath(__file__))
PLAIN_PLACES = {"json-request", "json-response", "json-array", "graphql-variable", "graphql-response", "form", "multipart-file", "xml-element", "hidden-input"}
FIXED = {"card", "iban", "ipv4", "ipv6", "mac", "phone", "email", "name", "first-name", "last-name", "address", "birth-date", "jwt", "pem"}


def mynah_binary():
    return os.environ.get("MYNAH", os.path.join(HERE, "..", "..", "target", "release", "mynah"))


def run(*command):
    done = subprocess.run(command, capture_output=True, timeout=1800)
    if done.returncode:
        print(f"{' '.join(command[:2])}: exit code {done.returncode}\n{done.stderr.decode(errors='replace').strip()}")
        if done.returncode == 12:
            print("the audit refused: mynah found an original value in what it was about to seal")
        sys.exit(12 if done.returncode == 12 else 2)
    return done


def read_gor(path):
    """(time, type) -> payload."""
    out = {}
    with open(path, "rb") as file:
        for record in file.read().split(planting.SEPARATOR):
            head, _, payload = record.partition(b"\n")
            words = head.split()
            if len(words) >= 3:
                out[int(words[2]), words[0]] = payload
    return out


def heads(path):
    """The first line of each record of a .gor file."""
    with open(path, "rb") as file:
        return [record.partition(b"\n")[0].decode(errors="replace") for record in file.read().split(planting.SEPARATOR) if record]


class Result:
    """What became of one sensitive field."""

    def __init__(self, number, field, state, new=None, message=b"", seen=b""):
        self.number, self.field, self.state, self.new, self.message, self.seen = number, field, state, new, message, seen


def judge(number, field, seen, message):
    if seen == field.render():
        return Result(number, field, "survived", message=message, seen=seen)
    try:
        new = decode(field.chain, seen).decode()
    except (ValueError, IndexError):
        return Result(number, field, "opaque", message=message, seen=seen)
    if new == field.value:
        return Result(number, field, "survived", new, message, seen)
    same = sum(a == b for a, b in zip(field.value, new))
    if field.kind not in FIXED and len(new) == len(field.value) >= 20 and same > 0.6 * len(new):
        return Result(number, field, "partly", new, message, seen)
    # Opened or replaced as a whole? Who sees only the outcome can tell by its form.
    if field.chain[0] in ("base64", "base64url", "hex") and field.kind in values.CLASSES and field.kind in FIXED and values.valid(field.kind, field.value, new):
        return Result(number, field, "masked", new, message, seen)
    if field.chain[0] in ("base64", "base64url", "hex") and (not new.isprintable() or len(new) != len(field.value)):
        return Result(number, field, "opaque", message=message, seen=seen)
    if field.chain[0] in ("base64", "base64url", "hex") and (field.value.isdigit() and not new.isdigit() or set(re.sub(r"[A-Za-z0-9]", "", new)) - set(field.value)):
        return Result(number, field, "opaque", message=message, seen=seen)
    return Result(number, field, "masked", new, message, seen)


def compare(exchanges, output):
    """Reads every field back: results of sensitive fields, harmless fields that changed, counts."""
    results, alarms, harmless, missing = [], [], 0, 0
    for number, (_, at, *messages) in enumerate(exchanges):
        for message, key in zip(messages, ((at, b"1"), (at + 1_500_000, b"2"))):
            data = output.get(key)
            if data is None:
                missing += 1
                results += [Result(number, f, "withheld") for f in message.fields() if f.sensitive]
                continue
            found, lost, altered = message.read(data)
            for field, seen in found:
                if field.sensitive:
                    results.append(judge(number, field, seen, data))
                else:
                    harmless += 1
                    if seen != field.render():
                        alarms.append((field.kind, number, field.render(), seen))
            results += [Result(number, f, "opaque", message=data) for f in lost if f.sensitive]
            alarms += [("structure", number, old, new) for old, new in altered]
    return results, alarms, harmless, missing


def where(result):
    plant = result.field.plant
    return (plant.kind, plant.encoding, plant.place) if plant else (result.field.kind, "(ordinary)", "(ordinary)")


def survivors_by_search(exchanges, results, output, extra):
    """Looks for every value of 6 bytes and more in every message, decoded every way: values found, by exchange."""
    search = Search({r.field.value for r in results if r.field.kind not in values.BY_PLACE})
    hits = collections.defaultdict(set)
    for number, (_, at, *_) in enumerate(exchanges):
        for key in ((at, b"1"), (at + 1_500_000, b"2")):
            for view in views(output.get(key, b"")):
                hits[number] |= search.found(view)
    others = {name: set().union(*(search.found(v) for v in data), set()) for name, data in extra.items()}
    return hits, others


def plain(name):
    return re.sub(r"[-_.]", "", (name or "").lower())


def cause(result, unknown, masked):
    """Why it survived, as far as the cell tells."""
    plant = result.field.plant
    if not plant:
        return f"ordinary {result.field.kind} of the session"
    name = (plant.kind, plain(plant.name))
    if plant.kind == "entropy":
        return "high-entropy value under a name that does not tell"
    if plant.basis == "name" and name in unknown:
        return f"name not known: {plant.kind} as {plain(plant.name)!r}" + (", format not found either" if values.CLASSES[plant.kind][3] else "")
    if plant.basis == "elsewhere":
        return f"known from elsewhere, not replaced in {plant.place}" if plant.value in masked else f"in {plant.place}; not masked under its name elsewhere either"
    if plant.basis == "format":
        return f"format not found in {plant.place}"
    if plant.encoding in ("base64-json", "base64url-json"):
        return f"base64 of JSON under a name that does not tell: not opened in {plant.place}"
    return f"named, but survives in {plant.place}"


def unknown_names(results):
    """(class, name) that survives in JSON, forms and XML more often than not: there the place is no excuse."""
    seen = collections.defaultdict(list)
    for r in results:
        plant = r.field.plant
        if plant and plant.name and plant.encoding in ("json", "raw", "html", *planting.BODY_CODINGS) and plant.place in PLAIN_PLACES:
            seen[plant.kind, plain(plant.name)].append(r.state == "survived")
    return {key for key, states in seen.items() if sum(states) * 2 > len(states)}


def excerpt(result, width=60):
    head, _, body = result.message.partition(b"\r\n\r\n")
    seen = result.seen or result.field.value.encode()
    try:
        data = head + b"\r\n\r\n" + plain_body(head, body)
    except Exception:  # whichever decoder it was
        data = result.message
    if seen not in data:
        return f"within an encoding: {result.field.plant.name if result.field.plant else ''}={result.field.value[:60]!r}"
    at = max(data.find(seen), 0)
    return data[max(0, at - width) : at + min(len(seen), 60) + 20].decode(errors="replace").replace("\n", "\\n").replace("\r", "\\r")


def table(title, rows):
    states = ["planted", "masked", "opaque", "withheld", "partly", "survived"]
    print(f"\n{title:34}" + "".join(f"{s:>10}" for s in states))
    for name, counts in rows:
        print(f"{name:34}" + "".join(f"{counts[s] if s != 'planted' else sum(counts.values()):>10}" for s in states))


def tally(results, key):
    out = collections.defaultdict(collections.Counter)
    for r in results:
        out[key(r)][r.state] += 1
    return sorted(out.items(), key=lambda row: (-row[1]["survived"] / max(1, sum(row[1].values())), row[0]))


def formats(results, examples):
    bad = collections.defaultdict(list)
    checked = collections.Counter()
    for r in results:
        if r.state == "masked" and r.field.kind in values.CLASSES:
            checked[r.field.kind] += 1
            try:
                good = values.valid(r.field.kind, r.field.value, r.new)
            except (ValueError, IndexError, KeyError, AssertionError):
                good = False
            if not good:
                bad[r.field.kind].append(r)
    total = sum(map(len, bad.values()))
    print(f"\nformats and check digits: {total} of {sum(checked.values())} pseudonyms are not valid")
    for kind, found in sorted(bad.items(), key=lambda row: -len(row[1])):
        print(f"  {kind}: {len(found)} of {checked[kind]}; by place: {dict(collections.Counter('/'.join(where(r)[1:]) for r in found).most_common(6))}")
        for r in found[:examples]:
            print(f"      {r.field.value[:70]!r} -> {r.new[:70]!r} ({'/'.join(where(r)[1:])}, exchange {r.number})")
    return total


def equalities(results, examples):
    to, back = collections.defaultdict(lambda: collections.defaultdict(list)), collections.defaultdict(set)
    for r in results:
        if r.state == "masked":
            to[r.field.kind, r.field.value][r.new].append(r)
            back[r.field.kind, r.new].add(r.field.value)
    repeated = [(key, news) for key, news in to.items() if sum(map(len, news.values())) > 1]
    broken = [(key, news) for key, news in repeated if len(news) > 1]
    print(f"\nequal values stay equal: {len(repeated) - len(broken)} of {len(repeated)} values that were masked twice or more ({len(broken)} broken)")
    causes = collections.defaultdict(list)
    for (kind, value), news in broken:
        usual = max(news.values(), key=len)
        for new, found in news.items():
            if found is not usual:
                for r in found:
                    causes["/".join(where(r)[1:])].append((kind, value, usual[0], r))
    for place, found in sorted(causes.items(), key=lambda row: -len(row[1]))[:25]:
        print(f"  {place}: {len(found)} ({dict(collections.Counter(f[0] for f in found).most_common(8))})")
        for kind, value, usual, r in found[: min(examples, 2)]:
            print(f"      {kind} {value[:50]!r}: {usual.new[:50]!r} ({'/'.join(where(usual)[1:])}), but {r.new[:50]!r}")
    merged = [(key, olds) for key, olds in back.items() if len(olds) > 1]
    print(f"unequal values stay unequal: {len(merged)} pseudonyms stand for several values of a class {dict(collections.Counter(k for (k, _), _ in merged))}")
    for (kind, new), olds in merged[:examples]:
        print(f"      {kind}: {sorted(olds)[:3]} -> {new[:60]!r}")
    mixed = {(r.field.kind, r.field.value) for r in results if r.state == "survived"} & set(to)
    print(f"masked in one place and kept in another: {len(mixed)} values {dict(collections.Counter(k for k, _ in mixed).most_common())}")
    return len(broken) + len(merged)


def false_alarms(results, alarms, harmless, examples):
    changed = sum(r.state in ("masked", "opaque", "partly") for r in results)
    share = len(alarms) / max(1, len(alarms) + changed)
    print(f"\nfalse alarms: {len(alarms)} of {len(alarms) + changed} changed spans are not sensitive ({share:.2%}, aim <= 5 %); {harmless} harmless spans in all")
    kinds = collections.defaultdict(list)
    for alarm in alarms:
        kinds[alarm[0]].append(alarm)
    for kind, found in sorted(kinds.items(), key=lambda row: -len(row[1])):
        print(f"  {kind}: {len(found)}")
        for _, number, old, new in found[:examples]:
            print(f"      exchange {number}: {old[:90]!r} -> {new[:90]!r}")
    return share


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mynah", default=mynah_binary())
    parser.add_argument("--keep", help="a folder for the capture, the truth, the recording and cells.tsv")
    parser.add_argument("--examples", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.keep:
            os.makedirs(args.keep, exist_ok=True)
        sys.exit(measure(args, args.keep or folder))


def measure(args, folder):
    at = lambda name: os.path.join(folder, name)
    began = time.monotonic()
    exchanges = planting.traffic(args.plants, args.seed)
    planting.check_itself(exchanges)
    planting.write_gor(exchanges, at("plants.gor"))
    planting.write_truth(exchanges, at("plants.jsonl"))
    made = time.monotonic()
    run(args.mynah, "capture", at("plants.gor"), "-o", at("out.mynah"), "--key-file", at("k"), "--report", at("report.json"))
    masked = time.monotonic()
    run(args.mynah, "export", at("out.mynah"), "--format", "gor", "-o", at("out.gor"))
    dump = run(args.mynah, "inspect", at("out.mynah"), "--dump").stdout
    output = read_gor(at("out.gor"))
    results, alarms, harmless, missing = compare(exchanges, output)
    raw = open(at("out.mynah"), "rb").read()
    hits, others = survivors_by_search(exchanges, results, output, {"inspect --dump": [dump], "the file's bytes and its zstd frames": [raw, *frames(raw)], "report.json": [open(at("report.json"), "rb").read()]})
    for r in results:
        if r.state in ("opaque", "withheld", "partly") and r.field.value in hits[r.number]:
            r.state = "survived"
    ended = time.monotonic()

    planted = [r for r in results if r.field.plant]
    survived = [r for r in results if r.state == "survived"]
    print(f"{len(exchanges)} exchanges, {len(planted)} plants in {len({where(r) for r in planted})} cells, {len(results) - len(planted)} ordinary secrets; {os.path.getsize(at('plants.gor')) / 1e6:.1f} MB; {missing} messages are missing")
    print(f"generator {made - began:.1f} s, mynah capture {masked - made:.2f} s, check {ended - masked:.1f} s")
    table("class", tally(results, lambda r: where(r)[0]))
    table("place / encoding", tally(results, lambda r: f"{where(r)[2]} / {where(r)[1]}"))
    table("found by", tally(planted, lambda r: r.field.plant.basis))
    with open(at("cells.tsv"), "w", encoding="utf-8") as out:
        out.write("class\tencoding\tplace\tplanted\tmasked\topaque\twithheld\tpartly\tsurvived\n")
        for cell, counts in tally(planted, where):
            out.write("\t".join(map(str, [*cell, sum(counts.values()), *(counts[s] for s in ("masked", "opaque", "withheld", "partly", "survived"))])) + "\n")

    masked_values = {r.field.value for r in results if r.state == "masked"}
    unknown, causes = unknown_names(results), collections.defaultdict(list)
    for r in survived + [r for r in results if r.state == "partly"]:
        causes[("partly: " if r.state == "partly" else "") + cause(r, unknown, masked_values)].append(r)
    print(f"\nwhat survives, by cause: {len(survived)} places, {len({r.field.value for r in survived})} values")
    for name, found in sorted(causes.items(), key=lambda row: -len(row[1])):
        classes = collections.Counter(where(r)[0] for r in found)
        print(f"  {len(found):5}  {name}" + ("" if "name not known" in name else ": " + ", ".join(f"{k} {n}" for k, n in classes.most_common())))
        if "name not known" not in name:
            print("           encodings: " + ", ".join(f"{k} {n}" for k, n in collections.Counter(where(r)[1] for r in found).most_common()))
        for r in found[: args.examples]:
            print(f"           [{r.number}, {'/'.join(where(r)[1:])}] …{excerpt(r)}")
    in_place = collections.defaultdict(set)
    for r in survived:
        in_place[r.number].add(r.field.value)
    beside = [(n, v) for n, found in hits.items() for v in found if not any(v in other for other in in_place[n])]
    print(f"\nfound by search although every place of theirs in that exchange is masked: {len(beside)}")
    for number, value in beside[: args.examples]:
        print(f"      exchange {number}: {value[:60]!r}")
    known = {r.field.value for r in survived}
    for name, found in others.items():
        print(f"found in {name}: {len(found)} values, {len(found - known)} of them nowhere else")
    told = {int(words[2]): words[1][8:16] for words in map(str.split, heads(at("out.gor"))) if words[0] == "1"}
    public = lambda address: ipaddress.ip_address(int(address, 16)).is_global
    kept = sum(told.get(when) == session.client[8:16] and public(session.client[8:16]) for session, when, *_ in exchanges)
    print(f"client addresses that stand in the export as they were: {kept} of {len(exchanges)}")

    invalid = formats(results, args.examples)
    unequal = equalities(results, args.examples)
    share = false_alarms(results, alarms, harmless, args.examples)
    partly = any(r.state == "partly" for r in results)
    bad = [survived, partly, beside, kept, missing, invalid, unequal, share > 0.05]
    print("\n" + ("some of this must not be" if any(bad) else "nothing survived, all formats and equalities hold"))
    return 1 if any(bad) else 0


if __name__ == "__main__":
    main()
