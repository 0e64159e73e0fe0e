//! How much less is done while it is measured.

use crate::{Options, bpftrace::Bpftrace, median::Median, ours::Ours, work::Work};

pub(crate) fn table(options: &Options) -> anyhow::Result<()> {
    println!("| work | 1000/s alone | of that with us | with bpftrace |");
    println!("| --- | --- | --- | --- |");
    let ours = Ours::open();
    for work in [Work::Calls, Work::Switches] {
        let (mut alone, mut with_us, mut with_it) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.runs {
            let rate = work.run(options.turn)?;
            alone.push(rate / 1000.0);
            let session = ours.start(work)?;
            with_us.push(100.0 * work.run(options.turn)? / rate);
            drop(session);
            if let Some(bpftrace) = Bpftrace::start(work)? {
                with_it.push(100.0 * work.run(options.turn)? / rate);
                drop(bpftrace);
            }
        }
        let it = if with_it.is_empty() {
            "not installed".into()
        } else {
            format!("{} %", Median::of(with_it).show(1))
        };
        println!(
            "| {work:?} | {} | {} % | {it} |",
            Median::of(alone).show(0),
            Median::of(with_us).show(1),
        );
    }
    Ok(())
}
