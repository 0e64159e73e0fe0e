//! A session as engines want it: checked, parsed, every default filled in.

use super::{cidr::Cidr, interface::InterfacePattern};
use crate::proto::{GroupBy, probe};

/// What to measure. Made by [`super::check`]; nothing in it can be wrong in form.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledSpec {
    /// At least one.
    pub probes: Vec<CompiledProbe>,
    /// OR between clauses; empty means everything.
    pub filters: Vec<Clause>,
    /// Wins over `filters`.
    pub exclude: Vec<Clause>,
    /// Empty means every interface that is up.
    pub interfaces: Vec<InterfacePattern>,
    /// Empty means the service's own.
    pub network_namespaces: Vec<Namespace>,
    /// What becomes of a latency.
    pub collection: Collection,
    /// When it ends and how much is kept.
    pub limits: Limits,
    /// Look inside tunnels.
    pub inner: bool,
    /// Flows are told apart without their VLAN.
    pub ignore_vlan: bool,
}

impl CompiledSpec {
    /// Union of the metrics of all probes: bit n is `Metric` n.
    #[must_use]
    pub fn metrics(&self) -> u32 {
        self.probes
            .iter()
            .fold(0, |mask, probe| mask | probe.metrics)
    }
}

/// One probe of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledProbe {
    /// Index in `spec.probes`.
    pub index: u32,
    /// The kind with its own options.
    pub kind: probe::Kind,
    /// Bit n is `Metric` n.
    pub metrics: u32,
    /// A start older than this has no end; `None` = the metric's default.
    pub timeout_ns: Option<u64>,
}

/// Conditions that all hold; an empty list or a full mask is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The side that opened the flow.
    pub client_cidrs: Vec<Cidr>,
    /// The other side.
    pub server_cidrs: Vec<Cidr>,
    /// Either side.
    pub cidrs: Vec<Cidr>,
    /// Of the side that opened the flow.
    pub client_ports: Vec<Ports>,
    /// Of the other side.
    pub server_ports: Vec<Ports>,
    /// Of either side.
    pub ports: Vec<Ports>,
    /// 0 = untagged.
    pub vlan_ids: Vec<u16>,
    /// Bit n is `Direction` n; 0 = no condition.
    pub directions: u32,
    /// IP protocol numbers.
    pub protocols: Vec<u8>,
    /// Thread groups.
    pub pids: Vec<u32>,
    /// Names of tasks.
    pub comms: Vec<String>,
    /// Paths below the root of cgroup v2, each with everything below it.
    pub cgroup_paths: Vec<String>,
    /// Syscall, device, function, vector; DNS name suffix.
    pub subjects: Vec<String>,
    /// Readers only; 0 in a session's clauses.
    pub min_latency_ns: u64,
    /// The clause speaks of these metrics: bit n is `Metric` n; `u32::MAX` = of all.
    pub metrics: u32,
    /// Readers only.
    pub interfaces: Vec<InterfacePattern>,
    /// Readers only: inodes; 0 = the service's own.
    pub network_namespaces: Vec<u64>,
}

impl Clause {
    /// Without any condition.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            client_cidrs: Vec::new(),
            server_cidrs: Vec::new(),
            cidrs: Vec::new(),
            client_ports: Vec::new(),
            server_ports: Vec::new(),
            ports: Vec::new(),
            vlan_ids: Vec::new(),
            directions: 0,
            protocols: Vec::new(),
            pids: Vec::new(),
            comms: Vec::new(),
            cgroup_paths: Vec::new(),
            subjects: Vec::new(),
            min_latency_ns: 0,
            metrics: u32::MAX,
            interfaces: Vec::new(),
            network_namespaces: Vec::new(),
        }
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Lowest.
    pub first: u16,
    /// Highest, never below `first`.
    pub last: u16,
}

/// Where a network namespace is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// A path such as `/run/netns/blue`.
    Path(String),
    /// That of a process.
    Pid(u32),
}

/// What becomes of a latency; the checked form of `latscope.v1.Collection`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Individual samples per second and CPU; 0 = no cap.
    pub max_samples_per_second: u32,
    /// No individual samples at all.
    pub histograms_only: bool,
    /// Histogram keys.
    pub group_by: Vec<GroupBy>,
    /// For groups by prefix, 1 to 32.
    pub ipv4_prefix_length: u8,
    /// For groups by prefix, 1 to 128.
    pub ipv6_prefix_length: u8,
    /// Faster latencies give no individual sample.
    pub sample_min_latency_ns: u64,
    /// Beyond it groups fold into `other`.
    pub max_groups: u32,
}

/// When a session ends and how much of it is kept; the checked form of `latscope.v1.Limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `None` = no such limit.
    pub duration_ns: Option<u64>,
    /// `None` = no such limit.
    pub max_samples: Option<u64>,
    /// Never without.
    pub idle_timeout_ns: u64,
    /// Results are kept this long after the stop.
    pub retain_ns: u64,
    /// Replayable samples kept in memory, in bytes.
    pub history_bytes: u64,
}
