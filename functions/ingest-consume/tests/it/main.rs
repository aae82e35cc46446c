//! The consumer on a real RabbitMQ and on the embedded broker, with a Qdrant (the embedded node, or the
//! server `QDRANT_BIN` names): in this process, and as the process it is.

mod applied;
mod away;
mod binary;
mod drain;
mod memory;
mod names;
mod outage;
mod process;
mod stuck;
mod traces;
mod world;

use std::time::Duration;

/// Nothing here takes that long unless it is broken; CI may be many times slower than a desk.
const DEADLINE: Duration = Duration::from_secs(120);
