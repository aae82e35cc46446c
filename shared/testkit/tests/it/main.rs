//! The test services themselves: what the tests of every other crate stand on.

mod proxy;
mod rabbitmq;
mod s3;
