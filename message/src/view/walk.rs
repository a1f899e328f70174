//! What the walks over the parts of a message have in common.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::Detail;
use crate::{Leaf, Locator};

/// Where leaves go; it may say that it has seen enough.
pub(crate) type Emit<'e, 'v> = &'e mut dyn FnMut(Leaf<'v>) -> ControlFlow<()>;

/// Which kinds of leaf are wanted, so that the others are not made.
#[derive(Clone, Copy)]
pub(crate) struct Want(u32);

impl Want {
    pub(crate) const ALL: Want = Want(u32::MAX);
    pub(crate) const HEADER: Want = Want(1);
    pub(crate) const COOKIE: Want = Want(1 << 1);
    pub(crate) const QUERY: Want = Want(1 << 2);
    pub(crate) const PATH: Want = Want(1 << 3);
    pub(crate) const LOCATION: Want = Want(1 << 4);
    pub(crate) const JSON: Want = Want(1 << 5);
    pub(crate) const FORM: Want = Want(1 << 6);
    pub(crate) const MULTIPART: Want = Want(1 << 7);
    pub(crate) const INPUT: Want = Want(1 << 8);
    pub(crate) const META: Want = Want(1 << 9);
    pub(crate) const ATTR: Want = Want(1 << 10);
    pub(crate) const LINK: Want = Want(1 << 11);
    pub(crate) const SCRIPT: Want = Want(1 << 12);
    pub(crate) const TEXT: Want = Want(1 << 13);
    pub(crate) const XML: Want = Want(1 << 14);
    pub(crate) const BODY: Want = Want(1 << 15);
    /// Locators that say everything.
    pub(crate) const DETAIL: Want = Want(1 << 16);

    const IN_HEAD: u32 = 0x1f;
    /// All that are in bodies.
    pub(crate) const BODIES: Want = Want(!Self::IN_HEAD);

    pub(crate) fn with(self, detail: Detail) -> Want {
        match detail {
            Detail::Full => Want(self.0 | Self::DETAIL.0),
            Detail::Names => Want(self.0 & !Self::DETAIL.0),
        }
    }

    /// Those that the locator may mean, with all that there is to say about them.
    pub(crate) fn kind_of(locator: &Locator) -> Want {
        let kind = match locator {
            Locator::Header { .. } => Want::HEADER,
            Locator::Cookie { .. } => Want::COOKIE,
            Locator::Query { .. } => Want::QUERY,
            Locator::PathSegment { .. } => Want::PATH,
            Locator::Location { .. } => Want::LOCATION,
            Locator::Json { .. } => Want::JSON,
            Locator::Form { .. } => Want::FORM,
            Locator::Multipart { .. } => Want::MULTIPART,
            Locator::Input { .. } => Want::INPUT,
            Locator::Meta { .. } => Want::META,
            Locator::Attr { .. } => Want::ATTR,
            Locator::Link { .. } => Want::LINK,
            Locator::Script { .. } => Want::SCRIPT,
            Locator::Text { .. } => Want::TEXT,
            Locator::Xml { .. } => Want::XML,
            Locator::Body => Want::BODY,
        };
        kind.with(Detail::Full)
    }

    pub(crate) fn has(self, kind: Want) -> bool {
        self.0 & kind.0 != 0
    }

    pub(crate) fn head(self) -> bool {
        self.0 & Self::IN_HEAD != 0
    }

    pub(crate) fn body(self) -> bool {
        self.0 & !Self::IN_HEAD & !Self::DETAIL.0 != 0
    }
}

/// Counts occurrences of a name, where that is asked for.
pub(crate) struct Counter(Option<HashMap<String, usize>>);

impl Counter {
    pub(crate) fn new(want: Want) -> Counter {
        Counter(want.has(Want::DETAIL).then(HashMap::new))
    }

    /// How often the name came before.
    pub(crate) fn next(&mut self, name: &str) -> usize {
        let Some(counts) = &mut self.0 else { return 0 };
        if let Some(count) = counts.get_mut(name) {
            *count += 1;
            return *count - 1;
        }
        counts.insert(name.to_owned(), 1);
        0
    }
}
