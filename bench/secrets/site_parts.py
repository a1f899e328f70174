"""The sites that the traffic is of: a shop, a bank's API, HTML pages, GraphQL, uploads; and their harmless values, each with a label."""

import hashlib

import values
from pieces import CODINGS, Field, Message

WORDS = "blue garden kettle walnut lamp cotton shelf winter copper mug basket linen chair oak river stone glass paper travel quiet morning".split()
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "ShopApp/7.4.1 (iPhone; iOS 18.6)", "okhttp/4.12.0",
]


class Session:
    """What one client keeps: its session cookie, its tokens and who it is."""

    count = 0

    def __init__(self, rng):
        Session.count += 1
        self.number = Session.count
        self.sid, self.csrf = values.opaque(rng), values.opaque(rng)
        self.agent = rng.choice(AGENTS)
        self.token, self.email, self.name, self.phone = values.make("bearer", rng), values.email(rng), values.full_name(rng), values.phone(rng)
        self.client = f"{rng.randint(1024, 65535):04x}0000{rng.randrange(0x0B000000, 0xDF000000):08x}"  # port and IPv4 address, as GoReplay's ids have them


# Harmless values: label -> maker.


def slug(rng):
    return "-".join(rng.sample(WORDS, rng.randint(2, 4)))


def title(rng):
    return " ".join(rng.sample(WORDS, rng.randint(2, 3))).capitalize()


def ean(rng):
    body = "40" + values.digits(rng, 10)
    return body + str(-sum(int(d) * (1 + 2 * (i % 2)) for i, d in enumerate(body)) % 10)


HARMLESS = {
    "resource id": lambda rng: str(rng.randint(1000, 9_999_999)),
    "resource uuid": values.uuid,
    "order number": lambda rng: f"ORD-2026-{rng.randint(10000, 99999)}",
    "slug": slug,
    "product name": title,
    "word": lambda rng: rng.choice(["active", "pending", "shipped", "standard", "medium", "cotton", "visa"]),
    "price": lambda rng: f"{rng.randint(1, 400)}.{rng.randint(0, 99):02d}",
    "amount in cents": lambda rng: str(rng.randint(100, 99_999_99)),
    "date": lambda rng: f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
    "timestamp": lambda rng: f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:07Z",
    "unix ms": lambda rng: str(1_760_000_000_000 + rng.randrange(10**10)),
    "unix us": lambda rng: str(1_760_000_000_000_000 + rng.randrange(10**13)),
    "sku": lambda rng: f"{rng.choice(['MUG', 'LMP', 'CHR'])}-{values.digits(rng, 4)}-{rng.choice(['BL', 'RD', 'GN'])}",
    "barcode": ean,
    "etag": lambda rng: rng.randbytes(10).hex(),
    "asset hash": lambda rng: rng.randbytes(rng.choice([4, 8])).hex(),
    "commit hash": lambda rng: rng.randbytes(20).hex(),
    "version": lambda rng: f"{rng.randint(1, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}",
    "trace id": lambda rng: rng.randbytes(16).hex(),
    "locale": lambda rng: rng.choice(["en-GB", "de-DE", "fr-FR"]),
    "colour": lambda rng: "#" + rng.randbytes(3).hex(),
    "count": lambda rng: str(rng.randint(0, 300)),
    "sentence": lambda rng: f"A {rng.choice(WORDS)} {rng.choice(WORDS)} for the {rng.choice(WORDS)}, with a key of {rng.choice(WORDS)} and a pin.",
    "cursor": lambda rng: f"p{rng.randint(1, 90)}_{rng.randint(100, 999)}",
    "rating": lambda rng: f"{rng.randint(1, 4)}.{rng.randint(0, 9)}",
    "coordinates of a shop": lambda rng: f"{rng.randint(40, 55)}.{values.digits(rng, 6)}",
}


def plain(label, rng):
    return Field(HARMLESS[label](rng), ("json",) if label != "colour" else ("raw",), label)


def text(label, rng):
    return [b'"', plain(label, rng), b'"']


def bare(label, rng):
    return [Field(HARMLESS[label](rng), kind=label)]


def secret(value, kind, chain=("raw",)):
    return Field(value, chain, kind, True)


# JSON.


def obj(*members):
    out = [b"{"]
    for key, value in members:
        out += [(b"," if len(out) > 1 else b"") + b'"' + key.encode() + b'":', *value]
    return [*out, b"}"]


def array(items):
    out = [b"["]
    for item in items:
        out += [*([b","] if len(out) > 1 else []), *item]
    return [*out, b"]"]


def item(rng):
    keys = [("id", bare("resource id", rng)), ("sku", text("sku", rng)), ("name", text("product name", rng)), ("slug", text("slug", rng)),
            ("price", bare("price", rng)), ("ean", text("barcode", rng)), ("color", text("colour", rng)), ("rating", bare("rating", rng)),
            ("created_at", text("timestamp", rng)), ("description", text("sentence", rng)), ("stock", bare("count", rng)),
            ("image", [b'"/img/', plain("asset hash", rng), b'.webp"'])]
    return obj(*rng.sample(keys, rng.randint(5, len(keys))))


def extras(rng):
    keys = [("order_id", text("resource uuid", rng)), ("order_number", text("order number", rng)), ("total_cents", bare("amount in cents", rng)),
            ("status", text("word", rng)), ("token_type", [b'"Bearer"']), ("expires_in", [b"3600"]), ("updated", bare("unix ms", rng)),
            ("seq", bare("unix us", rng)), ("trace_id", text("trace id", rng)), ("build", text("commit hash", rng)), ("api_version", text("version", rng)),
            ("locale", text("locale", rng)), ("delivery_date", text("date", rng)), ("next_cursor", text("cursor", rng)), ("card_brand", text("word", rng)),
            ("session_count", bare("count", rng)), ("lat", bare("coordinates of a shop", rng)), ("key", text("word", rng)), ("password_strength", [b'"strong"'])]
    return rng.sample(keys, rng.randint(3, 8))


NEUTRAL = ["state", "payload", "context", "prefs", "meta", "draft"]


def named(plant, rng):
    """The name that a plant's value stands under. A nested one tells inside; the name of what holds it says nothing."""
    if plant.encoding in ("json-in-string", "base64-json", "base64url-json", "jwt-claim"):
        return rng.choice(NEUTRAL)
    plant.name = rng.choice(values.CLASSES[plant.kind][2])
    return plant.name


def account(session):
    member = lambda value, kind: [b'"', secret(value, kind, ("json",)), b'"']
    return obj(("email", member(session.email, "email")), ("full_name", member(session.name, "name")), ("phone", member(session.phone, "phone")))


def json_body(planted, rng, laid, session=None):
    holder = [(named(p, rng), laid(p, rng, True)) for p in planted if p.place != "json-array"]
    listed = [p for p in planted if p.place == "json-array"]
    rng.shuffle(holder)
    customer = obj(("id", bare("resource id", rng)), *holder, ("tier", text("word", rng)))
    history = array([obj(("at", text("timestamp", rng)), (named(p, rng), array([laid(p, rng, True)]) if rng.random() < 0.4 else laid(p, rng, True))) for p in listed]
                    or [obj(("at", text("timestamp", rng)), ("state", text("word", rng)))])
    who = [("account", account(session))] if session and rng.random() < 0.3 else []
    return obj(*extras(rng), *who, ("customer", customer), ("history", history), ("items", array([item(rng) for _ in range(rng.randint(1, 3))])))


# Pages.


def page_body(planted, session, rng, laid):
    by = {}
    for plant in planted:
        by.setdefault(plant.place, []).append(plant)
    out = [b'<!doctype html>\n<html lang="en"><head><title>', *bare("product name", rng), b'</title>\n<link rel="stylesheet" href="/assets/app.',
           *bare("asset hash", rng), b'.css">\n<meta name="csrf-token" content="', secret(session.csrf, "csrf", ("html",)), b'">\n']
    for p in by.get("meta-tag", []):
        out += [b'<meta name="' + named(p, rng).encode() + b'" content="', *laid(p, rng), b'">\n']
    out += [b'<script>window.__STATE__ = ', *obj(*extras(rng), *[(named(p, rng), laid(p, rng, True)) for p in by.get("script", [])]), b";\n"]
    for p in by.get("script-call", []):
        out += [b'analytics.identify("', *laid(p, rng), b'", ', *bare("count", rng), b");\n"]
    out += [b"</script></head><body>\n<h1>", *bare("product name", rng), b'</h1><p class="lead">', *bare("sentence", rng), b"</p>\n"]
    for p in by.get("page-text", []):
        out += [b"<p>On file for this account: <b>", *laid(p, rng), b"</b></p>\n"]
    for p in by.get("data-attribute", []):
        out += [b'<div class="card" data-id="', *bare("resource id", rng), b'" data-' + named(p, rng).lower().replace("_", "-").encode() + b'="', *laid(p, rng), b'"></div>\n']
    for p in by.get("link", []):
        out += [b'<a href="/go/', *bare("slug", rng), b"?ref=mail&amp;" + named(p, rng).encode() + b"=", *laid(p, rng), b'">Continue</a>\n']
    for _ in range(rng.randint(1, 4)):
        out += [b'<li><a href="/items/', *bare("slug", rng), b'">', *bare("product name", rng), b'</a> <span class="price">', *bare("price", rng), b"</span></li>\n"]
    out += [b'<form action="/account" method="post"><input type="hidden" name="csrf_token" value="', secret(session.csrf, "csrf", ("html",)), b'">\n']
    for p in by.get("hidden-input", []):
        out += [b'<input type="hidden" name="' + named(p, rng).encode() + b'" value="', *laid(p, rng), b'">\n']
    return [*out, b'<input name="quantity" value="', *bare("count", rng), b'"><button>Save</button></form>\n<a href="/password/forgot">Forgot your password?</a>\n</body></html>\n']


def xml_body(planted, rng, laid):
    out = [b'<?xml version="1.0" encoding="utf-8"?>\n<Envelope><Body><Order id="', *bare("resource id", rng), b'">']
    for p in planted:
        name = named(p, rng).replace(".", "_").encode()
        if p.place == "xml-attribute":
            out += [b'<Party kind="buyer" ' + name + b'="', *laid(p, rng), b'"/>']
        else:
            out += [b"<" + name + b">", *laid(p, rng), b"</" + name + b">"]
    return [*out, b"<Sku>", *bare("sku", rng), b"</Sku><Total currency=\"EUR\">", *bare("price", rng), b"</Total><Due>", *bare("date", rng), b"</Due></Order></Body></Envelope>"]


def form_body(planted, session, rng, laid):
    out = [b"csrf_token=", secret(session.csrf, "csrf", ("pct",))]
    for p in planted:
        out += [b"&" + named(p, rng).encode() + b"=", *laid(p, rng)]
    return [*out, b"&item_id=", *bare("resource id", rng), b"&quantity=", *bare("count", rng), b"&slug=", *bare("slug", rng)]


def multipart_body(planted, rng, laid, boundary):
    out = []
    for p in planted:
        out.append(b"--" + boundary + b"\r\n")
        if p.place == "multipart-file":
            out += [b'Content-Disposition: form-data; name="upload"; filename="profile.json"\r\nContent-Type: application/json\r\n\r\n',
                    *obj(("id", bare("resource id", rng)), (named(p, rng), laid(p, rng, True)), ("status", text("word", rng))), b"\r\n"]
        else:
            out += [b'Content-Disposition: form-data; name="' + named(p, rng).encode() + b'"\r\n\r\n', *laid(p, rng), b"\r\n"]
    return [*out, b"--" + boundary + b'\r\nContent-Disposition: form-data; name="album"\r\n\r\n', *bare("slug", rng),
            b"\r\n--" + boundary + b"--\r\n"]


def graphql_body(planted, rng, laid):
    variables = obj(("itemId", text("resource id", rng)), ("first", bare("count", rng)), *[(named(p, rng), laid(p, rng, True)) for p in planted])
    query = b'"mutation Update($itemId: ID!, $first: Int) { update(id: $itemId, first: $first) { id name price } }"'
    return obj(("operationName", [b'"Update"']), ("query", [query]), ("variables", variables))


# Exchanges.

HOSTS = {"api-get": "api.bank.example", "api-post": "api.bank.example", "form": "www.shop.example", "page": "www.shop.example",
         "graphql": "graph.shop.example", "upload": "files.shop.example", "soap": "ws.bank.example", "plain": "www.shop.example"}


def target(kind, planted, rng, laid):
    path = {"api-get": [b"/v1/accounts/", *bare("resource id", rng), b"/orders/", *bare("resource uuid", rng)], "api-post": [b"/v1/orders/", *bare("resource id", rng)],
            "form": [b"/account/save"], "page": [b"/items/", *bare("slug", rng)], "graphql": [b"/graphql"], "upload": [b"/upload/", *bare("resource id", rng)],
            "soap": [b"/services/orders"], "plain": [b"/notes/", *bare("resource id", rng), b".txt"]}[kind]
    for p in planted:
        if p.place == "path":
            path = [b"/v1/lookup/", *laid(p, rng), b"/details"]
    query = [b"?page=", *bare("count", rng), b"&sort=", *bare("word", rng), b"&v=", *bare("asset hash", rng)]
    for p in planted:
        if p.place == "query":
            query += [b"&" + named(p, rng).encode() + b"=", *laid(p, rng)]
    return [*path, *query]


def header_name(plant, rng):
    if plant.kind in ("bearer", "jwt") and plant.encoding == "raw" or plant.encoding == "jwt-claim":
        return "Authorization", [b"Bearer "]
    if plant.encoding == "base64-json":
        return "X-User-Context", []
    if plant.kind == "entropy":
        return "X-Blob", []
    name = named(plant, rng).replace("_", "-").replace(".", "-")
    return "-".join(w.capitalize() for w in (name if name.lower().startswith("x-") else "x-" + name).split("-")), []


def exchange(session, step, kind, coding, chunks, planted, rng, laid):
    at = {}
    for plant in planted:
        at.setdefault(plant.place, []).append(plant)
    got = lambda *places: [p for p in planted if p.place in places]
    method = {"api-get": b"GET ", "page": b"GET ", "plain": b"GET "}.get(kind, b"POST ")
    headers = [("Host", [HOSTS[kind].encode()]), ("User-Agent", [session.agent.encode()]), ("Accept-Language", bare("locale", rng)), ("X-Request-Id", bare("trace id", rng))]
    for p in at.get("header", []):
        name, prefix = header_name(p, rng)
        headers.append((name, [*prefix, *laid(p, rng)]))
    if kind.startswith("api") and not any(name == "Authorization" for name, _ in headers):
        headers.append(("Authorization", [b"Bearer ", secret(session.token, "bearer")]))
    cookies = [b"lang=", *bare("locale", rng), b"; sessionid=", secret(session.sid, "session")]
    for p in at.get("cookie", []):
        cookies += [b"; " + named(p, rng).encode() + b"=", *laid(p, rng)]
    headers.append(("Cookie", [*cookies, b"; theme=", *bare("word", rng)]))

    body, answer, status = None, None, b"200 OK"
    back = [("Date", [b"Fri, 10 Oct 2026 10:00:00 GMT"]), ("ETag", [b'"', *bare("etag", rng), b'"']), ("Cache-Control", [b"private, max-age=0"])]
    if step == 0:
        back.append(("Set-Cookie", [b"sessionid=", secret(session.sid, "session"), b"; Path=/; HttpOnly"]))
    for p in at.get("set-cookie", []):
        back.append(("Set-Cookie", [named(p, rng).encode() + b"=", *laid(p, rng), b"; Path=/; Secure"]))
    kinds = {"json": ("Content-Type", [b"application/json"]), "html": ("Content-Type", [b"text/html; charset=utf-8"]), "xml": ("Content-Type", [b"application/xml"])}
    if kind in ("api-get", "api-post"):
        if kind == "api-post":
            headers.append(kinds["json"])
            body = json_body(got("json-request"), rng, laid)
        back.append(kinds["json"])
        answer = json_body(got("json-response", "json-array"), rng, laid, session)
    elif kind == "form":
        headers.append(("Content-Type", [b"application/x-www-form-urlencoded"]))
        body = form_body(got("form"), session, rng, laid)
        where = [b"https://www.shop.example/account/", *bare("slug", rng), b"?saved=1"]
        for p in got("location"):
            where += [b"&" + named(p, rng).encode() + b"=", *laid(p, rng)]
        back.append(("Location", where))
        status, answer = b"303 See Other", []
    elif kind == "page":
        back.append(kinds["html"])
        answer = page_body(planted, session, rng, laid)
    elif kind == "plain":
        back.append(("Content-Type", [b"text/plain; charset=utf-8"]))
        answer = [b"Note ", *bare("resource id", rng), b"\n"]
        for p in planted:
            answer += [b"Please write down: ", *laid(p, rng), b"\n"]
        answer += [*bare("sentence", rng), b"\n"]
    elif kind == "graphql":
        headers.append(kinds["json"])
        body = graphql_body(got("graphql-variable"), rng, laid)
        back.append(kinds["json"])
        answer = obj(("data", obj(("update", obj(("id", bare("resource id", rng)), ("name", text("product name", rng)))), ("viewer", obj(("tier", text("word", rng)), *[(named(p, rng), laid(p, rng, True)) for p in got("graphql-response")])))))
    elif kind == "soap":
        headers.append(kinds["xml"])
        body = xml_body(got("xml-element", "xml-attribute"), rng, laid)
        back.append(kinds["xml"])
        answer = xml_body([], rng, laid)
    else:
        boundary = b"----form" + hashlib.sha256(str(rng.random()).encode()).hexdigest()[:16].encode()
        headers.append(("Content-Type", [b"multipart/form-data; boundary=" + boundary]))
        body = multipart_body(got("multipart", "multipart-file"), rng, laid, boundary)
        back.append(kinds["json"])
        answer = obj(("id", text("resource uuid", rng)), ("etag", text("etag", rng)))

    on_request = any(p.place in ("json-request", "graphql-variable", "xml-element", "form") for p in planted if p.encoding in ("chunked", *CODINGS))
    request = Message([method, *target(kind, planted, rng, laid), b" HTTP/1.1"], headers, body, coding if on_request else None, chunks and on_request)
    on_answer = any(p.place not in ("json-request", "graphql-variable", "xml-element", "form") for p in planted if p.encoding in ("chunked", *CODINGS))
    response = Message([b"HTTP/1.1 " + status], back, answer, coding if on_answer else None, chunks and on_answer)
    return request, response
