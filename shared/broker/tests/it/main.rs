//! Both backends: one contract, and what is particular to each.

mod contract;
mod embedded;
mod rabbitmq;
mod support;
