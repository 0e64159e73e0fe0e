//! `METRIC_SOFTIRQ` and `METRIC_HARDIRQ`: nobody's handlers, named by their vector.

use super::sessions::{collector, latency, read, unfiltered};
use crate::proto::{EndReason, Filter, Metric, SoftirqProbe, probe::Kind};

/// Packets over loopback, each of which a soft interrupt receives.
fn packets(count: usize) {
    let (a, b) = (
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap(),
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap(),
    );
    for _ in 0..count {
        a.send_to(b"ping", b.local_addr().unwrap()).unwrap();
        b.recv(&mut [0; 8]).unwrap();
    }
}

#[test]
fn rule_26_a_vector_has_a_name_and_no_process() {
    let collector = collector();
    let mut spec = unfiltered(Kind::Softirq(SoftirqProbe { hard_irqs: false }));
    spec.filters = vec![Filter {
        subjects: vec!["NET_RX".into()],
        ..Filter::default()
    }];
    let session = collector.start(&spec).unwrap();
    packets(50);
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    assert!(samples.len() >= 50, "{}", samples.len());
    for sample in &samples {
        assert_eq!((&*sample.subject, &sample.process), ("NET_RX", &None));
        assert!(latency(sample).as_secs() < 1, "{sample:?}");
    }
    assert_eq!(totals.measured, samples.len() as u64);
}

#[test]
fn hard_interrupts_have_the_names_of_their_devices() {
    let collector = collector();
    let session = collector
        .start(&unfiltered(Kind::Softirq(SoftirqProbe { hard_irqs: true })))
        .unwrap();
    // A write to the disk or the console of the machine ends in an interrupt; a timer's does not count as one.
    std::thread::sleep(std::time::Duration::from_millis(300));
    packets(10);
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    let known = std::fs::read_to_string("/proc/interrupts").unwrap();
    for sample in samples.iter().filter(|it| it.metric() == Metric::Hardirq) {
        assert!(known.contains(&sample.subject), "{sample:?}");
        assert_eq!(sample.process, None);
    }
    assert!(samples.iter().any(|it| it.metric() == Metric::Softirq));
    assert_eq!(totals.measured, samples.len() as u64);
}
