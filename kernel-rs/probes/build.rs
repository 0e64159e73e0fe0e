//! Tells the eBPF crate which architecture's `pt_regs` it is built for.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Ok(aya_build::emit_bpf_target_arch_cfg()?)
}
