//! How long many requests took. Every one is kept: a quantile is one that happened, not a bucket's edge.

use std::time::Duration;

/// Durations in whole microseconds.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    micros: Vec<u32>,
}

impl Latencies {
    /// Adds one; beyond an hour it counts as that.
    pub fn add(&mut self, took: Duration) {
        self.micros
            .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds all of another's.
    pub fn extend(&mut self, others: Self) {
        self.micros.extend(others.micros);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.micros.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.micros.is_empty()
    }

    /// The durations that these shares of all are not above; zero where there are none.
    pub fn quantiles<const N: usize>(&mut self, shares: [f64; N]) -> [Duration; N] {
        self.micros.sort_unstable();
        shares.map(|share| {
            let rank = (share * self.micros.len() as f64).ceil() as usize;
            let found = self.micros.get(rank.saturating_sub(1));
            Duration::from_micros(found.copied().unwrap_or(0).into())
        })
    }
}

/// The middle one of a few values; of an even number the mean of the two in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_durations() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantiles([0.5]), [Duration::ZERO]);
        for micros in (1..=1000).rev() {
            latencies.add(Duration::from_micros(micros));
        }
        let expected = [1, 500, 990, 999, 1000].map(Duration::from_micros);
        assert_eq!(latencies.quantiles([0.0, 0.5, 0.99, 0.999, 1.0]), expected);
        let mut more = Latencies::default();
        more.add(Duration::from_secs(100_000));
        latencies.extend(more);
        assert_eq!(latencies.len(), 1001);
        assert_eq!(
            latencies.quantiles([1.0]),
            [Duration::from_micros(u64::from(u32::MAX))]
        );
    }

    #[test]
    fn a_median_stands_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }
}
