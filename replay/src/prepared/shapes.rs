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

/// What is known of one endpoint's answers.
#[derive(Debug)]
struct Group {
    endpoint: u32,
    classes: [Option<Box<ShapePlan>>; CLASSES],
}

/// All of them. A step knows the number of its group, and a shape has a number that tells group and status class.
#[derive(Debug, Default)]
pub(crate) struct ShapeTable {
    groups: Vec<Group>,
    /// By file and endpoint (a number in the file's table; without a file one of the run's): the group.
    known: BTreeMap<(PathBuf, u32), u32>,
}

/// Status classes that there are.
const CLASSES: usize = 5;

impl ShapeTable {
    /// The group of an endpoint in a session file (with its number there), which is added where it is new.
    pub(super) fn group(&mut self, (file, at): (&Path, u32), endpoint: u32, shapes: &Shapes) -> u32 {
        let key = (file.to_path_buf(), at);
        if let Some(&group) = self.known.get(&key) {
            return group;
        }
        let classes = [1, 2, 3, 4, 5].map(|class| {
            let shape = shapes.get(at, class)?;
            Some(Box::new(ShapePlan { blank: shape.blank(), claims: Claims::of(shape) }))
        });
        let group = self.groups.len() as u32;
        self.groups.push(Group { endpoint, classes });
        self.known.insert(key, group);
        group
    }

    /// The group of an endpoint of which nothing is known.
    pub(super) fn unknown(&mut self, endpoint: u32) -> u32 {
        self.group((Path::new(""), endpoint), endpoint, &Shapes::default())
    }

    /// Whether anything is known of a group's answers.
    pub(crate) fn is_known(&self, group: u32) -> bool {
        self.groups.get(group as usize).is_some_and(|group| group.classes.iter().any(Option::is_some))
    }

    /// The number of such an answer's shape, and what it is held to be like.
    pub(crate) fn of(&self, group: u32, status: u16) -> Option<(usize, Option<&ShapePlan>)> {
        let class = usize::from(shape::class(status)?) - 1;
        let plan = self.groups.get(group as usize)?.classes.get(class)?.as_deref();
        Some((group as usize * CLASSES + class, plan))
    }

    /// Endpoint and status class of a shape.
    pub(crate) fn place(&self, number: usize) -> Option<(u32, u8)> {
        let group = self.groups.get(number / CLASSES)?;
        Some((group.endpoint, (number % CLASSES) as u8 + 1))
    }
}
