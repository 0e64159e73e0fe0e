# shellcheck shell=bash disable=SC2034
# What both the build and the lints of the eBPF programs must say to Debian's rustc; source it at the repository's root.

# aya-ebpf asks for the architecture whose `pt_regs` it reads.
EBPF_CFG='--cfg=bpf_target_arch="x86_64"'

# The names of the eBPF programs' crates: each [[bin]] of the package.
ebpf_bins() {
  awk '/^\[/ { bin = ($0 == "[[bin]]") } bin && /^name *=/ { gsub(/.*= *"|".*/, ""); print }' kernel-rs/probes/Cargo.toml
}

# RUSTC_BOOTSTRAP: the crates that may use unstable features. A [[bin]] is a crate of its own name, not of its package's.
ebpf_features() { printf 'aya_ebpf,latscope_matching'; ebpf_bins | tr - _ | sed 's/^/,/' | tr -d '\n'; }
