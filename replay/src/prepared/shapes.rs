//! What answers are held to be like, by session file, endpoint and status class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mynah_traffic::shape::{self, Claims, Shape, Shapes};

/// One endpoint's answers of one status class.
#[derive(Debug)]
pub(crate) struct ShapePlan {
    /// With its paths, which the claims are of, and no counts.
    pub(crate) blank: Shape,
    pub(crate) claims: Claims,
}

/// All of them. A step knows the number of its group, which has a shape for each status class.
#[derive(Debug, Default)]
pub(crate) struct ShapeTable {
    groups: Vec<[Option<Box<ShapePlan>>; CLASSES]>,
    /// By file and endpoint (a number in the file's table): the group.
    known: BTreeMap<(PathBuf, u32), u32>,
}

/// Status classes that there are.
pub(crate) const CLASSES: usize = 5;

impl ShapeTable {
    /// The group of an endpoint in a session file, which is added where it is new; `None` where nothing is known of it.
    pub(super) fn group(&mut self, file: &Path, endpoint: u32, shapes: &Shapes) -> Option<u32> {
        let key = (file.to_path_buf(), endpoint);
        if let Some(&group) = self.known.get(&key) {
            return Some(group);
        }
        let classes = [1, 2, 3, 4, 5].map(|class| {
            let shape = shapes.get(endpoint, class)?;
            Some(Box::new(ShapePlan { blank: shape.blank(), claims: Claims::of(shape) }))
        });
        if classes.iter().all(Option::is_none) {
            return None;
        }
        let group = self.groups.len() as u32;
        self.groups.push(classes);
        self.known.insert(key, group);
        Some(group)
    }

    /// What such an answer is held to be like, and its number among all shapes.
    pub(crate) fn of(&self, group: u32, status: u16) -> Option<(usize, &ShapePlan)> {
        let class = usize::from(shape::class(status)?) - 1;
        let plan = self.groups.get(group as usize)?.get(class)?.as_deref()?;
        Some((group as usize * CLASSES + class, plan))
    }
}
