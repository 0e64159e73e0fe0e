//! Sessions of several engines.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::{
    histogram::Histogram,
    proto::{Group, Probe, ProgramStats, TcpProbe, UdpProbe, probe::Kind},
    spec::CompiledSpec,
};

/// Starts, or refuses for a reason.
struct Double {
    refuses: Option<Reason>,
    stopped: Arc<AtomicBool>,
}

impl Double {
    fn new(refuses: Option<Reason>) -> Self {
        Self {
            refuses,
            stopped: Arc::default(),
        }
    }
}

impl Engine for Double {
    fn capabilities(&self) -> Vec<Capability> {
        Vec::new()
    }

    fn check(&self, _spec: &CompiledSpec) -> Result<(), Failure> {
        Ok(())
    }

    fn load(&self, _spec: &CompiledSpec) -> Result<Vec<ProgramStats>, Failure> {
        Ok(Vec::new())
    }

    fn start(
        &self,
        _spec: &CompiledSpec,
        _log: Arc<SessionLog>,
    ) -> Result<Box<dyn Attachment>, Failure> {
        match self.refuses {
            Some(reason) => Err(Failure::new(reason, "not here")),
            None => Ok(Box::new(Attached(self.stopped.clone()))),
        }
    }
}

struct Attached(Arc<AtomicBool>);

impl Attachment for Attached {
    fn update(&mut self, _spec: &CompiledSpec) -> Result<(), Failure> {
        Ok(())
    }

    fn totals(&self) -> Totals {
        Totals {
            measured: 3,
            aggregated_only: 3,
            ..Totals::default()
        }
    }

    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        Ok(Vec::new())
    }

    fn programs(&self) -> Vec<ProgramStats> {
        Vec::new()
    }

    fn kernel_memory_bytes(&self) -> u64 {
        5
    }

    fn probes(&self) -> Vec<ProbeStatus> {
        Vec::new()
    }

    fn stop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn start(engines: &[(EngineKind, &Double)]) -> Result<Arc<Session>, Failure> {
    let probe = |kind| Probe {
        kind: Some(kind),
        timeout: None,
    };
    let spec = SessionSpec {
        probes: vec![
            probe(Kind::Tcp(TcpProbe::default())),
            probe(Kind::Udp(UdpProbe::default())),
        ],
        ..SessionSpec::default()
    };
    let engines = engines.iter().map(|it| (it.0, it.1 as &dyn Engine));
    Session::start(engines, spec::check(&spec).unwrap())
}

#[test]
fn what_one_engine_cannot_do_here_leaves_the_others_part() {
    let (able, unable) = (
        Double::new(None),
        Double::new(Some(Reason::HookUnavailable)),
    );
    let session = start(&[(EngineKind::Span, &able), (EngineKind::Packet, &unable)]).unwrap();
    let (probes, state, reason) = session.probes();
    assert_eq!(
        (state, &*reason),
        (SessionState::Degraded, "spec.probes[0]: not here")
    );
    let fates: Vec<_> = probes.iter().map(|it| (it.probe, it.attached)).collect();
    assert_eq!(fates, [(0, false), (1, false)]);
    let refusals = session.refusals().iter().map(Failure::reason);
    assert_eq!(refusals.collect::<Vec<_>>(), [Reason::HookUnavailable]);
    assert_eq!(session.totals().measured, 3);
}

#[test]
fn totals_of_the_engines_are_added() {
    let engines = [Double::new(None), Double::new(None)];
    let session = start(&[
        (EngineKind::Packet, &engines[0]),
        (EngineKind::Span, &engines[1]),
    ])
    .unwrap();
    let stats = session.stats().unwrap();
    let totals = stats.totals.unwrap();
    assert_eq!((totals.measured, totals.aggregated_only), (6, 6));
    assert_eq!(stats.kernel_memory_bytes, 10);
    assert_eq!(session.probes().1, SessionState::Running);
    session.stop(EndReason::SessionStopped);
    assert!(engines.iter().all(|it| it.stopped.load(Ordering::Relaxed)));
}

#[test]
fn thinning_holds_through_updates_until_it_is_taken_back() {
    let able = Double::new(None);
    let session = start(&[(EngineKind::Packet, &able)]).unwrap();
    let granted = |spec: SessionSpec| spec.collection.unwrap().max_samples_per_second;
    let asked = |most| {
        let mut spec = session.effective_spec();
        spec.collection.as_mut().unwrap().max_samples_per_second = most;
        spec
    };
    assert_eq!(granted(session.thin(Some(500), "dear").unwrap()), Some(500));
    assert_eq!(granted(session.update(&asked(Some(0))).unwrap()), Some(500));
    assert_eq!(granted(session.update(&asked(Some(20))).unwrap()), Some(20));
    assert_eq!(
        granted(session.update(&asked(Some(7000))).unwrap()),
        Some(500)
    );
    assert_eq!(granted(session.thin(None, "cheap").unwrap()), Some(7000));
    let told = |number| session.log().nth_change(number).map(|it| it.reason);
    assert_eq!(
        [told(0), told(1), told(2)],
        [Some("dear".into()), Some("cheap".into()), None]
    );
    session.stop_because(EndReason::SessionStopped, "STOP_REASON_OVERHEAD");
    assert_eq!(told(2).as_deref(), Some("STOP_REASON_OVERHEAD"));
    assert_eq!(
        session.thin(Some(5), "late").unwrap_err().reason(),
        Reason::Closed
    );
}

#[test]
fn a_refused_request_leaves_nothing_attached() {
    let able = Double::new(None);
    let refuses = Double::new(Some(Reason::CapacityExhausted));
    let failure = start(&[(EngineKind::Packet, &able), (EngineKind::Span, &refuses)]).unwrap_err();
    assert_eq!(failure.reason(), Reason::CapacityExhausted);
    assert!(able.stopped.load(Ordering::Relaxed));
}

#[test]
fn when_none_can_the_first_says_why() {
    let unable = Double::new(Some(Reason::PrivilegeMissing));
    let failure = start(&[(EngineKind::Packet, &unable)]).unwrap_err();
    assert_eq!(failure.reason(), Reason::PrivilegeMissing);
}
