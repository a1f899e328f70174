//! Numbers of connections and clients are unique within one input only. Read together, several inputs get rooms of numbers, in turn:
//! of `n` inputs the first has rooms 0, n, 2n …, the second 1, n + 1 … . A recording that was itself made of several inputs has
//! several rooms already, and keeps them apart.

/// Bits of the numbers within a room.
const BITS: u32 = 40;

/// The number that a connection of input `input` of `inputs` gets among those of all. `None`: there are too many rooms
/// (16 million).
pub fn among(connection: u64, input: u64, inputs: u64) -> Option<u64> {
    let (room, within) = (connection >> BITS, connection & ((1 << BITS) - 1));
    let room = room.checked_mul(inputs.max(1))?.checked_add(input)?;
    (room >> (u64::BITS - BITS) == 0).then_some(room << BITS | within)
}

/// Which of `inputs` a number comes from.
pub fn input(connection: u64, inputs: u64) -> u64 {
    (connection >> BITS) % inputs.max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn recordings_of_several_inputs_stay_apart_and_tell_where_they_are_from() {
        let inner: Vec<u64> =
            (0..5).flat_map(|file| (0..3).map(move |n| among(n, file, 5).unwrap())).collect();
        let mut seen = HashSet::new();
        for outer in 0..3 {
            for &connection in &inner {
                let number = among(connection, outer, 3).unwrap();
                assert!(seen.insert(number));
                assert_eq!(input(number, 3), outer);
            }
        }
        assert_eq!(among(7, 0, 1), Some(7), "alone, nothing changes");
        assert_eq!(among(u64::MAX, 1, 2), None);
    }
}
