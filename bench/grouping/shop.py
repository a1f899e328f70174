"""The shop whose visitors are simulated: its endpoints, its ids, and five kinds of visitor, each a Markov chain.

This is the generating model. The checker's oracle reads it; nothing of mynah's does, and it reads nothing of mynah's.
"""

import math

END = "end"

# Endpoint -> method and template. What stands in braces is what the ids there look like.
ENDPOINTS = {
    "home": "GET /",
    "category": "GET /shop/{slug}",
    "search": "GET /search",
    "suggest": "GET /api/v2/suggest",
    "product": "GET /api/v2/products/{id}",
    "reviews": "GET /api/v2/products/{id}/reviews",
    "manual": "GET /manuals/{hash}",
    "seller": "GET /users/{id}",
    "me": "GET /users/me",
    "my_orders": "GET /users/me/orders",
    "login_form": "GET /login",
    "login": "POST /login",
    "logout": "POST /logout",
    "cart": "GET /cart",
    "cart_add": "POST /api/v2/cart/items",
    "cart_remove": "DELETE /api/v2/cart/items/{uuid}",
    "checkout": "GET /checkout",
    "address": "POST /checkout/address",
    "pay": "POST /checkout/payment",
    "order": "GET /orders/{mixed}",
    "parcel": "GET /track/{hex}",
    "dashboard": "GET /merchant",
    "report": "GET /merchant/reports/{date}",
    "listing": "GET /merchant/listings/{uuid}",
    "listing_put": "PUT /merchant/listings/{uuid}",
    "listing_new": "POST /merchant/listings",
    "feed": "GET /feeds/{slug}",
}


class Behaviour:
    """A kind of visitor: where it begins, where it goes on to, and how long it thinks (median seconds, spread)."""

    def __init__(self, name, percent, think, start, moves):
        self.name, self.percent, self.think, self.start, self.moves = name, percent, think, start, moves
        for choices in [start, *moves.values()]:
            assert abs(sum(choices.values()) - 1) < 1e-9, (name, choices)

    def endpoints(self):
        return set(self.moves)

    def log_likelihood(self, walk):
        """Of a whole visit, its end included."""
        total = math.log(self.percent / 100)
        before = self.start
        for step in [*walk, END]:
            share = before.get(step, 0)
            if share == 0:
                return -math.inf
            total += math.log(share)
            before = self.moves.get(step, {})
        return total


BEHAVIOURS = [
    Behaviour(
        "look around", 40, (8, 0.9),
        {"home": 0.6, "category": 0.25, "product": 0.15},
        {
            "home": {"category": 0.7, "search": 0.1, "product": 0.1, END: 0.1},
            "category": {"product": 0.65, "category": 0.25, END: 0.1},
            "product": {"reviews": 0.35, "seller": 0.15, "category": 0.3, "product": 0.05, END: 0.15},
            "reviews": {"product": 0.35, "seller": 0.25, "category": 0.2, END: 0.2},
            "seller": {"product": 0.6, "category": 0.2, END: 0.2},
            "search": {"product": 0.8, END: 0.2},
        },
    ),
    Behaviour(
        "buy", 25, (12, 0.8),
        {"home": 0.5, "search": 0.5},
        {
            "home": {"suggest": 0.75, "category": 0.23, END: 0.02},
            "suggest": {"suggest": 0.4, "search": 0.59, END: 0.01},
            "search": {"product": 0.7, "suggest": 0.28, END: 0.02},
            "category": {"product": 0.98, END: 0.02},
            "product": {"cart_add": 0.65, "reviews": 0.2, "search": 0.13, END: 0.02},
            "reviews": {"cart_add": 0.8, "product": 0.18, END: 0.02},
            "cart_add": {"cart": 0.6, "search": 0.37, END: 0.03},
            "cart": {"login_form": 0.75, "cart_remove": 0.15, "search": 0.05, END: 0.05},
            "cart_remove": {"cart": 0.97, END: 0.03},
            "login_form": {"login": 0.97, END: 0.03},
            "login": {"checkout": 0.98, END: 0.02},
            "checkout": {"address": 0.97, END: 0.03},
            "address": {"pay": 0.97, END: 0.03},
            "pay": {"order": 0.95, END: 0.05},
            "order": {END: 1.0},
        },
    ),
    # Nearly the same endpoints as "buy", in another order and mix.
    Behaviour(
        "order again", 20, (5, 0.7),
        {"login_form": 0.8, "home": 0.2},
        {
            "home": {"login_form": 0.96, "category": 0.02, END: 0.02},
            "login_form": {"login": 0.98, END: 0.02},
            "login": {"my_orders": 0.85, "cart": 0.13, END: 0.02},
            "my_orders": {"order": 0.9, "product": 0.08, END: 0.02},
            "order": {"cart_add": 0.5, "product": 0.25, "my_orders": 0.2, END: 0.05},
            "product": {"cart_add": 0.8, "reviews": 0.1, "search": 0.1},
            "reviews": {"product": 1.0},
            "search": {"product": 1.0},
            "category": {"product": 1.0},
            "cart_add": {"my_orders": 0.35, "cart": 0.65},
            "cart": {"checkout": 0.75, "cart_remove": 0.15, "my_orders": 0.05, END: 0.05},
            "cart_remove": {"cart": 1.0},
            "checkout": {"pay": 0.8, "address": 0.2},
            "address": {"pay": 1.0},
            "pay": {"order": 0.5, END: 0.5},
        },
    ),
    Behaviour(
        "run a stall", 10, (20, 0.6),
        {"login_form": 0.9, "dashboard": 0.1},
        {
            "login_form": {"login": 1.0},
            "login": {"dashboard": 0.98, END: 0.02},
            "dashboard": {"report": 0.35, "listing": 0.4, "listing_new": 0.15, "me": 0.05, END: 0.05},
            "report": {"report": 0.5, "dashboard": 0.4, END: 0.1},
            "listing": {"listing_put": 0.6, "listing": 0.2, "dashboard": 0.15, END: 0.05},
            "listing_put": {"listing": 0.4, "dashboard": 0.5, END: 0.1},
            "listing_new": {"listing": 0.7, "dashboard": 0.3},
            "me": {"dashboard": 0.7, "logout": 0.3},
            "logout": {END: 1.0},
        },
    ),
    Behaviour(
        "poll", 5, (2, 0.5),
        {"feed": 1.0},
        {
            "feed": {"product": 0.5, "feed": 0.3, "parcel": 0.15, END: 0.05},
            "product": {"feed": 0.6, "manual": 0.3, END: 0.1},
            "manual": {"feed": 0.8, END: 0.2},
            "parcel": {"parcel": 0.5, "feed": 0.4, END: 0.1},
        },
    ),
]

# The longest visit; a chain that goes on is cut here, in the oracle's eyes as well.
LONGEST = 120

WORDS = (
    "amber anvil apron basket birch bottle brass brick candle canvas cedar clay copper cotton crate curtain desk drum elm "
    "felt fern flint fork garden glass gravel hammer handle hinge hook iron ivory jar kettle knife lace ladder lamp latch "
    "leather lemon linen maple mirror moss nail oak olive paper pebble pine plank plate quilt rope rug saddle salt satin "
    "screw shelf silver slate soap spoon stone straw table tile timber tin towel twine velvet walnut wicker willow wool"
).split()


class Ids:
    """Ids of every style, drawn from pools, so that some come again and most are rare."""

    def __init__(self, random):
        self.random = random
        self.categories = sorted({f"{random.choice(WORDS)}-and-{random.choice(WORDS)}" for _ in range(70)})

    def skewed(self, size):
        return int(size * self.random.random() ** 2)

    def hexadecimal(self, length):
        return f"{self.random.getrandbits(length * 4):0{length}x}"

    def uuid(self):
        h = self.hexadecimal(32)
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def mixed(self):
        return "ORD-" + "".join(self.random.choice("23456789ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(8))

    def date(self):
        return f"2026-{self.random.randint(1, 12):02}-{self.random.randint(1, 28):02}"

    def slug(self):
        r = self.random
        return f"{r.choice(WORDS)}-{r.choice(WORDS)}-{1000 + self.skewed(6000)}"

    def target(self, endpoint):
        """A request target for an endpoint."""
        r = self.random
        path = ENDPOINTS[endpoint].split(" ", 1)[1]
        if "{" in path:
            value = (
                r.choice(self.categories) if endpoint == "category"
                else str(100 + self.skewed(5000)) if "{id}" in path
                else self.uuid() if "{uuid}" in path
                else self.hexadecimal(40) if "{hash}" in path
                else self.hexadecimal(12) if "{hex}" in path
                else self.date() if "{date}" in path
                else self.mixed() if "{mixed}" in path
                else self.slug()
            )
            head, rest = path.split("{", 1)
            path = head + value + rest.split("}", 1)[1]
        if endpoint in ("search", "suggest"):
            path += f"?q={r.choice(WORDS)}"
        return path
