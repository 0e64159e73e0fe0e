//! Programs that do nothing, on the same hooks.

use anyhow::Context as _;
use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::{BtfTracePoint, UProbe, uprobe::UProbeScope},
};

static EMPTY: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../kernel-rs/probes/prebuilt/empty.bpf.o"
));

/// Where a program sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// A raw tracepoint with BTF.
    Tracepoint(&'static str),
    /// The beginning of the benchmark's function.
    Call,
    /// Its return.
    Return,
}

/// A program that does nothing, attached until it is dropped.
pub(crate) struct Empty {
    ebpf: Ebpf,
    name: &'static str,
}

impl Empty {
    pub(crate) fn attach(hook: Hook) -> anyhow::Result<Self> {
        let mut ebpf = EbpfLoader::new().load(EMPTY)?;
        let name = match hook {
            Hook::Tracepoint(_) => "latscope_empty_tracepoint",
            Hook::Call => "latscope_empty_call",
            Hook::Return => "latscope_empty_return",
        };
        let program = ebpf
            .program_mut(name)
            .with_context(|| format!("empty.bpf.o has no {name}"))?;
        if let Hook::Tracepoint(tracepoint) = hook {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(tracepoint, &Btf::from_sys_fs()?)?;
            program.attach()?;
        } else {
            let program: &mut UProbe = program.try_into()?;
            program.load()?;
            let symbol = "latscope_bench_nothing";
            program.attach(symbol, std::env::current_exe()?, UProbeScope::AllProcesses)?;
        }
        Ok(Self { ebpf, name })
    }

    /// Runs of it and ns in it, so far.
    pub(crate) fn runs(&self) -> anyhow::Result<(u64, u64)> {
        let program = self.ebpf.program(self.name).context("it was attached")?;
        let info = program.info()?;
        Ok((info.run_count(), info.run_time().as_nanos() as u64))
    }
}
