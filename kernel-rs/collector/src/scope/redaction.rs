//! What is withheld of a sample, and of a spec that would tell it.

use prost_types::FieldMask;

use crate::{
    failure::Reason,
    log::chunk::{Flow, Process},
    metric,
    proto::{self, Filter, Metric, SessionSpec, probe::Kind},
    spec::{cidr::Cidr, violations::Violations},
};

const IPV4_BITS: u8 = 32;
const IPV6_BITS: u8 = 128;

/// What is withheld; the checked form of `latscope.v1.Redaction`. The default withholds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each withholds a thing of its own"
)]
pub struct Redaction {
    /// Leading bits of an address that are told, of 32.
    pub(crate) ipv4_prefix_length: u8,
    /// The same, of 128.
    pub(crate) ipv6_prefix_length: u8,
    /// Of both sides.
    pub(crate) ports: bool,
    pub(crate) comm: bool,
    /// The subject of `DNS_REPLY`.
    pub(crate) dns_names: bool,
    /// Its id and path, and the container.
    pub(crate) cgroup: bool,
    /// Of process and thread.
    pub(crate) pid: bool,
}

impl Default for Redaction {
    fn default() -> Self {
        Self {
            ipv4_prefix_length: IPV4_BITS,
            ipv6_prefix_length: IPV6_BITS,
            ports: false,
            comm: false,
            dns_names: false,
            cgroup: false,
            pid: false,
        }
    }
}

impl Redaction {
    pub(super) fn check(redaction: &proto::Redaction, violations: &mut Violations) -> Self {
        let proto::Redaction {
            ipv4_prefix_length,
            ipv6_prefix_length,
            ports,
            comm,
            dns_names,
            cgroup,
            pid,
        } = *redaction;
        let mut length = |asked: Option<u32>, most: u8, field: &str| {
            let length = asked.unwrap_or(most.into());
            match u8::try_from(length) {
                Ok(length) if length <= most => length,
                _ => {
                    violations.add(
                        Reason::FieldInvalid,
                        format!("redaction.{field}"),
                        format!("{length} is above {most}"),
                    );
                    0
                }
            }
        };
        Self {
            ipv4_prefix_length: length(ipv4_prefix_length, IPV4_BITS, "ipv4_prefix_length"),
            ipv6_prefix_length: length(ipv6_prefix_length, IPV6_BITS, "ipv6_prefix_length"),
            ports,
            comm,
            dns_names,
            cgroup,
            pid,
        }
    }

    /// Nothing is withheld.
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Some addresses are cut.
    fn addresses(self) -> bool {
        self.ipv4_prefix_length < IPV4_BITS || self.ipv6_prefix_length < IPV6_BITS
    }

    /// Leading bits that are told of an address.
    pub(crate) fn prefix_length(self, ipv4: bool) -> u8 {
        if ipv4 {
            self.ipv4_prefix_length
        } else {
            self.ipv6_prefix_length
        }
    }

    /// A flow as it is told.
    pub(crate) fn flow(self, flow: &Flow) -> Flow {
        let length = self.prefix_length(flow.ipv4);
        let cut = |address| Cidr::of(flow.ipv4, address, length).address;
        let port = |port| if self.ports { 0 } else { port };
        Flow {
            client_address: cut(&flow.client_address),
            server_address: cut(&flow.server_address),
            client_port: port(flow.client_port),
            server_port: port(flow.server_port),
            ..*flow
        }
    }

    /// A process as it is told.
    pub(crate) fn process(self, process: &Process) -> Process {
        let mut told = *process;
        if self.pid {
            (told.pid, told.tid) = (0, 0);
        }
        if self.comm {
            told.comm = 0;
        }
        if self.cgroup {
            (told.cgroup_id, told.cgroup_path, told.container_id) = (0, 0, 0);
        }
        told
    }

    /// Whether the subject of such a metric, by its number, is told.
    pub(crate) fn tells_subject(self, metric: u8) -> bool {
        !self.dns_names || metric != Metric::DnsReply as u8
    }

    /// The fields of `Sample` that are not told in full; `None` if all are.
    pub(crate) fn fields(self) -> Option<FieldMask> {
        let mut paths = Vec::new();
        let mut withhold = |withheld: bool, fields: &[&str]| {
            if withheld {
                paths.extend(fields.iter().map(|it| (*it).to_owned()));
            }
        };
        withhold(
            self.addresses(),
            &["flow.client_address", "flow.server_address"],
        );
        withhold(self.ports, &["flow.client_port", "flow.server_port"]);
        withhold(self.pid, &["process.pid", "process.tid"]);
        withhold(self.comm, &["process.comm"]);
        withhold(
            self.cgroup,
            &[
                "process.cgroup_id",
                "process.cgroup_path",
                "process.container_id",
            ],
        );
        withhold(self.dns_names, &["subject"]);
        (!paths.is_empty()).then_some(FieldMask { paths })
    }

    /// As the contract says it; `None` if nothing is withheld.
    pub(crate) fn message(self) -> Option<proto::Redaction> {
        let Self {
            ipv4_prefix_length,
            ipv6_prefix_length,
            ports,
            comm,
            dns_names,
            cgroup,
            pid,
        } = self;
        let length = |length, most| (length < most).then_some(u32::from(length));
        (!self.is_none()).then_some(proto::Redaction {
            ipv4_prefix_length: length(ipv4_prefix_length, IPV4_BITS),
            ipv6_prefix_length: length(ipv6_prefix_length, IPV6_BITS),
            ports,
            comm,
            dns_names,
            cgroup,
            pid,
        })
    }

    /// A spec without what would tell more of its samples than they do: a filter on one address says which one the samples of
    /// its network are of.
    #[must_use]
    pub fn spec(&self, spec: &SessionSpec) -> SessionSpec {
        let mut told = spec.clone();
        if self.is_none() {
            return told;
        }
        for filter in told.filters.iter_mut().chain(&mut told.exclude) {
            self.cut_filter(filter);
        }
        for probe in &mut told.probes {
            match &mut probe.kind {
                Some(Kind::UserFunction(it)) if self.pid => it.pid = 0,
                Some(Kind::Socket(it)) if self.cgroup => it.cgroup_path.clear(),
                _ => {}
            }
        }
        if self.pid {
            told.network_namespaces.retain(|it| !it.starts_with("pid:"));
        }
        told
    }

    fn cut_filter(self, filter: &mut Filter) {
        for cidrs in [
            &mut filter.client_cidrs,
            &mut filter.server_cidrs,
            &mut filter.cidrs,
        ] {
            let cut = cidrs.iter().filter_map(|it| Cidr::parse(it).ok());
            let cut = cut.map(|it| {
                let length = self.prefix_length(it.ipv4).min(it.prefix_length);
                Cidr::of(it.ipv4, &it.address, length).to_string()
            });
            let mut cut = cut.collect::<Vec<_>>();
            cut.dedup();
            *cidrs = cut;
        }
        if self.ports {
            filter.client_ports.clear();
            filter.server_ports.clear();
            filter.ports.clear();
        }
        if self.pid {
            filter.pids.clear();
        }
        if self.comm {
            filter.comms.clear();
        }
        if self.cgroup {
            filter.cgroup_paths.clear();
        }
        let dns = Metric::DnsReply as i32;
        if self.dns_names && (filter.metrics.is_empty() || filter.metrics.contains(&dns)) {
            filter.subjects.clear();
        }
    }

    /// Metrics whose subject is not told: bit n is `Metric` n.
    pub(super) fn silent_subjects(self) -> u32 {
        if self.dns_names {
            metric::bit(Metric::DnsReply)
        } else {
            0
        }
    }
}
