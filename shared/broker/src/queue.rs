//! The topology: which queues there are, what they are called, and where they end.

/// A queue of the topology, before its configured prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Writes, from accept to consume.
    Ingest,
    /// Requests for a snapshot.
    Backup,
    /// Requests for a restore.
    Restore,
    /// Writes, or the bad points of one, set aside.
    IngestDead,
    /// Snapshot requests set aside.
    BackupDead,
    /// Restore requests set aside.
    RestoreDead,
}

impl Queue {
    /// Every queue, dead-letter queues first: a queue may dead-letter as soon as it exists.
    pub const ALL: [Self; 6] = [
        Self::IngestDead,
        Self::BackupDead,
        Self::RestoreDead,
        Self::Ingest,
        Self::Backup,
        Self::Restore,
    ];

    /// Unprefixed name: `ingest`, `ingest.dead`, ….
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::IngestDead => "ingest.dead",
            Self::BackupDead => "backup.dead",
            Self::RestoreDead => "restore.dead",
        }
    }

    /// Where its dead letters go; `None` for a dead-letter queue.
    pub fn dead(self) -> Option<Self> {
        match self {
            Self::Ingest => Some(Self::IngestDead),
            Self::Backup => Some(Self::BackupDead),
            Self::Restore => Some(Self::RestoreDead),
            Self::IngestDead | Self::BackupDead | Self::RestoreDead => None,
        }
    }

    /// Its place in [`Queue::ALL`], for tables by queue.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::IngestDead => 0,
            Self::BackupDead => 1,
            Self::RestoreDead => 2,
            Self::Ingest => 3,
            Self::Backup => 4,
            Self::Restore => 5,
        }
    }
}

/// The queues' names with the configured prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueNames([String; 6]);

impl QueueNames {
    /// Puts `prefix` before every name.
    pub fn new(prefix: &str) -> Self {
        Self(Queue::ALL.map(|queue| format!("{prefix}{}", queue.name())))
    }

    /// The full name of a queue.
    pub fn of(&self, queue: Queue) -> &str {
        &self.0[queue.index()]
    }
}

/// Where a queue ends: what it refuses, and when it gives a message up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Bytes of bodies ready; more are refused.
    pub max_length_bytes: u64,
    /// Messages ready; more are refused.
    pub max_length: u64,
    /// Returns to the queue a message survives; one more dead-letters it.
    pub delivery_limit: u32,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            max_length_bytes: Self::MAX_LENGTH_BYTES,
            max_length: Self::MAX_LENGTH,
            delivery_limit: Self::DELIVERY_LIMIT,
        }
    }
}

impl QueueLimits {
    /// Nine million points of 100 dimensions: three minutes of the fastest writers measured, hours of ordinary
    /// ones, and room to spare on a 16 GiB volume where RabbitMQ keeps a message in a log and a segment.
    pub const MAX_LENGTH_BYTES: u64 = 4 << 30;
    /// RabbitMQ keeps some 100 bytes of memory for each message of a quorum queue, its body being on disk: this
    /// bounds that to about 100 MB where messages are small.
    pub const MAX_LENGTH: u64 = 1_000_000;
    /// Requeues by drain, scale-in and lost connections count too, so a small limit would dead-letter healthy
    /// messages.
    pub const DELIVERY_LIMIT: u32 = 100;
}

/// What stands in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages waiting for a consumer.
    pub ready: u64,
    /// Messages delivered and not settled. RabbitMQ does not tell over AMQP: `None` there.
    pub unsettled: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_the_prefix_and_are_distinct() {
        let names = QueueNames::new("blue.");
        assert_eq!(names.of(Queue::Ingest), "blue.ingest");
        assert_eq!(names.of(Queue::RestoreDead), "blue.restore.dead");
        let all: std::collections::BTreeSet<&str> = Queue::ALL.map(|queue| names.of(queue)).into();
        assert_eq!(all.len(), Queue::ALL.len());
    }

    #[test]
    fn a_dead_letter_queue_is_declared_before_its_source_and_named_after_it() {
        for (index, queue) in Queue::ALL.into_iter().enumerate() {
            assert_eq!(queue.index(), index);
            let Some(dead) = queue.dead() else { continue };
            assert!(dead.index() < index);
            assert_eq!(dead.name(), format!("{}.dead", queue.name()));
        }
    }
}
