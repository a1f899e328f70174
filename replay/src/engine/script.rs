//! Where a script has its say: as a session begins, before a request is sent, and when its answer is there.

use std::rc::Rc;

use mynah_message::Head;

use super::session::Part;
use super::step::Done;
use super::{Context, User};
use crate::net::{Answer, Failure, Keep, Kind, Sending};
use crate::prepared::Plan;
use crate::script::{Handed, Hooks, Person};

fn failure(why: &str) -> Failure {
    Failure::new(Kind::Script, format!("script: {why}"))
}

/// Values for later steps.
fn hand_out(user: &User, handed: Handed) {
    for (number, values) in handed {
        user.learn(number, values);
    }
}

/// A session begins. Where `onSession` fails none of its requests is sent: each counts as failed by it.
pub(crate) fn begin(context: &Context, user: &User, part: Part<'_>) {
    let Some(hooks) = &context.script else { return };
    let plan = &context.setup.plan;
    let person =
        Person { number: user.number(), profile: &part.profile.name, identity: identity(plan, user, part) };
    let before = user.visit.borrow_mut().take();
    user.refused.replace(None);
    match hooks.session(before, &person) {
        Ok((visit, handed)) => {
            user.visit.replace(Some(visit));
            hand_out(user, handed);
        }
        Err(why) => {
            user.refused.replace(Some(failure(&why)));
        }
    }
}

/// The log-in of a session: the row of the identities' file, else what was recorded of it.
fn identity<'p>(plan: &'p Plan, user: &User, part: Part<'p>) -> Vec<(&'p str, &'p str)> {
    let own = &plan.identities;
    if own.len() > 0 {
        let value =
            |(column, name): (usize, &'p String)| Some((name.as_str(), own.value(user.identity, column)?));
        return own.columns.iter().enumerate().filter_map(value).collect();
    }
    let columns = plan.scenario.identities.iter().flat_map(|identities| &identities.columns);
    let recorded = part.session.person.and_then(|person| part.profile.people.get(person as usize));
    let recorded = recorded.map_or(&[][..], |person| person);
    columns
        .zip(recorded)
        .filter_map(|(column, value)| Some((column.name.as_str(), value.as_deref()?)))
        .collect()
}

/// Shows a request that is about to be sent: what is sent in place of it, `None` for nothing. Asked once for both attempts; the
/// time that it takes is not the generator's lag for this request, as it is asked for.
pub(super) fn ask(
    context: &Context,
    hooks: &Rc<Hooks>,
    user: &User,
    mut sending: Sending,
    done: &mut Done,
) -> Result<Option<Sending>, Failure> {
    if hooks.sees_answers() {
        sending.ask.keep_head = true;
        sending.ask.keep = Keep::All;
    }
    if !hooks.sees_requests() {
        return Ok(Some(sending));
    }
    if done.asked.is_none() {
        let visit = user.visit.borrow();
        let Some(visit) = visit.as_ref() else { return Ok(Some(sending)) };
        let whole;
        let shown: &[u8] = if sending.rest.is_empty() {
            &sending.bytes
        } else {
            whole = [&sending.bytes[..], &sending.rest[..]].concat();
            &whole
        };
        let (asked, handed) = visit.request(shown).map_err(|why| failure(&why))?;
        hand_out(user, handed);
        done.asked = Some(asked);
    }
    let Some(asked) = &done.asked else { return Ok(Some(sending)) };
    if asked.skipped {
        return Ok(None);
    }
    let Some(changed) = &asked.changed else { return Ok(Some(sending)) };
    sending.bytes.clear();
    sending.bytes.extend_from_slice(changed);
    sending.rest = bytes::Bytes::new();
    if let Ok(head) = Head::parse(changed) {
        sending.ask.head_only = head.method() == Some("HEAD");
        sending.last |= !head.keep_alive();
        if context.tells.get() {
            done.target = head.target().map(str::to_owned);
        }
    }
    Ok(Some(sending))
}

/// Shows an answer. What is wrong with it, where the script says so or fails.
pub(super) fn hear(
    context: &Context,
    user: &User,
    answer: &Answer,
    counts: bool,
    done: &Done,
) -> Option<String> {
    context.script.as_ref().filter(|hooks| hooks.sees_answers())?;
    let heard = {
        let visit = user.visit.borrow();
        visit.as_ref()?.response((&answer.head, &answer.body), done.asked.as_ref())
    };
    match heard {
        Ok((wrong, handed)) => {
            hand_out(user, handed);
            wrong
        }
        Err(why) => {
            let failure = failure(&why);
            if counts {
                context.recorder.borrow_mut().error(&failure);
            }
            Some(failure.text)
        }
    }
}
