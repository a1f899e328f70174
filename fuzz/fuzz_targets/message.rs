//! The inside of a message: all leaves are found, each is extracted by its locator, and patched.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah_message::{Limits, Message, Part, View, patch};

fuzz_target!(|data: &[u8]| {
    let end = data.windows(4).position(|w| w == b"\r\n\r\n").map_or(data.len(), |at| at + 4);
    let (head, body) = data.split_at(end);
    let message = Message { head: head.to_vec().into(), body: body.to_vec().into(), ..Message::default() };
    let limits = Limits { decoded_bytes: 1 << 20, ..Limits::default() };
    let Ok(view) = View::open(&message, &limits) else { return };
    let mut found = Vec::new();
    view.leaves(&mut |leaf| {
        if found.len() < 32 {
            found.push((leaf.locator.clone(), leaf.edit(b"w<o>\"r k%\0\xff")));
        }
    });
    for (locator, edit) in found {
        let _ = view.extract(&locator);
        assert!(!view.find(&locator).is_empty(), "{locator:?} was found and cannot be found again");
        let end = match edit.part {
            Part::Head => message.head.len(),
            Part::Body => view.body().len(),
        };
        assert!(edit.span.start <= edit.span.end && edit.span.end <= end, "{edit:?} lies outside");
        let _ = patch(&view, vec![edit]);
    }
});
