//! Latency histograms: one per hop, owned by one thread, merged at the end of a session.
//!
//! Values are wall nanoseconds. Each histogram holds 1 ns to 120 s at three significant digits in memory that is
//! taken and touched when it is made: recording allocates nothing, faults nothing and never fails.

use hdrhistogram::Histogram;

/// Largest latency that is told apart; longer ones are recorded as this.
pub const MAX_NS: u64 = 120_000_000_000;
/// Smallest latency that is told apart.
const MIN_NS: u64 = 1;
/// Significant decimal digits.
const DIGITS: u8 = 3;
/// Percentile lines per halving of the distance to 100 %, as HdrHistogram's tools write them.
const TICKS_PER_HALF: u32 = 5;
/// Sub-buckets of a histogram of [`DIGITS`] digits: the power of two at or above 2 × 10³. Only printed.
const SUB_BUCKETS: u64 = 2048;

/// What a latency is measured across. Stage hops are the time inside one stage's `on_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// Inside the feed stage, per event.
    Feed,
    /// Inside the features stage, per event.
    Features,
    /// Inside the inference stage, per cycle.
    Inference,
    /// Inside the decision stage, per cycle.
    Decision,
    /// Inside the routing stage, per input.
    Routing,
    /// Market event → the decisions that it caused.
    EventToDecision,
    /// Market event → the order intent that it caused.
    TickToIntent,
    /// Intent approved → its bytes handed to the socket, the journal's sync included.
    IntentToSend,
    /// Intent made → the first acknowledgement of the broker read (wall time).
    OrderRouting,
    /// Order sent → the broker's acknowledgement read.
    SendToAck,
    /// Record handed to the journal → durable.
    JournalSync,
}

impl Hop {
    /// How many there are.
    pub const COUNT: usize = 11;
    /// All, in the order of the report.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Feed,
        Self::Features,
        Self::Inference,
        Self::Decision,
        Self::Routing,
        Self::EventToDecision,
        Self::TickToIntent,
        Self::IntentToSend,
        Self::OrderRouting,
        Self::SendToAck,
        Self::JournalSync,
    ];

    /// Name in reports and of the percentile file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Features => "features",
            Self::Inference => "inference",
            Self::Decision => "decision",
            Self::Routing => "routing",
            Self::EventToDecision => "event_to_decision",
            Self::TickToIntent => "tick_to_intent",
            Self::IntentToSend => "intent_to_send",
            Self::OrderRouting => "order_routing",
            Self::SendToAck => "send_to_ack",
            Self::JournalSync => "journal_sync",
        }
    }
}

/// Why the histograms could not be made (never with this file's own bounds).
#[derive(Debug, thiserror::Error)]
#[error("latency histograms can't be made: {0}")]
pub struct LatencyError(#[from] hdrhistogram::CreationError);

/// The histograms of one thread.
#[derive(Clone, Debug)]
pub struct LatencyRecorder {
    hops: Vec<Histogram<u64>>,
}

impl LatencyRecorder {
    /// Empty histograms (about 230 KiB each), their memory already touched.
    ///
    /// # Errors
    /// The bounds are refused, which this file's constants rule out.
    pub fn new() -> Result<Self, LatencyError> {
        let mut one = Histogram::new_with_bounds(MIN_NS, MAX_NS, DIGITS)?;
        // Writing every count makes the pages real: no page fault on the first record.
        one.clear();
        Ok(Self { hops: vec![one; Hop::COUNT] })
    }

    /// Records one latency in nanoseconds. 0 counts as 1 ns, anything beyond [`MAX_NS`] as [`MAX_NS`].
    pub fn record(&mut self, hop: Hop, ns: u64) {
        self.hops[hop as usize].saturating_record(ns.clamp(MIN_NS, MAX_NS));
    }

    /// Adds another thread's histograms.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.hops.iter_mut().zip(&other.hops) {
            // Refused only for values beyond the bounds, which are the same for all recorders.
            let added = mine.add(theirs);
            debug_assert!(added.is_ok());
        }
    }

    /// Forgets everything, e.g. after a warm-up.
    pub fn clear(&mut self) {
        self.hops.iter_mut().for_each(Histogram::clear);
    }

    /// Recorded values of a hop.
    pub fn count(&self, hop: Hop) -> u64 {
        self.hops[hop as usize].len()
    }

    /// Value at a quantile (0.5 = median) in nanoseconds; `None` if nothing was recorded.
    pub fn quantile_ns(&self, hop: Hop, quantile: f64) -> Option<u64> {
        let histogram = &self.hops[hop as usize];
        (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile))
    }

    /// Largest value in nanoseconds; `None` if nothing was recorded.
    pub fn max_ns(&self, hop: Hop) -> Option<u64> {
        let histogram = &self.hops[hop as usize];
        (!histogram.is_empty()).then(|| histogram.max())
    }

    /// The percentile curve of a hop: (quantile, value in ns, values up to there).
    pub fn percentiles(&self, hop: Hop) -> Vec<(f64, u64, u64)> {
        let histogram = &self.hops[hop as usize];
        let mut total = 0;
        let step = |v: hdrhistogram::iterators::IterationValue<u64>| {
            total += v.count_since_last_iteration();
            (v.quantile_iterated_to(), v.value_iterated_to(), total)
        };
        histogram.iter_quantiles(TICKS_PER_HALF).map(step).collect()
    }

    /// The hop in HdrHistogram's percentile-distribution text format, values in µs: what its plotter reads.
    pub fn hgrm(&self, hop: Hop) -> String {
        use std::fmt::Write as _;
        let histogram = &self.hops[hop as usize];
        let us = |ns: f64| ns / 1_000.0;
        let mut text =
            format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
        for (quantile, value_ns, total) in self.percentiles(hop) {
            let value_us = us(value_ns as f64);
            // Writing to a string can't fail.
            let _ = if quantile < 1.0 {
                writeln!(text, "{value_us:>12.3} {quantile:>2.12} {total:>10} {:>14.2}", 1.0 / (1.0 - quantile))
            } else {
                writeln!(text, "{value_us:>12.3} {quantile:>2.12} {total:>10}")
            };
        }
        let (mean, deviation) = if histogram.is_empty() { (0.0, 0.0) } else { (histogram.mean(), histogram.stdev()) };
        let _ = writeln!(text, "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]", us(mean), us(deviation));
        let _ = writeln!(
            text,
            "#[Max     = {:>12.3}, Total count    = {:>12}]",
            us(histogram.max() as f64),
            histogram.len()
        );
        let _ = writeln!(text, "#[Buckets = {:>12}, SubBuckets     = {SUB_BUCKETS:>12}]", histogram.buckets());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recorder(values_ns: &[u64]) -> LatencyRecorder {
        let mut recorder = LatencyRecorder::new().unwrap();
        values_ns.iter().for_each(|&ns| recorder.record(Hop::Feed, ns));
        recorder
    }

    #[test]
    fn names_and_order_agree() {
        for (i, hop) in Hop::ALL.into_iter().enumerate() {
            assert_eq!(hop as usize, i);
            assert_eq!(serde_json::to_string(&hop).unwrap(), format!("\"{}\"", hop.name()));
        }
    }

    #[test]
    fn the_ends_saturate() {
        let r = recorder(&[0, u64::MAX]);
        assert_eq!((r.quantile_ns(Hop::Feed, 0.0), r.count(Hop::Feed)), (Some(1), 2));
        let max = r.max_ns(Hop::Feed).unwrap();
        assert!((MAX_NS..MAX_NS + MAX_NS / 1_000).contains(&max), "{max}");
        assert_eq!(r.max_ns(Hop::Routing), None);
    }

    /// Computed by hand: seven values, 1 to 7 µs. The first half of the curve steps by 10 % (5 ticks per half
    /// distance), the next quarter by 5 %, the next eighth by 2.5 %; each line is the first value at or past its
    /// step. Above 2,047 ns a bucket is 2 ns wide, above 4,095 ns 4 ns, and its upper end is printed.
    #[test]
    fn seven_values_as_text() {
        let r = recorder(&[1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000]);
        let expected = "       Value     Percentile TotalCount 1/(1-Percentile)

       1.000 0.000000000000          1           1.00
       1.000 0.100000000000          1           1.11
       2.000 0.200000000000          2           1.25
       3.001 0.300000000000          3           1.43
       3.001 0.400000000000          3           1.67
       4.001 0.500000000000          4           2.00
       4.001 0.550000000000          4           2.22
       5.003 0.600000000000          5           2.50
       5.003 0.650000000000          5           2.86
       5.003 0.700000000000          5           3.33
       6.003 0.750000000000          6           4.00
       6.003 0.775000000000          6           4.44
       6.003 0.800000000000          6           5.00
       6.003 0.825000000000          6           5.71
       6.003 0.850000000000          6           6.67
       7.003 0.875000000000          7           8.00
       7.003 1.000000000000          7
";
        let text = r.hgrm(Hop::Feed);
        let (curve, footer) = text.split_once('#').unwrap();
        assert_eq!(curve, expected);
        assert!(
            footer.contains("[Mean    =        4.00") && footer.contains("Total count    =            7]"),
            "{text}"
        );
    }

    #[test]
    fn an_empty_hop_has_no_curve() {
        let text = recorder(&[]).hgrm(Hop::Feed);
        assert!(text.ends_with("#[Max     =        0.000, Total count    =            0]\n#[Buckets =           27, SubBuckets     =         2048]\n"), "{text}");
    }

    proptest! {
        #[test]
        fn curves_rise_and_agree_with_the_histogram(
            values in prop::collection::vec(0_u64..200_000_000_000, 1..400)
        ) {
            let r = recorder(&values);
            let curve = r.percentiles(Hop::Feed);
            for pair in curve.windows(2) {
                prop_assert!(pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1 && pair[0].2 <= pair[1].2);
            }
            // The curve's steps are sums of floats and the quantile's rank a product: either may be an ulp off.
            for &(quantile, value, _) in &curve {
                let at = |q: f64| r.quantile_ns(Hop::Feed, q.clamp(0.0, 1.0)).unwrap();
                prop_assert!(at(quantile - 1e-9) <= value);
                prop_assert!(value <= at((quantile + 1e-9).max(1e-9)));
            }
            let &(last, value, total) = curve.last().unwrap();
            prop_assert!(last >= 1.0);
            prop_assert_eq!((Some(value), total), (r.max_ns(Hop::Feed), values.len() as u64));
        }

        #[test]
        fn merging_is_recording_in_one(
            a in prop::collection::vec(1_u64..1_000_000_000, 0..100),
            b in prop::collection::vec(1_u64..1_000_000_000, 0..100)
        ) {
            let mut merged = recorder(&a);
            merged.merge(&recorder(&b));
            let both: Vec<u64> = a.into_iter().chain(b).collect();
            prop_assert_eq!(merged.hgrm(Hop::Feed), recorder(&both).hgrm(Hop::Feed));
        }
    }
}
