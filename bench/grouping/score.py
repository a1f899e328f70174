"""How well sessions and profiles fit the truth: figures from the field, and an oracle to compare with."""

from collections import Counter
from math import comb

from shop import BEHAVIOURS


def adjusted_rand(a, b):
    """Hubert and Arabie, Comparing partitions, Journal of Classification 2 (1985)."""
    both, rows, columns = Counter(zip(a, b)), Counter(a), Counter(b)
    pairs = sum(comb(n, 2) for n in both.values())
    left, right = (sum(comb(n, 2) for n in side.values()) for side in (rows, columns))
    expected = left * right / comb(len(a), 2)
    most = (left + right) / 2
    return 1.0 if most == expected else (pairs - expected) / (most - expected)


def oracle(walks):
    """The most likely behaviour of each visit, by somebody who knows shares and transitions of the generating model."""
    answers = {}
    for walk in set(walks):
        best = max(BEHAVIOURS, key=lambda behaviour: behaviour.log_likelihood(walk))
        answers[walk] = best.name
    return [answers[walk] for walk in walks]


def matched(truth, found):
    """Each behaviour's profile: pairs taken greedily by how many visits they have in common."""
    pairs, behaviours, profiles = {}, set(), set()
    for (behaviour, profile), _ in Counter(zip(truth, found)).most_common():
        if behaviour not in behaviours and profile not in profiles:
            pairs[behaviour] = profile
            behaviours.add(behaviour)
            profiles.add(profile)
    return pairs
