//! Recorded sessions of which only those requests are sent that are to change nothing.

use mynah_message::Head;
use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Step, is_safe};

/// Leaves the others out: what waits for one of them waits for what that waited for, and for its pause as well.
pub(super) fn only_reading(steps: Vec<Step>) -> Vec<Step> {
    // By recorded step: what those that wait for it wait for now, and how much longer.
    let mut stands_for: Vec<(Option<u32>, Nanos)> = Vec::with_capacity(steps.len());
    let mut kept = Vec::with_capacity(steps.len());
    for mut step in steps {
        if let Some((waits_for, longer)) = step.waits_for.and_then(|at| stands_for.get(at as usize)) {
            step.waits_for = *waits_for;
            step.think = Nanos(step.think.0.saturating_add(longer.0));
        }
        let head = Head::parse(&step.request.head);
        if head.is_ok_and(|head| head.method().is_some_and(is_safe)) {
            stands_for.push((Some(kept.len() as u32), Nanos(0)));
            kept.push(step);
        } else {
            stands_for.push((step.waits_for, step.think));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(method: &str, waits_for: Option<u32>, think: u64) -> Step {
        let request = mynah_message::Message {
            head: format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").into(),
            ..Default::default()
        };
        Step { request, waits_for, think: Nanos(think), ..Step::default() }
    }

    #[test]
    fn what_waited_for_a_request_left_out_waits_as_long_as_it_did() {
        let steps = vec![
            step("POST", None, 5),
            step("GET", Some(0), 10),
            step("PUT", Some(1), 20),
            step("DELETE", Some(2), 30),
            step("GET", Some(3), 40),
            step("HEAD", Some(1), 50),
        ];
        let kept = only_reading(steps);
        let told: Vec<_> = kept.iter().map(|step| (step.waits_for, step.think.0)).collect();
        assert_eq!(told, [(None, 15), (Some(0), 90), (Some(0), 50)]);
        assert!(only_reading(vec![step("POST", None, 0)]).is_empty());
    }
}
