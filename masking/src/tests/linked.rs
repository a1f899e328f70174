//! Where links end in texts.

use super::*;

#[test]
fn a_token_in_a_link_is_the_same_wherever_the_link_stands() {
    let token = "k3J9xQ2mLp0Zr8aB";
    let alone = body_of("text/plain", &format!("https://a.example/?token={token}"));
    let other = alone.strip_prefix("https://a.example/?token=").unwrap().to_owned();
    assert!(other != token && other.len() == token.len());
    for (media, text) in [
        ("text/csv", "id,link,n\n1,https://a.example/?token=X,2\n2,https://a.example/?token=X,3\n"),
        ("text/plain", "7;https://a.example/?token=X;2\n8;https://a.example/?token=X;3\n"),
        ("text/markdown", "see [the page](https://a.example/?token=X) or <https://a.example/?token=X>."),
        (
            "text/plain",
            "see https://a.example/?token=X. Or https://a.example/?token=X, or \"https://a.example/?token=X\"!",
        ),
        (
            "text/plain",
            "(https://a.example/?token=X)[https://a.example/?token=X]; https://a.example/?token=X;",
        ),
        ("text/plain", "is it https://a.example/?a=(b)&token=X? Yes: https://a.example/#token=X:"),
        ("text/css", "a{background:url(https://a.example/?token=X)}b{color:red}"),
        ("application/json", r#"{"a":"https://a.example/?token=X","b":"see https://a.example/?token=X."}"#),
    ] {
        assert_eq!(body_of(media, &text.replace('X', token)), text.replace('X', &other), "{media}");
    }
}
