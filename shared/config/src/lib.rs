#![doc = include_str!("../README.md")]

mod error;
mod fields;
mod loader;
mod values;

pub use error::{ConfigError, Problem};
pub use fields::{undocumented, variable_names};
pub use loader::{Loader, Section};
pub use values::{ByteSize, ParseValueError, Secret, Span};

/// Exit code of a process whose configuration is bad: `EX_USAGE` of sysexits.h.
pub const EXIT_BAD_CONFIGURATION: u8 = 64;
