//! What a script has counted: `metrics[]` of `run.json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::new_histogram;

/// Values of a trend are kept in thousandths.
pub const METRIC_SCALE: f64 = 1000.0;

/// What kind of figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// `metrics.add`: what counts is the sum.
    Counter,
    /// `metrics.trend`: what counts is how the values lie.
    Trend,
}

impl MetricKind {
    /// `counter` or `trend`.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Trend => "trend",
        }
    }
}

/// Figures of a metric of a script's, in the script's own unit. Quantiles to three digits; all zero for a counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricFigures {
    /// What the script calls it.
    pub name: String,
    /// What kind it is.
    pub kind: MetricKind,
    /// How often it was told.
    pub count: u64,
    /// All values together.
    pub sum: f64,
    /// The sum by second of the run; of a trend the values by second.
    pub per_s: f64,
    /// Smallest.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90 % of the values are not above this.
    pub p90: f64,
    /// 95 % of the values are not above this.
    pub p95: f64,
    /// 99 % of the values are not above this.
    pub p99: f64,
    /// Largest.
    pub max: f64,
    /// Of a trend: its values in thousandths, as in `intervals.hlog` (`HdrHistogram` V2, compressed, base64), from which shards merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<String>,
}

fn rounded(value: f64) -> f64 {
    (value * METRIC_SCALE).round() / METRIC_SCALE
}

impl MetricFigures {
    /// From what was counted, over `seconds`. `values`: of a trend, times [`METRIC_SCALE`].
    pub fn of(
        name: &str,
        count: u64,
        sum: f64,
        values: Option<&Histogram<u64>>,
        seconds: f64,
    ) -> MetricFigures {
        let blank = new_histogram();
        let all = values.unwrap_or(&blank);
        let of = |value: u64| {
            if all.is_empty() { 0.0 } else { all.lowest_equivalent(value) as f64 / METRIC_SCALE }
        };
        let q = |quantile: f64| of(all.value_at_quantile(quantile));
        let by_second = if values.is_some() { count as f64 } else { sum };
        MetricFigures {
            name: name.to_owned(),
            kind: if values.is_some() { MetricKind::Trend } else { MetricKind::Counter },
            count,
            sum: rounded(sum),
            per_s: if seconds > 0.0 { rounded(by_second / seconds) } else { 0.0 },
            min: of(all.min()),
            mean: if values.is_some() && count > 0 { rounded(sum / count as f64) } else { 0.0 },
            p50: q(0.5),
            p90: q(0.9),
            p95: q(0.95),
            p99: q(0.99),
            max: of(all.max()),
            histogram: values.and_then(written),
        }
    }

    /// The same metrics of several shards, by name, over `seconds`.
    pub fn merge<'m>(all: impl IntoIterator<Item = &'m MetricFigures>, seconds: f64) -> Vec<MetricFigures> {
        let mut sums: Vec<(String, u64, f64, Option<Histogram<u64>>)> = Vec::new();
        for one in all {
            let values = (one.kind == MetricKind::Trend)
                .then(|| one.histogram.as_deref().and_then(read).unwrap_or_else(new_histogram));
            match sums
                .iter_mut()
                .find(|(name, _, _, own)| *name == one.name && own.is_some() == values.is_some())
            {
                None => sums.push((one.name.clone(), one.count, one.sum, values)),
                Some((_, count, sum, own)) => {
                    *count += one.count;
                    *sum += one.sum;
                    if let (Some(own), Some(more)) = (own, values) {
                        // It resizes.
                        let _ = own.add(more);
                    }
                }
            }
        }
        sums.iter()
            .map(|(name, count, sum, values)| MetricFigures::of(name, *count, *sum, values.as_ref(), seconds))
            .collect()
    }
}

fn written(values: &Histogram<u64>) -> Option<String> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(values, &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// `None`: it is no histogram.
fn read(text: &str) -> Option<Histogram<u64>> {
    let bytes = STANDARD.decode(text).ok()?;
    let mut all: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
    all.auto(true);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(values: &[u64]) -> MetricFigures {
        let mut all = new_histogram();
        for value in values {
            all.record(value * 1000).unwrap();
        }
        let sum = values.iter().sum::<u64>() as f64;
        MetricFigures::of("t", values.len() as u64, sum, Some(&all), 2.0)
    }

    #[test]
    fn shards_merge_to_what_one_would_have() {
        let (one, other, both) = (trend(&[1, 2, 3]), trend(&[40, 50]), trend(&[1, 2, 3, 40, 50]));
        let counter = MetricFigures::of("c", 3, 4.5, None, 2.0);
        assert_eq!((counter.per_s, counter.kind, counter.max), (2.25, MetricKind::Counter, 0.0));
        let merged = MetricFigures::merge([&one, &counter, &other, &counter], 2.0);
        assert_eq!((merged[0].count, merged[0].min, merged[0].p50), (5, 1.0, both.p50));
        assert_eq!((merged[0].max, merged[0].mean, merged[0].per_s), (both.max, 19.2, 2.5));
        assert_eq!((merged[1].count, merged[1].sum), (6, 9.0));
    }

    #[test]
    fn a_histogram_that_is_none_is_an_empty_one() {
        let broken = MetricFigures { histogram: Some("HISTnothing".to_owned()), ..trend(&[1]) };
        let merged = MetricFigures::merge([&broken], 1.0);
        assert_eq!((merged[0].count, merged[0].max), (1, 0.0));
    }
}
