//! Relays frames between two interfaces after a known delay.

fn main() {}
