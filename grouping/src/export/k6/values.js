// Where values are found in responses: each gives all that there are, in order.
const ANY = "*any*";

const form = (pairs) =>
  pairs.map((pair) => pair.map((text) => encodeURIComponent(text).replace(/%20/g, "+")).join("=")).join("&");

const inPath = (value) => encodeURIComponent(value);

const inQuery = (value) => encodeURIComponent(value).replace(/%20/g, "+");

const inMarkup = (value) =>
  value.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;").replace(/'/g, "&#39;");

// A value as it stands between the quotes of a JSON string.
const inJson = (value) => JSON.stringify(value).slice(1, -1);

// A number as it is, anything else as a JSON string.
const asJson = (value) =>
  /^(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false|null)$/.test(value) ? value : JSON.stringify(value);

const textOf = (response) => response.body || "";

function headerValues(response, name) {
  const key = Object.keys(response.headers).find((each) => each.toLowerCase() === name.toLowerCase());
  return key === undefined ? [] : [response.headers[key]];
}

const cookieValues = (response, name) => ((response.cookies || {})[name] || []).map((cookie) => cookie.value);

function jsonValues(response, path, document = 0) {
  // Numbers keep their digits: those that a script cannot hold become strings.
  const exact = (text) =>
    text.replace(/("(?:[^"\\]|\\.)*")|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (all, string) => string || `"${all}"`);
  const parse = (text) => {
    try {
      return [JSON.parse(exact(text))];
    } catch (error) {
      return [];
    }
  };
  const whole = parse(textOf(response));
  const documents = whole.length > 0 ? whole : textOf(response).split("\n").flatMap(parse);
  let found = document === ANY ? documents : documents.slice(document, document + 1);
  for (const step of path) {
    found = found.flatMap((value) => {
      if (Array.isArray(value)) return step === ANY ? value : typeof step === "number" ? value.slice(step, step + 1) : [];
      const has = value !== null && typeof value === "object" && Object.prototype.hasOwnProperty.call(value, step);
      return has ? [value[step]] : [];
    });
  }
  return found.filter((value) => value === null || typeof value !== "object").map(String);
}

// Elements of a page, in order.
function elements(response, selector) {
  const found = [];
  if (textOf(response) !== "") response.html().find(selector).each((_, element) => found.push(element));
  return found;
}

const attribute = (element, name) => (element.attributes()[name] || {}).value;

// Values of a form's controls of that name.
function controlValues(response, name) {
  return elements(response, "input,button,textarea,select")
    .filter((element) => attribute(element, "name") === name)
    .flatMap((element) => {
      const kind = element.nodeName().toLowerCase();
      if (kind === "textarea") return [element.textContent()];
      if (kind !== "select") return attribute(element, "value") === undefined ? [] : [attribute(element, "value")];
      const options = element.children();
      const chosen = options.find((option) => attribute(option, "selected") !== undefined) || options[0];
      return chosen ? [attribute(chosen, "value") || chosen.textContent()] : [];
    });
}

function metaValues(response, name) {
  return elements(response, "meta")
    .filter((element) => ["name", "property", "itemprop"].some((key) => attribute(element, key) === name))
    .map((element) => attribute(element, "content") || "");
}

function attributeValues(response, tag, name) {
  return elements(response, "*")
    .filter((element) => element.nodeName().toLowerCase() === tag)
    .map((element) => attribute(element, name))
    .filter((value) => value !== undefined);
}

function textValues(response, tag) {
  const found = [];
  for (const [, name, text] of textOf(response).matchAll(/<(\/?[a-zA-Z][^\s>\/]*)[^>]*>([^<]*)/g)) {
    if (name.toLowerCase() === tag && text.trim() !== "") found.push(parseHTML(text).text().trim());
  }
  return found;
}

function urlValue(url, pattern, query) {
  const match = new RegExp(pattern).exec((url || "").trim());
  if (match === null) return [];
  const text = query ? match[1].replace(/\+/g, " ") : match[1];
  try {
    return [decodeURIComponent(text)];
  } catch (error) {
    return [text];
  }
}

function linkValues(response, pattern, query = false) {
  return elements(response, "[href],[src],[action],[formaction]").flatMap((element) =>
    ["href", "src", "action", "formaction"].flatMap((key) => urlValue(attribute(element, key), pattern, query)),
  );
}

const locationValues = (response, pattern, query = false) =>
  ["Location", "Content-Location"].flatMap((name) =>
    headerValues(response, name).flatMap((url) => urlValue(url, pattern, query)),
  );

function scriptValues(response, pattern) {
  const page = textOf(response).trimStart().startsWith("<");
  const text = page ? elements(response, "script").map((element) => element.textContent()).join("\n") : textOf(response);
  return Array.from(text.matchAll(new RegExp(pattern, "g")), (match) =>
    match
      .slice(1)
      .find((group) => group !== undefined)
      .replace(/\\u([0-9a-fA-F]{4})|\\(.)/g, (_, code, other) => (code ? String.fromCharCode(parseInt(code, 16)) : other)),
  );
}

function xmlValues(response, path) {
  const found = [];
  const names = [];
  const plain = (text) => parseHTML(text).text();
  const tokens = /<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([^\s\/>!?][^\s\/>]*)([^>]*?)(\/?)>|([^<]+)/g;
  for (const [, cdata, end, name, attributes, empty, text] of textOf(response).matchAll(tokens)) {
    if (name && !end) {
      names.push(name);
      for (const [, key, value] of attributes.matchAll(/([^\s=]+)\s*=\s*["']([^"']*)["']/g)) {
        if (path === "/" + names.concat("@" + key).join("/")) found.push(plain(value));
      }
    }
    if (end || empty) names.pop();
    const content = cdata !== undefined ? cdata : plain(text || "").trim();
    if (content !== "" && path === "/" + names.join("/")) found.push(content);
  }
  return found;
}
