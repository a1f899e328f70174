//! Memory that the connections of one thread share, so that an idle one holds none.

use std::cell::RefCell;
use std::rc::Rc;

/// Read at a time.
const READ: usize = 64 << 10;
/// A larger buffer is not kept.
const KEPT: usize = 64 << 10;
/// Buffers that are kept.
const SPARE: usize = 64;

/// The buffers of one thread.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// Filled and emptied within one poll.
    pub(super) read: RefCell<Box<[u8]>>,
    spare: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    pub(crate) fn new() -> Rc<Buffers> {
        Rc::new(Buffers { read: RefCell::new(vec![0; READ].into()), spare: RefCell::default() })
    }

    /// An empty buffer to write a request into.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE && buffer.capacity() <= KEPT {
            buffer.clear();
            spare.push(buffer);
        }
    }
}
