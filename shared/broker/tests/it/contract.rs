//! What every backend does alike. Each function is one test, run on both.

mod messages;
mod queues;
mod settling;

use std::sync::Arc;

use alioth_broker::{Broker, QueueLimits};

pub(crate) use self::{messages::*, queues::*, settling::*};
use crate::support::prefix;

/// Where a test gets its brokers from.
pub(crate) trait Backend: Send + Sync {
    /// A broker over the queues of a prefix, declared.
    fn broker(
        &self,
        prefix: &str,
        limits: QueueLimits,
    ) -> impl Future<Output = Arc<dyn Broker>> + Send;
}

async fn fresh(backend: &impl Backend) -> Arc<dyn Broker> {
    backend.broker(&prefix(), QueueLimits::default()).await
}

/// Every test of the contract, for one backend.
#[macro_export]
macro_rules! contract {
    ($backend:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::contract::$name(&$backend).await;
            }
        )*
    };
    ($backend:expr) => {
        $crate::contract! { $backend;
            confirmed_publish_is_consumed_once
            messages_come_in_the_order_they_were_published
            prefetch_bounds_what_is_unsettled
            a_renewed_subscription_has_a_whole_prefetch_and_keeps_what_was_delivered
            what_several_subscriptions_delivered_is_requeued_in_order
            a_renewed_consumer_gives_everything_back
            requeue_raises_the_delivery_count
            dropped_consumer_gives_its_deliveries_back
            closed_consumer_gives_its_deliveries_back_in_order
            full_queue_refuses_until_it_is_drained
            full_by_bytes_refuses
            one_return_too_many_dead_letters_with_the_reason
            acknowledged_in_any_order_exactly_those_are_gone
            acknowledged_right_before_a_close_they_are_gone
            cancelled_consumer_drains_what_it_has_and_ends
            properties_and_headers_survive
            declaring_again_changes_nothing
            prefixes_keep_queues_apart
            a_large_message_survives
            ten_thousand_messages_of_many_publishers_arrive_once
            competing_consumers_share_and_lose_nothing
            next_can_be_cancelled_without_loss
            an_abandoned_publish_gives_its_share_back
            depth_counts_what_is_ready
            closed_broker_refuses_at_once
            a_proven_publisher_has_a_broker_and_a_closed_one_has_none
        }
    };
}
