//! `replay --sign`: what the server gets bears a signature that is right for it.

use crate::common::Place;
use crate::common::site::{Site, ok};

#[test]
fn webhooks_are_signed_anew_for_the_body_that_is_sent() {
    let place = Place::new();
    // printf '{"email":"a@b.example"}' | openssl dgst -sha256 -hmac swordfish
    const RIGHT: &str = "sha256=cb1142d2d788cc6b503c5aa0e44443660aabb953712897b556b400b9bd276bee";
    let site = Site::start(|_, _| ok());
    let url = site.url();
    place.write("secret", "swordfish\n");
    place.write(
        "hook.toml",
        r#"version = 1
name = "hooks"

[[profile]]
name = "github"
weight = 1

[[profile.step]]
request = "POST /hook"
headers = { X-Hub-Signature-256 = "sha256=00", Content-Type = "application/json" }
body = '{"email":"a@b.example"}'
"#,
    );
    let line = ["replay", "hook.toml", "--target", &url, "--once", "--trace"];
    place.mynah(&[&line[..], &["--sign", "github-webhook=secret"]].concat()).ok();
    assert_eq!(site.take()[0].field("x-hub-signature-256"), RIGHT);
    place.mynah(&line).ok();
    let plain = site.take();
    assert_eq!(plain[0].field("x-hub-signature-256"), "sha256=00", "without --sign it is sent as it stands");
    place
        .mynah(&[&line[..], &["--sign", "github-webhok=secret"]].concat())
        .exits(2)
        .says("did you mean github-webhook?");
    place.mynah(&[&line[..], &["--sign", "github-webhook=nothing"]].concat()).exits(2).says("nothing");
}
