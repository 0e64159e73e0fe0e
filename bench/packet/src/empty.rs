//! The program that does nothing.

use std::time::Duration;

use anyhow::Context as _;
use aya::{
    Ebpf, EbpfLoader,
    programs::{SchedClassifier, TestRun as _, TestRunOptions},
};

static EMPTY: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../kernel-rs/probes/prebuilt/empty.bpf.o"
));

pub(crate) struct Empty {
    ebpf: Ebpf,
}

impl Empty {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let mut ebpf = EbpfLoader::new().load(EMPTY)?;
        program(&mut ebpf)?.load()?;
        Ok(Self { ebpf })
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut options = TestRunOptions::new();
        options.data_in = Some(bytes);
        program(&mut self.ebpf)?.test_run(options)?;
        Ok(())
    }

    pub(crate) fn run_time(&mut self) -> anyhow::Result<(Duration, u64)> {
        let info = program(&mut self.ebpf)?.info()?;
        Ok((info.run_time(), info.run_count()))
    }
}

fn program(ebpf: &mut Ebpf) -> anyhow::Result<&mut SchedClassifier> {
    let program = ebpf
        .program_mut("latscope_empty")
        .context("empty.bpf.o has no program")?;
    Ok(program.try_into()?)
}
