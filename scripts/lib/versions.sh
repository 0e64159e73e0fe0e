# shellcheck shell=bash
# The pinned tools and where they are kept. Nothing here is downloaded by `npm start`: it uses the prebuilt objects.

# rustc emits bitcode that only an LLVM of the same major version reads: the Debian package of rustc decides this number.
LLVM_MAJOR=22
BPF_LINKER_VERSION=0.10.4
GRPCURL_VERSION=1.9.4
# Debian's compiler, not rustup's: it ships a prebuilt `core` for bpfel-unknown-none.
EBPF_CARGO=/usr/bin/cargo
EBPF_RUSTC=/usr/bin/rustc
MIN_RUST=1.90.0
MIN_NODE=20.19.0

LATSCOPE_TOOLS="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/latscope"
BPF_LINKER_ROOT="$LATSCOPE_TOOLS/bpf-linker-$BPF_LINKER_VERSION-llvm-$LLVM_MAJOR"
GRPCURL_ROOT="$LATSCOPE_TOOLS/grpcurl-$GRPCURL_VERSION"

# at_least VERSION MINIMUM: compares dotted numbers.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }
