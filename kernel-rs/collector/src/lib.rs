//! Loads the eBPF programs and reads, logs and encodes what they measure.
