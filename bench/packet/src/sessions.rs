//! Who listens.

use anyhow::anyhow;
use latscope_collector::{
    packet::replay::Replay,
    proto::{
        Collection, DnsProbe, Filter, GroupBy, IcmpProbe, PortRange, Probe, QuicProbe, SessionSpec,
        TcpProbe, UdpProbe, probe,
    },
    spec::{self, CompiledSpec},
};
use latscope_traffic::frame::client_ports;

const SESSIONS: u32 = 64;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One session, everything, live clock: histograms alone.
    One,
    /// The same, and every latency as a sample too.
    Samples,
    /// The same by the capture's clock.
    Capture,
    /// 64 sessions that all want everything.
    All64,
    /// 64 sessions, each with a 64th of the flows.
    Disjoint64,
    /// 64 sessions that want everything, in four groupings.
    Grouped64,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::One,
        Self::Samples,
        Self::Capture,
        Self::All64,
        Self::Disjoint64,
        Self::Grouped64,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Samples => "samples",
            Self::Capture => "capture",
            Self::All64 => "all64",
            Self::Disjoint64 => "disjoint64",
            Self::Grouped64 => "grouped64",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|it| it.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("--sessions: {name} is not one of {names}")
            })
    }

    /// The programs, loaded for these sessions.
    pub(crate) fn open(self, flows: usize) -> anyhow::Result<Replay> {
        let sessions: Vec<CompiledSpec> = match self {
            Self::One => vec![session(Vec::new(), Vec::new(), true)?],
            Self::Samples | Self::Capture => vec![session(Vec::new(), Vec::new(), false)?],
            Self::All64 => (0..SESSIONS)
                .map(|_| session(Vec::new(), Vec::new(), true))
                .collect::<Result<_, _>>()?,
            Self::Disjoint64 => (0..SESSIONS)
                .map(|number| session(vec![share(number, flows)], Vec::new(), true))
                .collect::<Result<_, _>>()?,
            Self::Grouped64 => (0..SESSIONS)
                .map(|number| session(Vec::new(), grouping(number), true))
                .collect::<Result<_, _>>()?,
        };
        Replay::for_sessions(&sessions, self != Self::Capture).map_err(|it| anyhow!("{it}"))
    }
}

/// One of four ways to group.
fn grouping(number: u32) -> Vec<GroupBy> {
    match number % 4 {
        0 => vec![],
        1 => vec![GroupBy::ServerPrefix],
        2 => vec![GroupBy::ClientPrefix],
        _ => vec![GroupBy::ServerPort, GroupBy::Interface],
    }
}

fn session(
    filters: Vec<Filter>,
    group_by: Vec<GroupBy>,
    histograms_only: bool,
) -> anyhow::Result<CompiledSpec> {
    let kinds = if filters.is_empty() {
        vec![
            probe::Kind::Tcp(TcpProbe::default()),
            probe::Kind::Udp(UdpProbe::default()),
            probe::Kind::Dns(DnsProbe::default()),
            probe::Kind::Icmp(IcmpProbe::default()),
            probe::Kind::Quic(QuicProbe::default()),
        ]
    } else {
        vec![probe::Kind::Tcp(TcpProbe::default())]
    };
    let spec = SessionSpec {
        probes: kinds
            .into_iter()
            .map(|kind| Probe {
                kind: Some(kind),
                ..Probe::default()
            })
            .collect(),
        filters,
        collection: Some(Collection {
            max_samples_per_second: Some(0),
            histograms_only,
            group_by: group_by.into_iter().map(i32::from).collect(),
            ..Collection::default()
        }),
        ..SessionSpec::default()
    };
    let checked = spec::check(&spec).map_err(|it| anyhow!("{it}"))?;
    Ok(checked.compiled)
}

/// The clients of one of the disjoint sessions.
fn share(number: u32, flows: usize) -> Filter {
    let ports = client_ports(flows);
    let first = u32::from(*ports.start());
    let count = u32::from(*ports.end()) - first + 1;
    let at = |number: u32| first + number * count.max(SESSIONS) / SESSIONS;
    Filter {
        client_ports: vec![PortRange {
            first: at(number),
            last: at(number + 1) - 1,
        }],
        ..Filter::default()
    }
}
