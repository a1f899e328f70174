//! What pages and texts say in odd places.

use super::*;

#[test]
fn what_is_typed_unseen_is_a_password_whatever_its_name() {
    for tag in [
        "<input type=\"password\" value=\"X\">",
        "<input value='X' name=field7 TYPE=password>",
        "<input id=a type = 'password' name=\"f\" value=X>",
    ] {
        let page = format!("<form><b>a</b>{tag}<input type=\"text\" value=\"open sesame 7\"></form>");
        let masked = body_of("text/html", &page.replace('X', "correct7horse"));
        assert!(!masked.contains("correct7horse") && masked.contains("open sesame 7"), "{masked}");
    }
    let page = r#"<input name="a" data-type="password" value="open sesame 7"><p>type=password</p><b title="x">y</b>"#;
    assert_eq!(body_of("text/html", page), page);
}

#[test]
fn scripts_in_attributes_are_read_as_scripts() {
    let page = "<ul>X<li><a onclick=\"login('u', {password: 'correct7horse', page: 'seven'})\">a</a></li>\
        <li><a onclick=\"show('u', {password: &quot;correct8horse&quot;, page: 3})\">a</a></li></ul>";
    // What is read again goes by what was read before.
    let page = page.replace('X', &"<li><a onclick=\"open({page: 'seven'})\">a</a></li>".repeat(5));
    let masked = body_of("text/html", &page);
    assert!(!masked.contains("correct7horse") && !masked.contains("correct8horse"), "{masked}");
    assert!(
        masked.contains("page: 'seven'})\">a</a></li></ul>") || masked.contains("', page: 'seven'})"),
        "{masked}"
    );
    assert_eq!(masked.len(), page.len());
}

#[test]
fn escapes_of_scripts_are_undone_in_texts() {
    for text in [
        r#"10.0 "POST /a" "{\x22password\x22:\x22correct7horse\x22,\x22page\x22:3}" 200"#,
        r"said {\u{22}password\u{22}:\u{22}correct7horse\u{22}} then",
        r"mail to ann.lee\x40customer-mail.com now",
        r"mail to ann.lee\u{40}customer-mail.com now",
    ] {
        let masked = body_of("text/plain", text);
        assert!(!masked.contains("correct7horse") && !masked.contains("customer-mail"), "{masked}");
    }
    let kept = r"C:\xampp\users\new and \x41 \u{42} stay";
    assert_eq!(body_of("text/plain", kept), kept);
}

#[test]
fn the_audit_sees_through_escapes_of_scripts() {
    let login = exchange(
        message("POST / HTTP/1.1\nContent-Type: application/json\n", r#"{"token":"k3J9xQ2mLp0Zr8/aB"}"#),
        message("HTTP/1.1 204 No Content\n", ""),
    );
    let (_, masker) = run(&[login]);
    for text in [r"at k3J9xQ2mLp0Zr8\x2faB.", r"at k3J9xQ2mLp0Zr8\u{2f}aB.", r"at \x6b3J9xQ2mLp0Zr8\/aB."] {
        let said = exchange(message("GET / HTTP/1.1\n", ""), message("HTTP/1.1 200 OK\n", text));
        assert!(audit(masker.auditor(), &[said]).is_err(), "{text}");
    }
}
