//! Several machines with one timetable: that it is the same one, and that they begin together.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mynah_traffic::Nanos;
use mynah_traffic::units::{format_duration, format_time};
use sha2::{Digest as _, Sha256};

use crate::engine::Setup;
use crate::prepared::Plan;
use crate::run::Start;
use crate::{Error, Stop};

/// What the timetable is made from, in sixteen digits: runs that have the same play stripes of the same one. `load`: what it is
/// made from besides the scenario.
pub(crate) fn fingerprint(plan: &Plan, setup: &Setup, load: &str) -> String {
    let mut hash = Sha256::new();
    // Whatever a version of mynah writes here, it writes the same for the same scenario.
    hash.update(format!("{load} {} {:?} {:?}", setup.behaviour(), setup.think_times, plan.scenario));
    for profile in &plan.profiles {
        hash.update(profile.mark());
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How late a run may begin that was to begin at some moment: the others have begun by then.
const LATE_START: Duration = Duration::from_secs(1);
/// Threads are begun so long before: that takes them a moment.
const AHEAD: Duration = Duration::from_millis(100);

/// How often it is looked whether the wait was interrupted.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until shortly before that moment, at which the threads then begin; the moment, or now when it is interrupted.
pub(crate) fn wait_for(at: SystemTime, start: &Start, stop: &Stop) -> Result<SystemTime, Error> {
    loop {
        let now = SystemTime::now();
        match at.duration_since(now) {
            Ok(left) if left > AHEAD && !stop.is_triggered() => {
                std::thread::sleep(left.saturating_sub(AHEAD).min(LOOK));
            }
            Ok(left) => {
                if !stop.is_triggered() {
                    let _ = start.set(Instant::now() + left);
                    return Ok(at);
                }
                return Ok(now);
            }
            Err(past) if past.duration() < LATE_START => {
                let _ = Instant::now().checked_sub(past.duration()).map(|begun| start.set(begun));
                return Ok(at);
            }
            Err(past) => {
                return Err(Error::Config(format!(
                    "the run was to start at {}, which is {} ago: give a later moment to all shards",
                    format_time(at.duration_since(UNIX_EPOCH).unwrap_or_default().into()),
                    format_duration(Nanos(past.duration().as_secs() * Nanos::PER_SECOND)),
                )));
            }
        }
    }
}
