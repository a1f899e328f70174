#!/usr/bin/env python3
"""Known truth against what mynah finds: sessions, behaviours, weights, endpoint templates. Ends with 1 when one is missed.

`check.py [--sessions N] [--seed N] [--mynah PATH] [--keep DIR] [--scale]`
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import generate
import score
import urls
from shop import BEHAVIOURS

# What each style of id may be called in a template. Codes such as ORD-7K2M9QX4 have no name of their own.
STYLES = {"mixed": {"code", "token", "id"}}
failures = []


def verdict(what, good, text):
    print(f"{'ok  ' if good else 'MISS'}  {what}: {text}")
    if not good:
        failures.append(what)


def run(mynah, *arguments):
    """Runs mynah; gives what it printed, and the seconds it took."""
    begun = time.monotonic()
    done = subprocess.run([mynah, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"mynah {' '.join(map(str, arguments))}\nended with {done.returncode}\n{done.stderr}")
    return done.stdout, time.monotonic() - begun


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def fits(wanted, found):
    """Whether a template is right: the same words, and at each place an id of the right style."""
    wanted, found = wanted.split("/"), found.split("/")
    if len(wanted) != len(found):
        return False
    for one, other in zip(wanted, found):
        if not one.startswith("{"):
            if one != other:
                return False
        elif not other.startswith("{"):
            return False
        else:
            styles = STYLES.get(one[1:-1], {one[1:-1]})
            if not any(re.fullmatch(rf"(.*_)?{style}\d*", other[1:-1]) for style in styles):
                return False
    return True


def check_sessions(truth, exchanges):
    """The truth's session of each exchange, and how many sessions were recovered: the very same exchanges, no more."""
    owner = {}
    for number, session in enumerate(truth["sessions"]):
        for client, started, _ in session["exchanges"]:
            owner[client, started] = number
    true_members, found_members, pairs = Counter(), Counter(), Counter()
    missing = 0
    for line in exchanges:
        number = owner.get((line["client"], line["started_ns"]))
        if number is None or line["session"] is None:
            missing += 1
            continue
        true_members[number] += 1
        found_members[line["session"]] += 1
        pairs[number, line["session"]] += 1
    sizes = [len(session["exchanges"]) for session in truth["sessions"]]
    exact = sum(1 for (number, found), n in pairs.items() if n == sizes[number] == found_members[found])
    best = {}
    for (number, found), n in pairs.items():
        if n > best.get(number, (0, 0))[0]:
            best[number] = (n, found)
    total = len(sizes)
    verdict("sessions", exact >= 0.99 * total and missing == 0 and len(exchanges) == sum(sizes),
            f"{exact} of {total} recovered exactly ({100 * exact / total:.2f} %, wanted 99 %); {len(found_members)} found; "
            f"{len(exchanges)} of {sum(sizes)} exchanges captured, {missing} in no session")
    split = Counter(number for number, _ in pairs)
    melted = Counter(found for _, found in pairs)
    print(f"      {sum(n > 1 for n in split.values())} taken apart, {sum(n > 1 for n in melted.values())} melted together")
    return {number: found for number, (_, found) in best.items()}


def check_profiles(truth, found_session, explanation):
    names = [profile["name"] for profile in explanation["profiles"]]
    profile_of = {one["session"]: names[one["profile"]] for one in explanation["sessions"]}
    numbers = [n for n in range(len(truth["sessions"])) if n in found_session]
    behaviours = [truth["sessions"][n]["behaviour"] for n in numbers]
    found = [profile_of.get(found_session[n], "none") for n in numbers]
    walks = [tuple(step for _, _, step in truth["sessions"][n]["exchanges"]) for n in numbers]
    guessed = score.oracle(walks)
    own, best = score.adjusted_rand(behaviours, found), score.adjusted_rand(behaviours, guessed)
    verdict("behaviours", own >= 0.95 * best,
            f"adjusted Rand index {own:.4f}, the oracle's {best:.4f}: {100 * own / best:.1f} % (wanted 95 %)")
    print(f"      {len(names)} profiles for {len(BEHAVIOURS)} behaviours")
    pairs = score.matched(behaviours, found)
    weights = {profile["name"]: profile["weight"] for profile in explanation["profiles"]}
    total, off = len(numbers), []
    for behaviour in BEHAVIOURS:
        share = 100 * behaviours.count(behaviour.name) / total
        by_oracle = 100 * guessed.count(behaviour.name) / total
        name = pairs.get(behaviour.name)
        weight = weights.get(name, 0.0)
        off.append(abs(weight - share))
        print(f"      {behaviour.name:<14} {share:6.2f} %  profile {weight:6.2f} %  oracle {by_oracle:6.2f} %  {name}")
    verdict("weights", max(off) <= 1, f"at most {max(off):.2f} points off (wanted 1); {len(names) - len(pairs)} profiles too many")


def check_templates(wanted, found):
    """`wanted`: what was generated, with counts; `found`: mynah's endpoints."""
    found = {f"{one['method']} {one['template']}": one["requests"] for one in found}
    wrong = []
    for template, count in wanted.items():
        alike = [n for name, n in found.items() if fits(template, name)]
        if alike != [count]:
            wrong.append(f"{template} ({count} requests, found {alike})")
    strange = [name for name in found if not any(fits(template, name) for template in wanted)]
    return wrong, strange


def say_templates(what, wanted, found):
    wrong, strange = check_templates(wanted, found)
    verdict(what, not wrong and not strange, f"{len(wanted) - len(wrong)} of {len(wanted)} templates right with every request, {len(strange)} strange")
    for one in wrong[:10] + strange[:10]:
        print(f"      {one}")


def measured(mynah, *arguments):
    """Seconds on one core, and peak memory in MB of this child alone."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        begun = time.monotonic()
        subprocess.run([mynah, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took = time.monotonic() - begun
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(writer, json.dumps([took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return json.loads(answer) if answer else sys.exit("mynah profile failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--urls", type=int, default=10_000)
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--mynah", default=os.environ.get("MYNAH", root / "target/release/mynah"))
    parser.add_argument("--keep", help="a folder to work in and to leave as it is then")
    parser.add_argument("--scale", action="store_true", help="only time and memory, at about ten exchanges a session")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(args.keep or made)
        folder.mkdir(parents=True, exist_ok=True)
        if args.scale:
            scale(args, folder)
        else:
            check(args, folder)
    sys.exit(1 if failures else 0)


def traffic(args, folder):
    pcap, truth, recording = folder / "t.pcap", folder / "truth.json", folder / "t.mynah"
    made = generate.generate(str(pcap), str(truth), args.sessions, args.seed)
    print("made  " + ", ".join(f"{count} {what}" for what, count in made.items()))
    recording.unlink(missing_ok=True)
    run(args.mynah, "capture", pcap, "-o", recording, "--unmasked")
    return made, truth, recording


def check(args, folder):
    _, truth, recording = traffic(args, folder)
    with open(truth) as file:
        truth = json.load(file)
    explained, took = run(args.mynah, "profile", recording, "-o", folder / "t.toml", "--explain", "--json")
    print(f"took  {took:.1f} s to profile")
    explanation = json.loads(explained)
    exchanges = lines(run(args.mynah, "inspect", recording, "--exchanges", "--json")[0])
    found_session = check_sessions(truth, exchanges)
    print(f"      idle timeout: {explanation['idle_timeout']['why']}")
    check_profiles(truth, found_session, explanation)
    with open(folder / "t.toml", "rb") as file:
        scenario = tomllib.load(file)
    total = sum(profile["weight"] for profile in scenario["profile"])
    verdict("scenario", abs(total - 100) < 1e-6, f"weights in the file sum to {total:g}")
    wanted = Counter(truth["endpoints"][step] for session in truth["sessions"] for _, _, step in session["exchanges"])
    say_templates("endpoints", wanted, lines(run(args.mynah, "inspect", recording, "--endpoints", "--json")[0]))
    wanted = urls.generate(str(folder / "urls.pcap"), args.urls, args.seed)
    (folder / "urls.mynah").unlink(missing_ok=True)
    run(args.mynah, "capture", folder / "urls.pcap", "-o", folder / "urls.mynah", "--unmasked")
    say_templates(f"{args.urls} distinct URLs", wanted, lines(run(args.mynah, "inspect", folder / "urls.mynah", "--endpoints", "--json")[0]))


def scale(args, folder):
    made, _, recording = traffic(args, folder)
    wall, cpu, memory = measured(args.mynah, "profile", recording, "-o", folder / "t.toml")
    verdict("scale", cpu <= 30 and memory <= 1024,
            f"{made['exchanges']} exchanges in {made['sessions']} sessions: {cpu:.1f} s of one core ({wall:.1f} s passed), "
            f"{memory:.0f} MB (wanted 30 s and 1,024 MB)")


if __name__ == "__main__":
    main()
