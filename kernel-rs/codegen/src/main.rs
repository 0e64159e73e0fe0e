//! Writes the prost types of `proto/` into the collector, without protoc.
//!
//! `cargo run -p latscope-codegen` leaves `kernel-rs/collector/src/proto/gen/latscope.v1.rs`, which is committed.

use std::{error::Error, fs, path::Path};

/// Every file of the contract, so that a file that nothing imports is generated as well.
fn contract(root: &Path) -> std::io::Result<Vec<String>> {
    let mut names = fs::read_dir(root.join("latscope/v1"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.retain(|name| Path::new(name).extension().is_some_and(|it| it == "proto"));
    names.sort();
    Ok(names
        .into_iter()
        .map(|name| format!("latscope/v1/{name}"))
        .collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let proto = workspace.join("proto");
    let output = workspace.join("kernel-rs/collector/src/proto/gen");
    let files = protox::compile(contract(&proto)?, [&proto])?;
    fs::create_dir_all(&output)?;
    prost_build::Config::new()
        // Maps in key order: the same message always has the same bytes.
        .btree_map(["."])
        // Groups are looked up, and sorted.
        .type_attribute("latscope.v1.Group", "#[derive(Eq, Hash, PartialOrd, Ord)]")
        .out_dir(&output)
        .compile_fds(files)?;
    Ok(())
}
