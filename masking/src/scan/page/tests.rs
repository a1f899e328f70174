//! What is known of a page before makes no difference to what is found in it.

use std::sync::Arc;

use mynah_message::{Limits, Message, Part};
use proptest::prelude::*;

use super::super::part::{Apart, Taken};
use super::super::settle::settle;
use super::super::{Sink, Unreadable};
use super::*;
use crate::kind::Kind;
use crate::learned::{Known, Learning};
use crate::masker::{Issued, State};
use crate::memo::Memo;
use crate::policy::Policy;
use crate::pseudonym::Pseudonyms;

/// Markup with a `$` where values stand.
const MARKUP: &[&str] = &[
    "<a class=\"card\" href=\"/items/$?ref=$&amp;pos=$\">$</a>\n",
    "<a href='https://cdn.shop.example/img/$.jpg#$' title='$'>",
    "<img class=\"q7Zt-41xWp-9sKd\" src=\"//host.example/$/$\" alt=\"$\" width=\"3\">",
    "<a href=\"/$?email=$&token=$\" class=\"x\">",
    "<a href=\"/$?a=$&copy=$&amp;&amp;b=$&amp;c\" rel=\"$\"> ",
    "<a href=\"?$&$=$\">",
    "<a href=\"/$//$/\">$</a>",
    "<a href=\"$\"><b>$</b></a>",
    "<a href=\"$\" data-user-name=\"$\">",
    "<a href=\"/$?a=$#$&b=$\" data-x=\"$\">",
    "<a href=\"/$ \" data-x=\"$\">",
    "<a href=\"/x?a=$ \" data-x=\"$\">",
    "<a href=\" /$ \" data-x=\"$\">",
    "<a href=/$/$ data-x=$>",
    "<p>$</p>\n  ",
    "<p class=\"lead\">\n $ \n</p>",
    "$",
    "<b>$<i>$</i></b><br/>",
    "<li data-email=\"$\" id=\"item-$\" DATA-Token='$'>$</li>",
    "<!-- $ --><hr>",
    "<!doctype $>",
    "<style>$</style>",
    "<title>$</title>",
    "<script>var token = \"$\", x = {id: 12, 'email': '$'};</script>\n",
    "<script>\n  // a comment that is long enough, of $ and more\n  f(a, b, c); var id = 1234567, pin = 123456789, s = '$', t = \"a\\\"$\"</script>",
    "<style>.a { color: red; } .b { background: none; } /* q7Zt-41xWp-9sKd */ .c { border: 1px }</style>$",
    "<script src=\"/$.js\" nonce=\"$\"></script>",
    "<meta name=\"csrf-token\" content=\"$\"><meta charset=\"$\">",
    "<input class=\"f\" name=\"password\" data-x=\"$\" value=\"$\" title=\"$\"> <span>$</span>",
    "<button type=\"button\" title=\"$\" name=\"b\" value=\"$\">$</button>",
    "<select name=\"email\"><option value=\"$\">$<option class=\"o\" data-y=\"$\" value='$' selected>$</select><u>$</u>",
    "<select name=\"s\"><option value><option value=\"$\" title=\"$\">$",
    "</select>",
    "<select name=\"email\"><p title=\"$\">",
    "<select name=\"password\">",
    "<option value=\"$\">$",
    "$<select name=\"password\">$<option value=\"$\">$</select>$",
    "<a href=\"/x?$&amp;$\" title=\"$\">",
    "<textarea name=\"note\">\n$</textarea>",
    "<p title=\"\" lang=\"$\" data-a=\"$\"data-b=\"$\" data-c = \"$\">",
    "<p title=\"$' alt='$>",
    "<p data-q='$\">",
    "< $ <3",
    "</p $>",
    "<iframe src=\"/$\">$</iframe>",
    "<p style=\"background: url(https://cdn.shop.example/a?token=k3J9xQ2mLp0Z)\" alt=\"$\">",
];

const VALUES: &[&str] = &[
    "",
    " ",
    "4711",
    "item-4711",
    "wireless mouse",
    "two &quot;best&quot; keys",
    "it&#39;s a &quot;k3J9xQ2mLp0Zr8wq&quot;",
    "ann.lee@mail.example",
    "ann.lee&#64;mail.example",
    "ann.lee%40mail.example",
    "Leslie Rossi",
    "4111111111111111",
    "k3J9xQ2mLp0Zr8wqTx71",
    "k3J9xQ2mLp0Z+r8wqTx71/a",
    "&euro;12.34",
    "caf&eacute;",
    "a&b",
    "a&amp;b",
    "&lt;",
    "%41",
    "a+b",
    "wireless+mouse",
    "mailto:ann.lee@mail.example",
    "password=Zq81aWTx7pw",
    "\n it&#39;s 5",
    "1 < ann.lee@mail.example",
    "see Zq81&#x61;WTx7pw",
    "Zq81aWTx7pw",
    "a=b",
    "x/y",
    "a?b#c",
    "YW5uLmxlZUBtYWlsLmV4YW1wbGU=",
    "+44 20 7946 0123",
    "https://shop.example/reset?token=k3J9xQ2mLp0Z",
    "{\"password\":\"Zq81aWTx7pw\"}",
    "1 < 2 > 0",
    "9f86d081884c7d659a2feaa0c55ad015",
    "9f86d081884c7d659a2f.jpg",
    "bearer abcdefgh",
    "\"",
    "'",
    "line\nbreak  ",
];

/// A page of such markup over and over, with these values in turn.
fn page(markup: &[usize], values: &[usize], times: usize) -> String {
    let mut values = values.iter().cycle().filter_map(|value| VALUES.get(value % VALUES.len()));
    let mut page = String::from("<!doctype html><html>");
    let markup = || markup.iter().filter_map(|markup| MARKUP.get(markup % MARKUP.len()));
    for piece in (0..times).flat_map(|_| markup()).flat_map(|markup| markup.split_inclusive('$')) {
        match piece.strip_suffix('$') {
            Some(piece) => page.extend([piece, values.next().unwrap_or(&"")]),
            None => page.push_str(piece),
        }
    }
    page
}

fn message(page: &str) -> Message {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
    Message { head: head.into(), body: page.to_owned().into(), ..Message::default() }
}

/// What was found: changes, where to look again, and how much was met.
type Found = (String, Option<Vec<String>>, u64);

fn told(plan: Vec<Planned>, steps: Option<Vec<Step>>, met: u64) -> Found {
    let listed = |steps: Vec<Step>| {
        let mut steps: Vec<_> = steps.iter().map(|s| (s.span().start, format!("{s:?}"))).collect();
        steps.sort();
        steps.into_iter().map(|(_, step)| step).collect()
    };
    (format!("{:?}", settle(plan)), steps.map(listed), met)
}

/// Leaf by leaf, and by what is remembered.
fn both(view: &View<'_>, sink: &mut dyn Sink, memo: &mut Memo, fast: bool) -> Result<Found, Unreadable> {
    let policy = Policy::built_in();
    let mut scanner = Scanner::new(&policy, sink, memo);
    scanner.answers = true;
    let matches = scanner.sink.matches(view.body());
    let found = if fast {
        let (plan, steps) = scanner.page(view, &matches, Notes::new(true));
        told(plan, steps, scanner.met)
    } else {
        match scanner.apart(view, Part::Body, &matches, Notes::new(true))? {
            Taken::Apart(Apart { plan, steps, .. }) => told(plan, steps, scanner.met),
            Taken::Archive(_) => return Err(Unreadable("archive")),
        }
    };
    scanner.within_limits()?;
    Ok(found)
}

fn state(known: Known) -> State {
    State::new(known, Pseudonyms::new(&crate::Key::from([7; 32])), Arc::default(), Issued::default())
}

/// Reads these pages one behind the other and compares.
fn check(pages: &[String]) -> Result<(), TestCaseError> {
    let mut all = Learning::default();
    let mut memo = Memo::default();
    for page in pages {
        let message = message(page);
        let view = View::open(&message, &Limits::default()).unwrap();
        let (mut learning, mut other) = (Learning::default(), Learning::default());
        let found = both(&view, &mut learning, &mut memo, true);
        prop_assert_eq!(found, both(&view, &mut other, &mut Memo::default(), false), "{}", page);
        let listed = |learning: Learning| {
            let mut all = learning.finish().listed();
            all.sort();
            all
        };
        let learnt = listed(learning);
        prop_assert_eq!(&learnt, &listed(other), "{}", page);
        for (value, kind) in &learnt {
            all.note(*kind, value);
        }
    }
    // What stands in markup may be known from elsewhere.
    all.note(Kind::Token, b"q7Zt-41xWp-9sKd");
    all.note(Kind::Token, b"Zq81aWTx7pw");
    all.note(Kind::Token, b"r8wqTx71/a");
    let mut state = state(all.finish());
    for page in pages {
        let message = message(page);
        let view = View::open(&message, &Limits::default()).unwrap();
        let found = both(&view, &mut state, &mut memo, true);
        prop_assert_eq!(found, both(&view, &mut state, &mut Memo::default(), false), "{}", page);
    }
    Ok(())
}

#[test]
fn every_markup_comes_again() {
    for markup in 0..MARKUP.len() {
        for value in 0..VALUES.len() {
            // Other values, and the same; in one place now this one and now that.
            let pages = [vec![4], vec![value, 4, 4], vec![4, value, value], vec![value]];
            check(&pages.map(|values| page(&[markup], &values, 4))).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_was_read_before_changes_nothing(
        pages in prop::collection::vec(
            (prop::collection::vec(0..MARKUP.len(), 1..4), prop::collection::vec(0..VALUES.len(), 1..4), 2_usize..7),
            1..4,
        ),
    ) {
        let pages: Vec<String> = pages.iter().map(|(markup, values, times)| page(markup, values, *times)).collect();
        let twice: Vec<String> = pages.iter().chain(&pages).cloned().collect();
        check(&twice)?;
    }
}
