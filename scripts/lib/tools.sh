# shellcheck shell=bash disable=SC2034
# The tools that the scripts use: which versions, and where they are kept.

MIN_NODE=20.19.0
MIN_RUST=1.90.0
# Debian's compiler, not rustup's, for eBPF: it comes with a prebuilt `core` for bpfel-unknown-none.
EBPF_CARGO=/usr/bin/cargo
EBPF_RUSTC=/usr/bin/rustc
# The major version of the LLVM inside that compiler: bpf-linker must read the bitcode it writes.
LLVM_MAJOR=22
BPF_LINKER_VERSION=0.10.4
# The newest that the Go of Debian 12 can build.
GRPCURL_VERSION=1.9.1
HELM_VERSION=3.12.3
HADOLINT_VERSION=2.15.1

LATSCOPE_TOOLS="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/latscope"
BPF_LINKER_ROOT="$LATSCOPE_TOOLS/bpf-linker-$BPF_LINKER_VERSION-llvm-$LLVM_MAJOR"
GRPCURL_ROOT="$LATSCOPE_TOOLS/grpcurl-$GRPCURL_VERSION"
PROMETHEUS_ROOT="$LATSCOPE_TOOLS/prometheus"
HELM_ROOT="$LATSCOPE_TOOLS/helm-$HELM_VERSION"
HADOLINT_ROOT="$LATSCOPE_TOOLS/hadolint-$HADOLINT_VERSION"

PATH="$GRPCURL_ROOT:$PROMETHEUS_ROOT/usr/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# at_least VERSION MINIMUM: compares dotted numbers.
at_least() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# recent_cargo CARGO: whether that one runs and is new enough for the workspace.
recent_cargo() {
  local version
  version=$("$1" --version 2>/dev/null | awk '{ print $2 }') && [ -n "$version" ] && at_least "$version" "$MIN_RUST"
}

# Puts a recent enough cargo first in PATH: the user's own, rustup's, or Debian's. Returns 1 where there is none.
find_cargo() {
  local folder
  recent_cargo cargo && return
  for folder in "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin" /usr/bin; do
    if recent_cargo "$folder/cargo"; then
      PATH="$folder:$PATH"
      return
    fi
  done
  return 1
}
