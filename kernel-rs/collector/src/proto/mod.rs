//! The contract's messages as prost types, generated from `proto/` by `cargo run -p latscope-codegen`.
#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    reason = "generated; the comments are those of the .proto files"
)]

include!("gen/latscope.v1.rs");
