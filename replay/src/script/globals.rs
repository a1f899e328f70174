//! What scripts find besides the language: `console`, `metrics`, and a `Math.random` that the run's seed decides.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use hdrhistogram::Histogram;
use mynah_traffic::run::{METRIC_SCALE, MetricKind, new_histogram};
use rquickjs::prelude::{Opt, Rest};
use rquickjs::{Ctx, Function, Object, Value};

use super::engine::{shown, type_error};

/// Names of metrics that a run may have.
const NAMES: usize = 100;
/// Bytes of such a name.
const NAME: usize = 100;
/// Lines that a thread writes to the log each second.
const LINES: u32 = 20;
/// Characters of one.
const LINE: usize = 1000;

/// What a script has counted under one name.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    pub(crate) kind: MetricKind,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// Of a trend: its values times [`METRIC_SCALE`].
    pub(crate) values: Option<Histogram<u64>>,
}

impl Metric {
    fn new(kind: MetricKind) -> Metric {
        Metric { kind, count: 0, sum: 0.0, values: (kind == MetricKind::Trend).then(new_histogram) }
    }

    /// Takes in what another thread has counted.
    pub(crate) fn absorb(&mut self, other: &Metric) {
        self.count += other.count;
        self.sum += other.sum;
        if let (Some(own), Some(more)) = (&mut self.values, &other.values) {
            // Histograms that resize take in whatever their like has.
            let _ = own.add(more);
        }
    }
}

/// What one thread's script has counted.
#[derive(Default)]
pub(super) struct Metrics {
    all: RefCell<BTreeMap<String, Metric>>,
}

impl Metrics {
    /// Hands it all over.
    pub(super) fn take(&self) -> BTreeMap<String, Metric> {
        std::mem::take(&mut *self.all.borrow_mut())
    }

    fn add(&self, name: &str, kind: MetricKind, value: f64) -> Result<(), String> {
        if !value.is_finite() || (kind == MetricKind::Trend && value < 0.0) {
            return Err(format!(
                "metrics: '{name}': {value} cannot be counted; expected a finite number, of a trend not below zero"
            ));
        }
        if name.is_empty() || name.len() > NAME || name.contains(char::is_control) {
            return Err(format!(
                "metrics: a name has 1 to {NAME} characters, none of them a control character"
            ));
        }
        let mut all = self.all.borrow_mut();
        if !all.contains_key(name) {
            if all.len() >= NAMES {
                return Err(format!(
                    "metrics: '{name}' would be more than {NAMES} names; put what varies elsewhere"
                ));
            }
            all.insert(name.to_owned(), Metric::new(kind));
        }
        let Some(own) = all.get_mut(name) else { return Ok(()) };
        if own.kind != kind {
            return Err(format!(
                "metrics: '{name}' is a {} already; give one of them another name",
                own.kind.as_str()
            ));
        }
        own.count += 1;
        own.sum += value;
        if let Some(values) = &mut own.values {
            // It grows as it must, up to 2^63.
            let _ = values.record(((value * METRIC_SCALE).round() as u64).min(1 << 62));
        }
        Ok(())
    }
}

/// Puts them into a context.
pub(super) fn put(ctx: &Ctx<'_>, seed: u64, metrics: &Rc<Metrics>) -> rquickjs::Result<()> {
    let globals = ctx.globals();
    let math: Object<'_> = globals.get("Math")?;
    let state = Cell::new(seed);
    math.set("random", Function::new(ctx.clone(), move || random(&state))?)?;
    let own = Object::new(ctx.clone())?;
    own.set("add", counting(ctx, metrics, MetricKind::Counter)?)?;
    own.set("trend", counting(ctx, metrics, MetricKind::Trend)?)?;
    globals.set("metrics", own)?;
    let console = Object::new(ctx.clone())?;
    let lines = Rc::new(Lines::default());
    for (name, loud) in [("log", false), ("info", false), ("debug", false), ("warn", true), ("error", true)] {
        let lines = lines.clone();
        let write = move |values: Rest<Value<'_>>| lines.write(loud, &values.0);
        console.set(name, Function::new(ctx.clone(), write)?)?;
    }
    globals.set("console", console)
}

fn counting<'js>(ctx: &Ctx<'js>, metrics: &Rc<Metrics>, kind: MetricKind) -> rquickjs::Result<Function<'js>> {
    let metrics = metrics.clone();
    let count = move |ctx: Ctx<'_>, name: String, value: Opt<f64>| {
        metrics.add(&name, kind, value.0.unwrap_or(1.0)).map_err(|why| type_error(&ctx, &why))
    };
    Function::new(ctx.clone(), count)
}

/// [SplitMix64](https://doi.org/10.1145/2714064.2660195), of which the upper 53 bits are taken.
fn random(state: &Cell<u64>) -> f64 {
    let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    state.set(next);
    let mut mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Lines for the log, so many a second.
#[derive(Default)]
struct Lines {
    second: Cell<Option<Instant>>,
    written: Cell<u32>,
    left_out: Cell<u64>,
}

impl Lines {
    fn write(&self, loud: bool, values: &[Value<'_>]) {
        if self.second.get().is_none_or(|since| since.elapsed().as_secs() >= 1) {
            self.second.set(Some(Instant::now()));
            self.written.set(0);
            let left_out = self.left_out.take();
            if left_out > 0 {
                tracing::info!("console: {left_out} lines more were left out");
            }
        }
        if self.written.get() >= LINES {
            self.left_out.set(self.left_out.get() + 1);
            return;
        }
        self.written.set(self.written.get() + 1);
        let texts: Vec<String> = values
            .iter()
            .map(|value| shown(value).ok().flatten().unwrap_or_else(|| "undefined".to_owned()))
            .collect();
        let text: String =
            texts.join(" ").chars().take(LINE).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if loud {
            tracing::warn!("console: {text}");
        } else {
            tracing::info!("console: {text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_count_and_refuse() {
        let metrics = Metrics::default();
        metrics.add("a", MetricKind::Counter, 2.0).unwrap();
        metrics.add("a", MetricKind::Counter, -0.5).unwrap();
        metrics.add("t", MetricKind::Trend, 1.5).unwrap();
        assert!(metrics.add("a", MetricKind::Trend, 1.0).unwrap_err().contains("a counter already"));
        assert!(metrics.add("t", MetricKind::Trend, -1.0).is_err());
        assert!(metrics.add("", MetricKind::Counter, 1.0).is_err());
        assert!(metrics.add("b", MetricKind::Counter, f64::NAN).is_err());
        for number in 0..NAMES - 2 {
            metrics.add(&format!("n{number}"), MetricKind::Counter, 1.0).unwrap();
        }
        assert!(metrics.add("one more", MetricKind::Counter, 1.0).unwrap_err().contains("100 names"));
        let all = metrics.take();
        assert_eq!((all["a"].count, all["a"].sum), (2, 1.5));
        let mut trend = all["t"].clone();
        trend.absorb(&all["t"]);
        assert_eq!((trend.count, trend.values.unwrap().len()), (2, 2));
    }

    #[test]
    fn chance_is_the_seeds() {
        let (one, other) = (Cell::new(7), Cell::new(7));
        let numbers: Vec<f64> = (0..100).map(|_| random(&one)).collect();
        assert!(
            numbers
                .iter()
                .all(|number| (0.0..1.0).contains(number) && (random(&other) - number).abs() < 1e-12)
        );
    }
}
