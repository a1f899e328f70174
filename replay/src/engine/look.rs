//! Looking at answers' bodies: against what was recorded, and to count what there is in them.

use http::Method;
use mynah_traffic::shape::{self, Shape, has_body};

use super::Context;
use super::check::Held;
use crate::net::{Answer, Keep};
use crate::prepared::StepPlan;
use crate::stats::Looks;

/// Of answers that are held against nothing, so many of each endpoint are looked at in a block, and then every sixteenth.
const ALL_OF: u32 = 100;

/// What one thread has seen of answers in the block in hand.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// By number of the shape.
    shapes: Vec<Option<Box<Shape>>>,
    /// By group: answers that are held against nothing.
    asked: Vec<u32>,
}

impl Looked {
    /// Hands over what was seen.
    pub(crate) fn take(&mut self) -> Looks {
        self.asked.clear();
        let all = std::mem::take(&mut self.shapes).into_iter().enumerate();
        all.filter_map(|(number, shape)| {
            let mut shape = shape?;
            shape.settle();
            Some((number, shape))
        })
        .collect()
    }

    /// Whether the next answer of a group that is held against nothing is looked at.
    fn samples(&mut self, group: u32) -> bool {
        let at = group as usize;
        if self.asked.len() <= at {
            self.asked.resize(at + 1, 0);
        }
        let Some(asked) = self.asked.get_mut(at) else { return false };
        *asked = asked.wrapping_add(1);
        *asked <= ALL_OF || asked.is_multiple_of(16)
    }
}

/// What is to be kept of an answer's body, so that it can be looked at.
pub(super) fn keep(context: &Context, step: &StepPlan) -> Keep {
    let setup = &context.setup;
    let wanted = setup.body_checks
        && (setup.plan.shapes.is_known(step.shapes) || context.looked.borrow_mut().samples(step.shapes));
    if wanted { Keep::Shape } else { Keep::Nothing }
}

/// Holds an answer against those that were recorded, where it is known what they are like, and counts what is in it.
pub(super) fn hold<'a>(
    context: &'a Context,
    step: &StepPlan,
    kept: Keep,
    answer: &Answer,
) -> Option<Held<'a>> {
    let head_only = step.template.as_ref().is_ok_and(|template| template.method == Method::HEAD);
    if kept == Keep::Nothing || !context.setup.body_checks || head_only || !has_body(answer.status) {
        return None;
    }
    let (number, plan) = context.setup.plan.shapes.of(step.shapes, answer.status)?;
    let mut looked = context.looked.borrow_mut();
    if looked.shapes.len() <= number {
        looked.shapes.resize_with(number + 1, || None);
    }
    let blank = || Box::new(plan.map_or_else(Shape::default, |plan| plan.blank.clone()));
    let own = looked.shapes.get_mut(number)?.get_or_insert_with(blank);
    let Some(plan) = plan else {
        own.note(&answer.shaped());
        return None;
    };
    let (found, unlike) = own.check(&answer.shaped(), &plan.claims);
    if found == shape::Looked::TooLarge {
        context.recorder.borrow_mut().counters().too_large += 1;
    }
    Some(Held { claims: &plan.claims, unlike })
}
