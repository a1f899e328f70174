//! A quantity over time, in straight pieces: what rate, or how many users, is asked for at each moment.
//!
//! ```text
//!   λ(t)        ┌───┐            Λ(t) = ∫ λ        number of arrivals until t
//!        ╱──────┘   │            Λ⁻¹(x)            when the x-th one comes
//!      ╱            └────
//! ```
//!
//! Arrivals of rate one are stretched over the curve by [`Curve::invert`], which is exact for straight pieces: points at
//! unit-exponential distances become a Poisson process of rate λ(t), points at k+½ lie as evenly as the curve lets them
//! (Çinlar, *Introduction to Stochastic Processes*, 4.7).

use mynah_traffic::Nanos;

/// Users are whole: what a sum of fractions makes of 5 is still 5.
const HAIR: f64 = 1e-6;

/// A straight piece of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Seconds that it takes.
    pub length: f64,
    /// Where it begins, zero or more.
    pub from: f64,
    /// Where it ends, zero or more.
    pub to: f64,
}

impl Piece {
    fn area(&self) -> f64 {
        self.length * (self.from + self.to) / 2.0
    }

    fn at(&self, into: f64) -> f64 {
        if self.length > 0.0 { self.from + (self.to - self.from) * into / self.length } else { self.to }
    }

    /// How far into it this much of its area lies. Written so that nothing is subtracted from what it nearly equals.
    fn reach(&self, area: f64) -> f64 {
        let slope = (self.to - self.from) / self.length;
        let root = (self.from * self.from + 2.0 * slope * area).max(0.0).sqrt();
        let below = self.from + root;
        if below > 0.0 { (2.0 * area / below).clamp(0.0, self.length) } else { 0.0 }
    }
}

/// Pieces, one after the other, over and over until the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pieces: Vec<Piece>,
    /// By piece: when it begins, and the area before it.
    begins: Vec<(f64, f64)>,
    /// Seconds and area of all pieces.
    cycle: (f64, f64),
    /// Seconds, until which it goes on.
    end: f64,
}

impl Curve {
    /// These pieces until `duration` is over, again from the first where they are shorter than that. Pieces that take no time
    /// are left out.
    pub fn new(pieces: impl IntoIterator<Item = Piece>, duration: Nanos) -> Curve {
        let pieces: Vec<Piece> = pieces.into_iter().filter(|piece| piece.length > 0.0).collect();
        let mut begins = Vec::with_capacity(pieces.len());
        let mut cycle = (0.0, 0.0);
        for piece in &pieces {
            begins.push(cycle);
            cycle = (cycle.0 + piece.length, cycle.1 + piece.area());
        }
        // The sum of the pieces must not fall a hair short of what they are together.
        let seconds = duration.as_secs_f64();
        if (seconds - cycle.0).abs() < 1e-9 * seconds {
            cycle.0 = seconds;
        }
        Curve { pieces, begins, cycle, end: seconds }
    }

    /// The same all the time.
    pub fn level(value: f64, duration: Nanos) -> Curve {
        Curve::new([Piece { length: duration.as_secs_f64(), from: value, to: value }], duration)
    }

    /// When it ends.
    pub fn duration(&self) -> Nanos {
        Nanos::from_secs_f64(self.end)
    }

    /// Its value at a moment in seconds; where it jumps, the one that it jumps to.
    pub fn at(&self, seconds: f64) -> f64 {
        if self.cycle.0 <= 0.0 || !(0.0..self.end).contains(&seconds) {
            return 0.0;
        }
        let into = seconds % self.cycle.0;
        self.find(|(begin, _)| begin <= into).map_or(0.0, |(piece, (begin, _))| piece.at(into - begin))
    }

    /// The area from the beginning to a moment in seconds.
    pub fn until(&self, seconds: f64) -> f64 {
        if self.cycle.0 <= 0.0 {
            return 0.0;
        }
        let seconds = seconds.clamp(0.0, self.end);
        let cycles = (seconds / self.cycle.0).floor();
        let into = seconds - cycles * self.cycle.0;
        let part = self.find(|(begin, _)| begin <= into).map_or(0.0, |(piece, (begin, before))| {
            let into = (into - begin).min(piece.length);
            before + into * (piece.from + piece.at(into)) / 2.0
        });
        cycles * self.cycle.1 + part
    }

    /// The whole area: how many arrivals are expected.
    pub fn total(&self) -> f64 {
        self.until(self.end)
    }

    /// The highest value.
    pub fn peak(&self) -> f64 {
        let begun = self.pieces.iter().zip(&self.begins).filter(|(_, (begin, _))| *begin < self.end);
        begun.fold(0.0, |peak, (piece, (begin, _))| {
            peak.max(piece.from).max(piece.at(piece.length.min(self.end - begin)))
        })
    }

    /// The second at which the area becomes `area`; `None` when it never does.
    pub fn invert(&self, area: f64) -> Option<f64> {
        let (length, whole) = self.cycle;
        if !(whole > 0.0 && area >= 0.0) {
            return None;
        }
        let cycles = (area / whole).floor();
        let left = area - cycles * whole;
        let (piece, (begin, before)) = self.find(|(_, before)| before <= left)?;
        let seconds = cycles * length + begin + piece.reach(left - before);
        (seconds < self.end).then_some(seconds)
    }

    /// The last piece whose begin passes.
    fn find(&self, passes: impl Fn((f64, f64)) -> bool) -> Option<(&Piece, (f64, f64))> {
        let at = self.begins.partition_point(|begin| passes(*begin)).checked_sub(1)?;
        Some((self.pieces.get(at)?, *self.begins.get(at)?))
    }

    /// Users that there are at a moment in seconds.
    pub fn users(&self, seconds: f64) -> u32 {
        whole(self.at(seconds))
    }

    /// The most users that there are.
    pub fn most_users(&self) -> u32 {
        whole(self.peak())
    }

    /// When a user (from 0) is next there, from `after` on: seconds of its coming and going; no going where it stays to the end.
    /// It is there while the curve is above its number, so that those who came last go first.
    pub fn presence(&self, user: u32, after: f64) -> Option<(f64, Option<f64>)> {
        let floor = f64::from(user);
        let is_above = |value: f64| value > floor + HAIR;
        // Whoever asks again from the going on gets ahead, whatever is rounded.
        let least = after + hair_of(after);
        if least >= self.end {
            return None;
        }
        let mut on = None;
        for (start, piece) in self.pieces_from(after) {
            let crossing =
                start + piece.length * ((floor - piece.from) / (piece.to - piece.from)).clamp(0.0, 1.0);
            if on.is_none() && is_above(piece.from) {
                on = Some(start);
            } else if on.is_none() && is_above(piece.to) {
                on = Some(crossing);
                continue;
            }
            let Some(came) = on else { continue };
            if !is_above(piece.from) {
                return Some((came, Some(start.max(least))));
            }
            if piece.to <= floor {
                return Some((came, Some(crossing.max(least))));
            }
        }
        on.map(|came| (came, None))
    }

    /// What is left of the curve from a moment on: pieces with their begins.
    fn pieces_from(&self, after: f64) -> impl Iterator<Item = (f64, Piece)> {
        let cycle = if self.cycle.0 > 0.0 { self.cycle.0 } else { f64::INFINITY };
        let first = (after / cycle).floor();
        let starts =
            (0_u32..).map(move |n| (first + f64::from(n)) * cycle).take_while(|start| *start < self.end);
        starts
            .flat_map(move |start| {
                self.pieces.iter().zip(&self.begins).map(move |(piece, (begin, _))| (start + begin, *piece))
            })
            .skip_while(move |(start, piece)| start + piece.length <= after + hair_of(after))
            .take_while(|(start, _)| *start < self.end)
            .map(move |(start, piece)| {
                let (skip, end) = ((after - start).max(0.0), (self.end - start).min(piece.length));
                (start + skip, Piece { length: end - skip, from: piece.at(skip), to: piece.at(end) })
            })
    }
}

/// Less than this lies between two moments that are the same but for rounding: a nanosecond, and more where times are long.
fn hair_of(seconds: f64) -> f64 {
    1e-9 * (1.0 + seconds / 100.0)
}

fn whole(users: f64) -> u32 {
    (users - HAIR).ceil().max(0.0) as u32
}

#[cfg(test)]
mod tests;
