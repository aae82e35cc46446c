//! Whether a function can do its work now, as the conjunction of named conditions.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// The conditions of one process. Clones share them. With no condition it is ready.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<Vec<Condition>>>,
}

/// One thing readiness depends on. Clones share it. It starts out false.
#[derive(Debug, Clone)]
pub struct Condition {
    name: &'static str,
    holds: Arc<AtomicBool>,
}

impl Readiness {
    /// No conditions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition, or finds the one of that name.
    pub fn condition(&self, name: &'static str) -> Condition {
        let mut conditions = self.lock();
        if let Some(known) = conditions.iter().find(|c| c.name == name) {
            return known.clone();
        }
        let condition = Condition {
            name,
            holds: Arc::new(AtomicBool::new(false)),
        };
        conditions.push(condition.clone());
        condition
    }

    /// Whether every condition holds.
    pub fn is_ready(&self) -> bool {
        self.lock().iter().all(Condition::holds)
    }

    /// Names the conditions that do not hold.
    pub fn unready(&self) -> Vec<&'static str> {
        let conditions = self.lock();
        conditions
            .iter()
            .filter(|c| !c.holds())
            .map(|c| c.name)
            .collect()
    }

    /// Names every condition with its state.
    pub fn states(&self) -> Vec<(&'static str, bool)> {
        self.lock().iter().map(|c| (c.name, c.holds())).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Condition>> {
        // A panic elsewhere leaves the list whole: it only ever grows by one push.
        self.conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// Sets whether it holds; changes are logged.
    pub fn set(&self, holds: bool) {
        if self.holds.swap(holds, Ordering::Relaxed) != holds {
            tracing::info!(condition = self.name, holds, "readiness changed");
        }
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.holds.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_condition_holds() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let (broker, again) = (
            readiness.condition("rabbitmq"),
            readiness.condition("rabbitmq"),
        );
        let drain = readiness.condition("not-draining");
        assert_eq!(readiness.unready(), ["rabbitmq", "not-draining"]);
        again.set(true);
        drain.set(true);
        assert!(broker.holds() && readiness.is_ready());
        broker.set(false);
        assert_eq!(readiness.unready(), ["rabbitmq"]);
    }
}
