//! The command as a user runs it: real processes, real files, kill -9.

mod architecture;
mod command;
