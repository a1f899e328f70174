

# Where values are found in responses: each gives all that there are, in order.

ANY = object()


def text_of(response):
    return (response.content or b"").decode("utf-8", "replace")


def in_json(value):
    """A value as it stands between the quotes of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def as_json(value):
    """A number as it is, anything else as a JSON string."""
    plain = re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false|null", value)
    return value if plain else json.dumps(value, ensure_ascii=False)


def header_values(response, name):
    value = response.headers.get(name) if response.headers else None
    return [] if value is None else [value]


def cookie_values(response, name):
    raw = getattr(response.raw, "headers", None)
    fields = raw.getlist("Set-Cookie") if raw is not None else []
    pairs = (field.split(";", 1)[0].partition("=") for field in fields)
    return [value.strip() for key, _, value in pairs if key.strip() == name]


def json_values(response, *path, document=0):
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    text, documents, at = text_of(response), [], 0
    try:
        while text[at:].strip():
            at += len(text[at:]) - len(text[at:].lstrip())
            value, at = decoder.raw_decode(text, at)
            documents.append(value)
    except ValueError:
        pass
    found = documents if document is ANY else documents[document : document + 1]
    for step in path:
        deeper = []
        for value in found:
            if step is ANY:
                deeper += value if isinstance(value, list) else []
            elif isinstance(value, dict):
                deeper += [value[step]] if step in value else []
            elif isinstance(value, list) and isinstance(step, int):
                deeper += value[step : step + 1]
        found = deeper
    leaves = (value for value in found if not isinstance(value, (dict, list)))
    return [value if isinstance(value, str) else json.dumps(value) for value in leaves]


class Page(HTMLParser):
    """Tags of a page in order: name (with a slash before it at the end of an element), attributes, text behind it."""

    def __init__(self, text):
        super().__init__()
        self.tags = [["", {}, ""]]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append([tag, dict(reversed(attrs)), ""])

    def handle_endtag(self, tag):
        self.tags.append(["/" + tag, {}, ""])

    def handle_data(self, data):
        self.tags[-1][2] += data


def control_values(response, name):
    """Values of a form's controls of that name."""
    found, options = [], None
    for tag, attrs, text in Page(text_of(response)).tags:
        named = attrs.get("name") == name
        if tag in ("input", "button") and named and "value" in attrs:
            found.append(attrs["value"] or "")
        elif tag == "textarea" and named:
            found.append(text.removeprefix("\r").removeprefix("\n"))
        elif tag == "select":
            options = [] if named else None
        elif tag == "option" and options is not None:
            options.append(("selected" not in attrs, attrs.get("value") or text.strip()))
        elif tag == "/select" and options:
            found.append(min(options, key=lambda option: option[0])[1])
            options = None
    return found


def meta_values(response, name):
    keys = ("name", "property", "itemprop")
    tags = (attrs for tag, attrs, _ in Page(text_of(response)).tags if tag == "meta")
    return [attrs.get("content") or "" for attrs in tags if any(attrs.get(key) == name for key in keys)]


def attribute_values(response, tag, name):
    return [attrs[name] or "" for each, attrs, _ in Page(text_of(response)).tags if each == tag and name in attrs]


def text_values(response, tag):
    texts = (text.strip() for each, _, text in Page(text_of(response)).tags if each == tag)
    return [text for text in texts if text]


def url_value(url, pattern, query):
    match = re.search(pattern, (url or "").strip())
    return [] if match is None else [unquote_plus(match[1]) if query else unquote(match[1])]


def link_values(response, pattern, query=False):
    found = []
    for _, attrs, _ in Page(text_of(response)).tags:
        for key in ("href", "src", "action", "formaction"):
            found += url_value(attrs.get(key), pattern, query)
    return found


def location_values(response, pattern, query=False):
    fields = (response.headers or {}).get("Location"), (response.headers or {}).get("Content-Location")
    return [value for field in fields for value in url_value(field, pattern, query)]


def script_values(response, pattern):
    text = text_of(response)
    if text.lstrip().startswith("<"):
        text = "\n".join(text for tag, _, text in Page(text).tags if tag == "script")
    found = [next(group for group in match.groups() if group is not None) for match in re.finditer(pattern, text)]
    return [re.sub(r"\\u([0-9a-fA-F]{4})|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2], each) for each in found]


def xml_values(response, path):
    found, names = [], []
    for match in re.finditer(r"<!\[CDATA\[(.*?)\]\]>|<(/?)([^\s/>!?][^\s/>]*)([^>]*?)(/?)>|([^<]+)", text_of(response), re.S):
        cdata, end, name, attrs, empty, text = match.groups()
        if name and not end:
            names.append(name)
            for key, value in re.findall(r"([^\s=]+)\s*=\s*[\"']([^\"']*)[\"']", attrs):
                if path == "/" + "/".join([*names, "@" + key]):
                    found.append(html.unescape(value))
        if (end or empty) and names:
            names.pop()
        content = cdata if cdata is not None else html.unescape(text or "").strip()
        if content and path == "/" + "/".join(names):
            found.append(content)
    return found
