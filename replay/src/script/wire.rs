//! Requests and responses as scripts see them: objects with `method`, `path`, `headers` and `body`, and back to bytes.

use std::borrow::Cow;

use http::header::HeaderValue;
use http::{HeaderName, Method};
use mynah_message::{Head, Limits, decode_content};
use rquickjs::{Array, Ctx, Object, TypedArray, Value};

use super::engine::{shown, type_error};

/// Header fields by name in small letters, each with its values in their order.
type Fields<'a> = Vec<(String, Vec<Cow<'a, str>>)>;

fn fields<'a>(head: &Head<'a>) -> Fields<'a> {
    let mut all: Fields<'a> = Vec::new();
    // A line that is none has no name.
    for field in head.fields().filter(|field| !field.name.is_empty()) {
        let name = field.name.to_ascii_lowercase();
        let value = String::from_utf8_lossy(field.value);
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => all.push((name, vec![value])),
        }
    }
    all
}

/// Several lines of one name, as one text ([RFC 9110 §5.3](https://www.rfc-editor.org/rfc/rfc9110#section-5.3)).
fn joined<'v>(name: &str, values: &'v [Cow<'_, str>]) -> Cow<'v, str> {
    match values {
        [one] => Cow::Borrowed(one.as_ref()),
        _ => Cow::Owned(values.join(if name == "cookie" { "; " } else { ", " })),
    }
}

fn headers<'js>(ctx: &Ctx<'js>, head: &Head<'_>) -> rquickjs::Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    for (name, values) in fields(head) {
        // Each `Set-Cookie` is one: they cannot be joined.
        if name == "set-cookie" {
            let list: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            object.set(name.as_str(), list)?;
        } else {
            object.set(name.as_str(), joined(&name, &values).as_ref())?;
        }
    }
    Ok(object)
}

/// Text where it is text, else a `Uint8Array`.
fn body<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> rquickjs::Result<Value<'js>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(rquickjs::String::from_str(ctx.clone(), text)?.into_value()),
        Err(_) => Ok(TypedArray::<u8>::new_copy(ctx.clone(), bytes)?.into_value()),
    }
}

/// A request about to be sent.
pub(super) fn request<'js>(ctx: &Ctx<'js>, whole: &[u8]) -> rquickjs::Result<Object<'js>> {
    let head = parsed(ctx, whole)?;
    let object = Object::new(ctx.clone())?;
    object.set("method", head.method().unwrap_or_default())?;
    object.set("path", head.target().unwrap_or_default())?;
    object.set("headers", headers(ctx, &head)?)?;
    object.set("body", body(ctx, whole.get(head.len()..).unwrap_or(&[]))?)?;
    Ok(object)
}

/// An answer, its body decoded.
pub(super) fn response<'js>(ctx: &Ctx<'js>, head: &[u8], raw: &[u8]) -> rquickjs::Result<Object<'js>> {
    let head = parsed(ctx, head)?;
    let object = Object::new(ctx.clone())?;
    object.set("status", head.status().unwrap_or_default())?;
    object.set("headers", headers(ctx, &head)?)?;
    let decoded = decode_content(&head, raw, &Limits::default()).unwrap_or(Cow::Borrowed(raw));
    object.set("body", body(ctx, &decoded)?)?;
    Ok(object)
}

fn parsed<'a>(ctx: &Ctx<'_>, bytes: &'a [u8]) -> rquickjs::Result<Head<'a>> {
    Head::parse(bytes).map_err(|error| type_error(ctx, &format!("it cannot be given to a script: {error}")))
}

/// What became of a header.
enum Lines {
    Same,
    Gone,
    Other(Vec<String>),
}

/// The request that an object has become; `None`: it is as it was.
///
/// # Errors
/// A `TypeError` for what cannot be sent.
pub(super) fn changed(object: &Object<'_>, whole: &[u8]) -> rquickjs::Result<Option<Vec<u8>>> {
    let ctx = object.ctx();
    let wrong = |why: &str| type_error(ctx, why);
    let head = parsed(ctx, whole)?;
    let old_body = whole.get(head.len()..).unwrap_or(&[]);
    let text = |key: &str| -> rquickjs::Result<String> {
        let value: Value<'_> = object.get(key)?;
        shown(&value)?.ok_or_else(|| wrong(&format!("request.{key} is not there any more")))
    };
    let (method, path) = (text("method")?, text("path")?);
    if Method::from_bytes(method.as_bytes()).is_err() || method == "CONNECT" {
        return Err(wrong(&format!("request.method is '{method}', which cannot be sent")));
    }
    if !(path.starts_with('/') || path == "*") || path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(wrong(&format!(
            "request.path is '{path}'; expected a path that begins with / and has no space in it"
        )));
    }
    let given: Value<'_> = object.get("body")?;
    let new_body = bytes(&given)?;
    let same_body = new_body == old_body;
    let given: Value<'_> = object.get("headers")?;
    let given = given.into_object().ok_or_else(|| wrong("request.headers is no object"))?;
    let (mut new, mut lines) = (Vec::new(), Vec::new());
    let old = fields(&head);
    let mut seen = vec![false; old.len()];
    for (name, values) in &old {
        let value: Value<'_> = given.get(name.as_str())?;
        let values_now = listed(ctx, name, &value)?;
        lines.push(match values_now {
            None => Lines::Gone,
            Some(now) if now.len() == 1 && now[0] == joined(name, values) => Lines::Same,
            Some(now) if now.iter().eq(values.iter().map(AsRef::as_ref)) => Lines::Same,
            Some(now) => Lines::Other(now),
        });
    }
    for name in given.keys::<String>() {
        let name = name?;
        let small = name.to_ascii_lowercase();
        let value: Value<'_> = given.get(name.as_str())?;
        let at = old.iter().position(|(known, _)| *known == small);
        if name == small && at.is_some() {
            continue;
        }
        // Written with large letters it is a new value of the same header.
        let Some(now) = listed(ctx, &name, &value)? else { continue };
        match at.and_then(|at| lines.get_mut(at)) {
            Some(line) => *line = Lines::Other(now),
            None => new.push((name, now)),
        }
    }
    let same_head = Some(method.as_str()) == head.method()
        && Some(path.as_str()) == head.target()
        && new.is_empty()
        && lines.iter().all(|line| matches!(line, Lines::Same));
    if same_head && same_body {
        return Ok(None);
    }
    let mut out = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    let mut put = |name: &[u8], value: &[u8]| {
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    };
    for field in head.fields() {
        let Some(at) = old.iter().position(|(known, _)| field.is(known)) else { continue };
        // Framing follows the body.
        if !same_body && (field.is("content-length") || field.is("transfer-encoding")) {
            continue;
        }
        let first = !std::mem::replace(&mut seen[at], true);
        match &lines[at] {
            Lines::Same => put(field.name.as_bytes(), field.value),
            Lines::Other(values) if first => {
                for value in values {
                    put(field.name.as_bytes(), value.as_bytes());
                }
            }
            Lines::Other(_) | Lines::Gone => {}
        }
    }
    for (name, values) in &new {
        let framing =
            ["content-length", "transfer-encoding"].iter().any(|own| name.eq_ignore_ascii_case(own));
        if !framing {
            for value in values {
                put(name.as_bytes(), value.as_bytes());
            }
        }
    }
    let has_body = ["POST", "PUT", "PATCH"].contains(&method.as_str());
    if !same_body && (!new_body.is_empty() || has_body) {
        put(b"Content-Length", new_body.len().to_string().as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&new_body);
    Ok(Some(out))
}

/// The lines that a header's value stands for; `None`: it is taken away.
fn listed(ctx: &Ctx<'_>, name: &str, value: &Value<'_>) -> rquickjs::Result<Option<Vec<String>>> {
    let wrong = |what: &str| {
        type_error(
            ctx,
            &format!(
                "request.headers['{}']: the {what} holds a character that no header can",
                name.escape_debug()
            ),
        )
    };
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(wrong("name"));
    }
    let values = match value.as_array() {
        Some(list) => texts(list)?,
        None => match shown(value)? {
            Some(text) => vec![text],
            None => return Ok(None),
        },
    };
    if values.iter().any(|value| HeaderValue::from_bytes(value.as_bytes()).is_err()) {
        return Err(wrong("value"));
    }
    Ok(Some(values))
}

/// A list of texts; what is nothing is left out.
pub(super) fn texts(list: &Array<'_>) -> rquickjs::Result<Vec<String>> {
    let mut out = Vec::with_capacity(list.len());
    for value in list.iter::<Value<'_>>() {
        out.extend(shown(&value?)?);
    }
    Ok(out)
}

fn bytes(value: &Value<'_>) -> rquickjs::Result<Vec<u8>> {
    if value.is_null() || value.is_undefined() {
        return Ok(Vec::new());
    }
    if let Some(text) = value.as_string() {
        return text.to_string().map(String::into_bytes);
    }
    let object = value.as_object().filter(|object| object.is_typed_array::<u8>()).ok_or_else(|| {
        type_error(
            value.ctx(),
            "request.body must be text or a Uint8Array; JSON.stringify makes text of an object",
        )
    })?;
    (0..object.get::<_, u32>("length")?).map(|at| object.get::<_, u8>(at)).collect()
}
