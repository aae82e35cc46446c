//! Bounds the bytes of all bodies being handled at once, so that no crowd of large bodies can
//! exhaust the memory. Never waits: waiting bodies would hold what they have and starve the rest.

use std::sync::Arc;

use alioth_telemetry::prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Refusal;

/// How much a body of unknown size sets aside at a time.
const STEP_BYTES: usize = 256 * 1024;

/// The bytes that may be held at once, by all requests together.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    bytes: Arc<Semaphore>,
    held: IntGauge,
}

impl Budget {
    /// With nothing held yet; `held` is set to what is.
    pub(crate) fn new(limit: usize, held: IntGauge) -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(limit)),
            held,
        }
    }

    /// Begins a reservation with nothing in it.
    pub(crate) fn reserve(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            held: None,
        }
    }
}

/// What one request holds of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    /// Makes sure that at least `wanted` bytes are held. Takes some more than that ahead, but never
    /// beyond `expected`, the size the body is to have in the end.
    ///
    /// # Errors
    /// `Overloaded` when others hold too much. Transient.
    pub(crate) fn grow_to(&mut self, wanted: usize, expected: usize) -> Result<(), Refusal> {
        let held = self.held();
        if wanted <= held {
            return Ok(());
        }
        let target = wanted
            .next_multiple_of(STEP_BYTES)
            .min(expected)
            .max(wanted);
        let more = u32::try_from(target - held).map_err(|_| Refusal::Overloaded)?;
        let bytes = Arc::clone(&self.budget.bytes);
        let permit = bytes
            .try_acquire_many_owned(more)
            .map_err(|_| Refusal::Overloaded)?;
        self.budget.held.add(i64::from(more));
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        Ok(())
    }

    /// Holds `bytes` from now on, more or fewer than before.
    ///
    /// # Errors
    /// `Overloaded` when others hold too much. Transient.
    pub(crate) fn change_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let over = self.held().saturating_sub(bytes);
        if over == 0 {
            return self.grow_to(bytes, bytes);
        }
        // Dropping what is split off gives it back.
        let given_back = self.held.as_mut().and_then(|held| held.split(over));
        self.budget.held.sub(given_back.map_or(0, |permit| {
            i64::try_from(permit.num_permits()).unwrap_or(i64::MAX)
        }));
        Ok(())
    }

    fn held(&self) -> usize {
        self.held
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // At most a u32 was ever added at a time, and all of it fits the semaphore.
        self.budget
            .held
            .sub(i64::try_from(self.held()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
impl Budget {
    /// Of its own, in no registry.
    pub(crate) fn alone(limit: usize) -> Self {
        let held = IntGauge::new("held", "Bytes held.").unwrap();
        Self::new(limit, held)
    }

    /// Bytes held now.
    pub(crate) fn used(&self) -> usize {
        usize::try_from(self.held.get()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_body_holds_what_it_needs_and_a_growing_one_a_step_ahead() {
        let budget = Budget::alone(4 * STEP_BYTES);
        let mut small = budget.reserve();
        small.grow_to(1_000, 1_000).unwrap();
        assert_eq!(budget.used(), 1_000);
        let mut growing = budget.reserve();
        growing.grow_to(1, usize::MAX).unwrap();
        growing.grow_to(STEP_BYTES, usize::MAX).unwrap();
        assert_eq!(budget.used(), 1_000 + STEP_BYTES);
        drop((small, growing));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_held_follows_what_a_body_has_become() {
        let budget = Budget::alone(3_000);
        let mut body = budget.reserve();
        body.grow_to(1_000, 1_000).unwrap();
        body.change_to(2_500).unwrap();
        assert_eq!(budget.used(), 2_500);
        assert!(matches!(body.change_to(3_001), Err(Refusal::Overloaded)));
        body.change_to(400).unwrap();
        assert_eq!(budget.used(), 400);
        budget.reserve().grow_to(2_600, 2_600).unwrap();
        body.change_to(0).unwrap();
        assert_eq!(budget.used(), 0);
        budget.reserve().grow_to(3_000, 3_000).unwrap();
    }

    #[test]
    fn over_the_limit_is_refused_at_once_and_what_was_held_comes_back() {
        let budget = Budget::alone(2 * STEP_BYTES);
        let mut first = budget.reserve();
        first.grow_to(STEP_BYTES, STEP_BYTES).unwrap();
        let mut second = budget.reserve();
        second.grow_to(STEP_BYTES, usize::MAX).unwrap();
        assert!(matches!(
            second.grow_to(STEP_BYTES + 1, usize::MAX),
            Err(Refusal::Overloaded)
        ));
        drop(first);
        second.grow_to(STEP_BYTES + 1, usize::MAX).unwrap();
    }
}
