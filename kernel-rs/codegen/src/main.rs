//! Writes the prost types of `proto/` into the collector.

fn main() {}
