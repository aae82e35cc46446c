//! Reading metrics of what runs in the test's own process.

use prometheus::Registry;

/// A metric by name, summed over those label sets in which one has this value, or over all when it is empty. Of a
/// histogram it is the count; 0 when there is none of the name.
pub fn metric(registry: &Registry, name: &str, label: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name);
    let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
    let of = metrics.iter().filter(|metric| {
        label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
    });
    of.map(|metric| {
        metric.get_counter().get_value()
            + metric.get_gauge().get_value()
            + metric.get_histogram().get_sample_count() as f64
    })
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts};

    #[test]
    fn what_is_asked_for_is_summed() {
        let registry = Registry::new();
        let settled = Opts::new("settled_total", "Settled.");
        let settled = IntCounterVec::new(settled, &["outcome"]).expect("a good name");
        let size = HistogramOpts::new("size", "Size.");
        let size = Histogram::with_opts(size).expect("a good name");
        registry
            .register(Box::new(settled.clone()))
            .expect("a new name");
        registry
            .register(Box::new(size.clone()))
            .expect("a new name");
        settled.with_label_values(&["applied"]).inc_by(3);
        settled.with_label_values(&["requeued"]).inc_by(4);
        size.observe(100.0);
        let read = |name, label| metric(&registry, name, label);
        assert_eq!(read("settled_total", ""), 7.0);
        assert_eq!(read("settled_total", "requeued"), 4.0);
        assert_eq!(read("settled_total", "lost"), 0.0);
        assert_eq!((read("size", ""), read("nothing", "")), (1.0, 0.0));
    }
}
