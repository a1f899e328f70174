//! Operations: where one path stands for many, what is done is said in the query (`/index.php?action=show`) or in the body (GraphQL).

use mynah_message::{BodyKind, Head, Limits, Locator, Message, Target, View};

/// Query names whose value says what is done.
const NAMES: [&str; 12] = [
    "action",
    "_action",
    "method",
    "op",
    "operation",
    "operationName",
    "cmd",
    "command",
    "do",
    "func",
    "function",
    "rpc",
];
/// The name that GraphQL's operations go by, [GraphQL over HTTP](https://graphql.github.io/graphql-over-http/draft/).
const GRAPHQL: &str = "operationName";
/// Longer values are no names.
const LONGEST: usize = 64;
/// Longer bodies are not opened for a name.
const BODY: usize = 1 << 20;

/// What tells the operation of a request, and the operation: `("action", "show")`, `("operationName", "AddToCart")`.
///
/// A GraphQL request that has no `operationName` goes by the name in its query, a batch by its first.
pub fn operation(request: &Message) -> Option<(&'static str, String)> {
    let head = Head::parse(&request.head).ok()?;
    let target = Target::parse(head.target()?);
    let by_query = target.query_pairs().find_map(|pair| {
        let name = NAMES.iter().find(|name| pair.name_text() == **name)?;
        let value = std::str::from_utf8(&pair.value).ok().filter(|value| is_name(value))?;
        Some((*name, value.to_owned()))
    });
    by_query.or_else(|| Some((GRAPHQL, graphql(request, &head, &target)?)))
}

/// A word that names something, no value of its own.
fn is_name(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    value.len() <= LONGEST
        && digits * 4 <= value.len()
        && value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
}

fn graphql(request: &Message, head: &Head<'_>, target: &Target<'_>) -> Option<String> {
    let last = target.path.trim_end_matches('/').rsplit('/').next()?.to_ascii_lowercase();
    let json = head.content_type().is_some_and(|media| media.kind == BodyKind::Json);
    if !json || !(1..=BODY).contains(&request.body.len()) || !(last.contains("graphql") || last == "gql") {
        return None;
    }
    let view = View::open(request, &Limits::default()).ok()?;
    let text = |path: &str| -> Option<String> {
        let at: Locator = path.parse().ok()?;
        view.extract(&at)
    };
    let named = text("json:$.operationName").or_else(|| text("json:$[0].operationName"));
    let named = named.filter(|name| is_name(name));
    named.or_else(|| declared(&text("json:$.query").or_else(|| text("json:$[0].query"))?))
}

/// The name in `mutation AddToCart($id: ID!) { … }`; of one without a name the first field, `{ cart { … } }`.
fn declared(query: &str) -> Option<String> {
    let mut words =
        query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let first = words.next()?;
    let named = match first {
        "query" | "mutation" | "subscription" => words.next()?,
        field => field,
    };
    is_name(named).then(|| named.to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn operations() {
        for (line, body, wanted) in [
            ("GET /index.php?action=show&id=7", "", Some("action=show")),
            ("GET /rpc?method=cart.add", "", Some("method=cart.add")),
            ("GET /pay?method=4711", "", None),
            ("GET /search?q=action", "", None),
            ("GET /do?op=d41d8cd98f00b204e9800998ecf8427e", "", None),
            (
                "POST /graphql",
                "{\"operationName\":\"AddToCart\",\"query\":\"mutation X{a}\"}",
                Some("operationName=AddToCart"),
            ),
            ("POST /api/graphql", "{\"query\":\"mutation Pay($a: ID!) { pay }\"}", Some("operationName=Pay")),
            ("POST /graphql", "{\"query\":\"{ cart { id } }\"}", Some("operationName=cart")),
            (
                "POST /graphql",
                "[{\"operationName\":\"One\"},{\"operationName\":\"Two\"}]",
                Some("operationName=One"),
            ),
            ("POST /graphql", "{\"query\":7}", None),
            ("POST /graphql", "{", None),
            ("POST /items", "{\"operationName\":\"AddToCart\"}", None),
        ] {
            let request = Message {
                head: Bytes::from(format!(
                    "{line} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                )),
                body: Bytes::copy_from_slice(body.as_bytes()),
                trailers: Bytes::new(),
            };
            let found = operation(&request).map(|(name, value)| format!("{name}={value}"));
            assert_eq!(found.as_deref(), wanted, "{line} {body}");
        }
    }
}
