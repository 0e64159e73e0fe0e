#!/usr/bin/env bash
# clippy with warnings as errors, for the host's crates and for the eBPF programs. With Debian's Rust, as those are built:
# the same lints on every machine, and the BPF target has its `core` only there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh
. scripts/lib/ebpf-env.sh

# cargo looks for its subcommands in CARGO_HOME/bin first, where rustup's may be: hence the direct call.
export PATH="/usr/bin:$PATH" CARGO=$EBPF_CARGO RUSTC=$EBPF_RUSTC CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/lint"

/usr/bin/cargo-clippy clippy --workspace --exclude latscope-probes --all-targets --keep-going --locked -- --deny warnings
RUSTC_BOOTSTRAP=$(ebpf_features) CARGO_ENCODED_RUSTFLAGS=$EBPF_CFG \
  /usr/bin/cargo-clippy clippy --package latscope-probes --bins --target bpfel-unknown-none --locked -- --deny warnings
