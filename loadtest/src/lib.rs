#![doc = include_str!("../README.md")]

pub mod latencies;
pub mod machine;
pub mod writes;
