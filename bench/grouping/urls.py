"""Distinct URLs with ids of every style, and words among them that must stay words."""

import random

from shop import Ids
from wire import Capture, Connection

# Share, template. Words that stand where ids stand are listed below.
TEMPLATES = [
    "/users/{id}", "/users/{id}/orders/{id}", "/v1/items/{uuid}", "/v2/items/{uuid}/history", "/blobs/{hash}", "/t/{hex}",
    "/news/{slug}", "/reports/{date}", "/reports/{date}/pages/{id}", "/orders/{mixed}", "/orders/{mixed}/lines/{id}",
    "/c/{slug}/items", "/devices/{hex}/events/{date}",
]
WORDS = [
    "/", "/users/me", "/users/me/orders", "/users/search", "/orders/latest", "/oauth2/token", "/v1/health-report", "/api/3/status",
    "/api/3/info", "/news/archive", "/reports/today", "/step-1", "/step-2", "/about-us", "/blobs/upload", "/en/help", "/de/help",
]


def generate(path, count, seed):
    """Writes a capture; gives how often each template was asked for."""
    rng = random.Random(seed)
    ids = Ids(rng)
    capture, wanted, seen = Capture(path), {}, set()
    draw = {
        "{id}": lambda: str(rng.randint(1, 10_000_000)), "{uuid}": ids.uuid, "{hash}": lambda: ids.hexadecimal(rng.choice([40, 64])),
        "{hex}": lambda: ids.hexadecimal(12), "{date}": ids.date, "{mixed}": ids.mixed,
        # Half of these have no digit in them.
        "{slug}": lambda: ids.slug() if rng.random() < 0.5 else f"{rng.choice(ids.categories)}-{rng.choice(ids.categories)}",
    }
    targets = [("GET " + word, word) for word in WORDS for _ in range(20)]
    while len(seen) < count:
        template = rng.choice(TEMPLATES)
        target = "/".join(draw[part]() if part in draw else part for part in template.split("/"))
        if target not in seen:
            seen.add(target)
            targets.append(("GET " + template, target))
    rng.shuffle(targets)
    time = 1_790_000_000 * 10**9
    for number, (template, target) in enumerate(targets):
        if number % 20 == 0:
            connection = Connection(capture, bytes([100, 64, number >> 8 & 255, number & 255]), 20_000, time)
        wanted[template] = wanted.get(template, 0) + 1
        request = f"GET {target} HTTP/1.1\r\nHost: urls.example\r\nUser-Agent: probe/1\r\n\r\n"
        connection.exchange(time, request.encode(), time + 10**6, b"HTTP/1.1 204 No Content\r\n\r\n")
        time += 10**8
    capture.close()
    return wanted
