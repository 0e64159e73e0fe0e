//! Tells the eBPF crate which architecture's `pt_regs` it is built for.

fn main() {
    aya_build::emit_bpf_target_arch_cfg();
}
