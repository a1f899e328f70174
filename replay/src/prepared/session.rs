//! The order of a session's steps: which come first, and which come after which.

use mynah_traffic::scenario::Move;

use super::StepPlan;

/// One session: steps of its profile, recorded together or walked along.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionPlan {
    turns: Box<[TurnPlan]>,
    /// Those that wait for none, then those that wait for the first, for the second, …
    next: Box<[u32]>,
    /// Whose log-in it has: number of a recorded session of the profile. `None`: each step's own.
    pub(crate) person: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct TurnPlan {
    /// Number of the step in its profile.
    step: u32,
    /// Where in `next` those begin that wait for it.
    next: u32,
}

impl SessionPlan {
    /// Of steps in the order of their start, each with the one before it that it waits for.
    pub(crate) fn of(steps: &[(u32, Option<u32>)]) -> SessionPlan {
        let waits = |number: usize| {
            let before = steps.get(number).and_then(|(_, before)| *before).map(|before| before as usize);
            // Nothing waits for what comes after it.
            before.filter(|&before| before < number)
        };
        let mut order: Vec<u32> = (0..steps.len() as u32).collect();
        order.sort_by_key(|&number| waits(number as usize).map_or(0, |before| before + 1));
        let begin =
            |before: usize| order.partition_point(|&n| waits(n as usize).is_none_or(|b| b < before)) as u32;
        let turns =
            steps.iter().enumerate().map(|(number, (step, _))| TurnPlan { step: *step, next: begin(number) });
        SessionPlan { turns: turns.collect(), next: order.into(), person: None }
    }

    /// How many steps it has.
    pub(crate) fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether it has none.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The number in its profile of a step.
    pub(crate) fn step(&self, turn: u32) -> Option<u32> {
        self.turns.get(turn as usize).map(|turn| turn.step)
    }

    /// All of them in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = u32> {
        self.turns.iter().map(|turn| turn.step)
    }

    /// What it did, as far as that is compared.
    pub(crate) fn moves<'a>(&'a self, steps: &'a [StepPlan]) -> impl Iterator<Item = Move> + 'a {
        self.steps().enumerate().filter_map(|(number, step)| {
            let step = steps.get(step as usize)?;
            let waits = !self.first().contains(&(number as u32));
            Some(Move {
                endpoint: step.endpoint,
                think_s: waits.then(|| step.think.mean().as_secs_f64() as f32),
                body_bytes: step.body_bytes,
            })
        })
    }

    /// What waits for nothing.
    pub(crate) fn first(&self) -> &[u32] {
        let end = self.turns.first().map_or(0, |turn| turn.next as usize);
        self.next.get(..end).unwrap_or(&[])
    }

    /// What waits for a step.
    pub(crate) fn after(&self, turn: u32) -> &[u32] {
        let at = |turn: u32| self.turns.get(turn as usize).map(|turn| turn.next as usize);
        let begin = at(turn).unwrap_or(self.next.len());
        self.next.get(begin..at(turn + 1).unwrap_or(self.next.len())).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_what() {
        let plan =
            SessionPlan::of(&[(7, None), (8, Some(0)), (9, Some(0)), (4, None), (5, Some(2)), (6, Some(9))]);
        assert_eq!(
            (plan.first(), plan.after(0), plan.after(1), plan.after(2)),
            (&[0, 3, 5][..], &[1, 2][..], &[][..], &[4][..])
        );
        assert_eq!((plan.len(), plan.step(4), plan.after(5), plan.step(6)), (6, Some(5), &[][..], None));
        let empty = SessionPlan::of(&[]);
        assert!(empty.first().is_empty() && empty.after(0).is_empty());
    }
}
