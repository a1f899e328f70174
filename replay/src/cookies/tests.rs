use super::*;

const NOW: i64 = 1_800_000_000;

fn at(path: &'static str) -> Place<'static> {
    Place { recorded: "www.shop.example", target: "127.0.0.1", path, secure: false }
}

fn sent(jar: &Jar, place: Place<'_>) -> String {
    let pairs: Vec<String> =
        jar.matching(place, NOW).iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}

#[test]
fn paths_decide_and_longer_ones_come_first() {
    let mut jar = Jar::default();
    jar.set("a=1; Path=/", at("/x/y"), NOW);
    jar.set("b=2", at("/x/y"), NOW);
    jar.set("c=3; Path=/x/y/", at("/"), NOW);
    assert_eq!(sent(&jar, at("/x/y/z")), "c=3; b=2; a=1");
    assert_eq!(sent(&jar, at("/x")), "b=2; a=1");
    assert_eq!(sent(&jar, at("/xy")), "a=1");
    assert_eq!(default_path("/"), "/");
    assert_eq!(default_path("/a/b"), "/a");
}

#[test]
fn hosts_decide() {
    let mut jar = Jar::default();
    jar.set("own=1", at("/"), NOW);
    jar.set("all=2; Domain=.Shop.example", at("/"), NOW);
    jar.set("evil=3; Domain=other.example", at("/"), NOW);
    jar.set("tld=4; Domain=example", at("/"), NOW);
    jar.set("target=5; Domain=127.0.0.1", at("/"), NOW);
    let other = |host| Place { recorded: host, ..at("/") };
    assert_eq!(sent(&jar, at("/")), "own=1; all=2; target=5");
    assert_eq!(sent(&jar, other("api.shop.example")), "all=2");
    assert_eq!(sent(&jar, other("shop.example")), "all=2");
    assert_eq!(sent(&jar, other("workshop.example")), "");
}

#[test]
fn time_decides() {
    let mut jar = Jar::default();
    jar.set("a=1; Max-Age=10", at("/"), NOW);
    jar.set("b=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT", at("/"), NOW);
    jar.set("c=3; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5", at("/"), NOW);
    jar.set("d=4; Expires=Fri, 01 Jan 2100 00:00:00 GMT", at("/"), NOW);
    jar.set("e=5; Max-Age=soon", at("/"), NOW);
    assert_eq!(sent(&jar, at("/")), "a=1; c=3; d=4; e=5");
    assert_eq!(jar.matching(at("/"), NOW + 10).len(), 2);
    jar.set("d=; Max-Age=0", at("/"), NOW);
    jar.set("a=7", at("/"), NOW);
    assert_eq!(sent(&jar, at("/")), "a=7; c=3; e=5", "replaced in its place, deleted");
}

#[test]
fn secure_and_what_is_no_cookie() {
    let mut jar = Jar::default();
    for field in ["=x", "novalue", "", ";", "a\u{1}=b"] {
        jar.set(field, at("/"), NOW);
    }
    assert!(jar.is_empty());
    jar.set("s=1; secure; HttpOnly; SameSite=Lax", at("/"), NOW);
    assert_eq!(sent(&jar, at("/")), "");
    assert_eq!(sent(&jar, Place { secure: true, ..at("/") }), "s=1");
    for number in 0..LIMIT + 5 {
        jar.set(&format!("n{number}=x"), at("/"), NOW);
    }
    assert_eq!(jar.cookies.len(), LIMIT);
    // The oldest have gone, wherever they stand.
    jar.set("deep=1; Path=/a/b", at("/a/b"), NOW);
    let names = |jar: &Jar| -> Vec<String> {
        jar.matching(at("/a/b"), NOW).into_iter().map(|(name, _)| name.to_owned()).collect()
    };
    assert_eq!(names(&jar)[..2], ["deep", "n6"]);
    jar.set("deeper=1; Path=/a/b", at("/a/b"), NOW);
    assert_eq!(names(&jar)[..3], ["deep", "deeper", "n7"]);
}

proptest::proptest! {
    #[test]
    fn no_field_breaks_the_jar(fields in proptest::collection::vec("\\PC{0,40}|[a-z]=[a-z0-9];? ?(Expires|Max-Age|Domain|Path|Secure)?=?[ -~]{0,30}", 0..8)) {
        let mut jar = Jar::default();
        for field in &fields {
            jar.set(field, at("/a/b"), NOW);
        }
        for (name, value) in jar.matching(at("/a/b"), NOW) {
            // What is sent must not be able to begin another cookie or header line.
            proptest::prop_assert!(!name.contains([';', '\r', '\n', '=']) && !value.contains([';', '\r', '\n']));
        }
    }
}
