//! Waiting for a condition: the one place where a test may pause. Never a substitute for an assertion on what
//! the condition led to.

use std::{future::Future, panic::Location, time::Duration};

/// Between two looks at a condition: short beside everything waited for, long beside a look.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` holds.
///
/// # Panics
/// After `deadline`, naming the caller's line; also when a single look at the condition hangs that long.
#[track_caller]
pub fn wait_until<F, Fut>(deadline: Duration, mut condition: F) -> impl Future<Output = ()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    wait_for(deadline, move || {
        let look = condition();
        async move { look.await.then_some(()) }
    })
}

/// Waits until `probe` yields a value, and returns it.
///
/// # Panics
/// As [`wait_until`].
#[track_caller]
pub fn wait_for<T, F, Fut>(deadline: Duration, mut probe: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let caller = Location::caller();
    async move {
        let looks = async {
            loop {
                if let Some(value) = probe().await {
                    return value;
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        match tokio::time::timeout(deadline, looks).await {
            Ok(value) => value,
            Err(_) => panic!("{caller}: the condition did not hold within {deadline:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn returns_once_the_condition_holds() {
        let looks = Cell::new(0);
        wait_until(Duration::from_secs(5), || async {
            looks.set(looks.get() + 1);
            looks.get() == 3
        })
        .await;
        assert_eq!(looks.get(), 3);
    }

    #[tokio::test]
    async fn deadline_panics_and_names_the_caller() {
        let waiting = tokio::spawn(wait_until(Duration::from_millis(60), || async { false }));
        let panic = waiting
            .await
            .expect_err("the wait ends in a panic")
            .into_panic();
        let message = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(message.contains("wait.rs"), "{message}");
        assert!(message.contains("60ms"), "{message}");
    }

    #[tokio::test]
    async fn a_hanging_look_is_cut_off_at_the_deadline() {
        let waiting = tokio::spawn(wait_until(
            Duration::from_millis(60),
            std::future::pending::<bool>,
        ));
        assert!(waiting.await.is_err());
    }
}
