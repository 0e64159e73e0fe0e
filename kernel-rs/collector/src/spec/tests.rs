use super::*;
use crate::proto::{
    Collection, Direction, DnsProbe, GroupBy, IpProtocol, Limits, Metric, PortRange, TcpProbe,
    probe::Kind,
};

fn tcp() -> Probe {
    Probe {
        kind: Some(Kind::Tcp(TcpProbe::default())),
        timeout: None,
    }
}

fn spec_of(probe: Probe) -> SessionSpec {
    SessionSpec {
        probes: vec![probe],
        ..SessionSpec::default()
    }
}

fn wrong(spec: &SessionSpec) -> Vec<(String, String)> {
    let failure = check(spec).unwrap_err();
    failure
        .violations()
        .iter()
        .map(|it| (it.field.clone(), it.description.clone()))
        .collect()
}

fn filtered(filter: Filter) -> SessionSpec {
    SessionSpec {
        filters: vec![filter],
        ..spec_of(tcp())
    }
}

#[test]
fn an_empty_spec_needs_a_probe() {
    let failure = check(&SessionSpec::default()).unwrap_err();
    assert_eq!(failure.reason(), Reason::FieldRequired);
    assert_eq!(
        failure.message(),
        "spec.probes: must hold at least one probe"
    );
}

#[test]
fn a_bare_tcp_probe_gets_every_default() {
    let Checked {
        effective,
        compiled,
        ..
    } = check(&spec_of(tcp())).unwrap();
    let built = [
        Metric::TcpHandshakeRemote,
        Metric::TcpHandshakeLocal,
        Metric::TcpRtt,
    ];
    assert!(
        built
            .iter()
            .all(|it| compiled.metrics() & metric::bit(*it) != 0)
    );
    let collection = effective.collection.unwrap();
    assert_eq!(collection.max_samples_per_second, Some(50_000));
    assert_eq!(
        (
            collection.ipv4_prefix_length,
            collection.ipv6_prefix_length,
            collection.max_groups
        ),
        (24, 48, 1024)
    );
    let limits = effective.limits.unwrap();
    assert_eq!((limits.duration, limits.max_samples), (None, None));
    assert_eq!(limits.idle_timeout.unwrap().seconds, 600);
    assert_eq!(limits.history_bytes, Some(32 << 20));
    let Some(Kind::Tcp(tcp)) = &effective.probes[0].kind else {
        panic!("a tcp probe")
    };
    assert!(tcp.metrics.contains(&(Metric::TcpRtt as i32)));
}

#[test]
fn checking_the_effective_spec_changes_nothing() {
    let filter = Filter {
        cidrs: vec!["10.1.2.3/8".into(), "fd00::1".into()],
        server_ports: vec![PortRange {
            first: 443,
            last: 0,
        }],
        ..Filter::default()
    };
    let first = check(&filtered(filter)).unwrap();
    assert_eq!(
        first.effective.filters[0].cidrs,
        ["10.0.0.0/8", "fd00::1/128"]
    );
    assert_eq!(
        first.effective.filters[0].server_ports,
        [PortRange {
            first: 443,
            last: 443
        }]
    );
    assert_eq!(check(&first.effective).unwrap(), first);
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_path() {
    let spec = SessionSpec {
        probes: vec![Probe::default(), tcp()],
        filters: vec![Filter {
            cidrs: vec!["10.0.0.0/8".into(), "10.0.0.0/99".into()],
            client_ports: vec![
                PortRange { first: 1, last: 2 },
                PortRange {
                    first: 70_000,
                    last: 0,
                },
            ],
            ports: vec![PortRange { first: 9, last: 8 }, PortRange::default()],
            vlan_ids: vec![4095],
            directions: vec![0],
            min_latency: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            ..Filter::default()
        }],
        exclude: vec![Filter::default()],
        interfaces: vec!["eth0".into(), "a/b".into()],
        network_namespaces: vec!["pid:0".into()],
        collection: Some(Collection {
            ipv4_prefix_length: 33,
            group_by: vec![GroupBy::Comm as i32, 99],
            ..Collection::default()
        }),
        limits: Some(Limits {
            duration: Some(prost_types::Duration {
                seconds: -1,
                nanos: 0,
            }),
            max_samples: Some(0),
            ..Limits::default()
        }),
        ..SessionSpec::default()
    };
    let fields = wrong(&spec)
        .into_iter()
        .map(|(field, _)| field)
        .collect::<Vec<_>>();
    assert_eq!(
        fields,
        [
            "spec.probes[0]",
            "spec.filters[0].cidrs[1]",
            "spec.filters[0].client_ports[1].first",
            "spec.filters[0].ports[0].last",
            "spec.filters[0].ports[1].first",
            "spec.filters[0].vlan_ids[0]",
            "spec.filters[0].directions[0]",
            "spec.filters[0].min_latency",
            "spec.exclude[0]",
            "spec.interfaces[1]",
            "spec.network_namespaces[0]",
            "spec.collection.ipv4_prefix_length",
            "spec.collection.group_by[0]",
            "spec.collection.group_by[1]",
            "spec.limits.max_samples",
            "spec.limits.duration",
        ]
    );
    assert_eq!(
        check(&spec).unwrap_err().message(),
        "spec.probes[0]: must set one kind of probe (and 15 more)"
    );
}

#[test]
fn a_clause_that_no_metric_of_a_probe_has_the_fields_for_is_refused() {
    let by_pid = Filter {
        pids: vec![1],
        ..Filter::default()
    };
    assert_eq!(
        check(&filtered(by_pid.clone())).unwrap_err().reason(),
        Reason::FilterUnmatchable
    );
    assert_eq!(wrong(&filtered(by_pid.clone()))[0].0, "spec.probes[0]");
    let by_protocol = Filter {
        protocols: vec![IpProtocol::Udp as i32],
        ..Filter::default()
    };
    assert_eq!(wrong(&filtered(by_protocol))[0].0, "spec.probes[0]");
    let of_another = Filter {
        metrics: vec![Metric::RunQueue as i32],
        ..Filter::default()
    };
    assert_eq!(wrong(&filtered(of_another))[0].0, "spec.probes[0]");
    let either = SessionSpec {
        filters: vec![by_pid, Filter::default()],
        ..spec_of(tcp())
    };
    assert!(check(&either).is_ok());
}

#[test]
fn a_metric_of_another_probe_is_invalid() {
    let probe = Probe {
        kind: Some(Kind::Tcp(TcpProbe {
            metrics: vec![3, 15, 99],
        })),
        timeout: None,
    };
    let fields = wrong(&spec_of(probe));
    assert_eq!(
        fields[0],
        (
            "spec.probes[0].tcp.metrics[1]".into(),
            "METRIC_RUN_QUEUE is not of this probe".into()
        )
    );
    assert_eq!(
        fields[1],
        (
            "spec.probes[0].tcp.metrics[2]".into(),
            "99 is not a metric".into()
        )
    );
}

#[test]
fn an_update_may_not_touch_what_is_fixed() {
    let old = check(&spec_of(tcp())).unwrap().compiled;
    let live = check(&SessionSpec {
        filters: vec![Filter {
            directions: vec![Direction::Inbound as i32],
            ..Filter::default()
        }],
        ..spec_of(tcp())
    });
    assert_eq!(live.unwrap().check_update_of(&old), Ok(()));
    let fixed = check(&SessionSpec {
        interfaces: vec!["lo".into()],
        ..spec_of(tcp())
    })
    .unwrap();
    let failure = fixed.check_update_of(&old).unwrap_err();
    assert_eq!(failure.violations()[0].field, "spec.interfaces");
}

fn dns(ports: &[u32], timeout_s: Option<i64>) -> Probe {
    Probe {
        kind: Some(Kind::Dns(DnsProbe {
            ports: ports.into(),
            udp_only: false,
        })),
        timeout: timeout_s.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
    }
}

#[test]
fn options_of_a_probe_get_their_defaults() {
    let probes = vec![
        dns(&[], None),
        Probe {
            kind: Some(Kind::Quic(proto::QuicProbe::default())),
            timeout: None,
        },
        Probe {
            kind: Some(Kind::Udp(proto::UdpProbe::default())),
            timeout: None,
        },
    ];
    let spec = SessionSpec {
        probes,
        ..SessionSpec::default()
    };
    let checked = check(&spec).unwrap();
    let kinds: Vec<_> = checked.effective.probes.iter().map(|it| &it.kind).collect();
    let [
        Some(Kind::Dns(dns)),
        Some(Kind::Quic(quic)),
        Some(Kind::Udp(udp)),
    ] = kinds[..]
    else {
        panic!("{kinds:?}")
    };
    assert_eq!(
        (&dns.ports[..], &quic.ports[..]),
        (&[53, 5353][..], &[443][..])
    );
    assert_eq!(udp.idle_reset.unwrap().seconds, 10);
    assert_eq!(check(&checked.effective).unwrap(), checked);
}

#[test]
fn nothing_of_packets_is_waited_for_longer_than_five_minutes() {
    check(&spec_of(dns(&[], Some(300)))).unwrap();
    assert_eq!(
        wrong(&spec_of(dns(&[], Some(301)))),
        [(
            "spec.probes[0].timeout".into(),
            "must be at most 300 s".into()
        )]
    );
}

#[test]
fn two_probes_do_not_measure_the_same_in_two_ways() {
    let spec = |probes| SessionSpec {
        probes,
        ..SessionSpec::default()
    };
    check(&spec(vec![dns(&[53], None), dns(&[53], None)])).unwrap();
    for other in [dns(&[54], None), dns(&[53], Some(1))] {
        let wrong = wrong(&spec(vec![tcp(), dns(&[53], None), other]));
        assert_eq!(wrong.len(), 1);
        assert_eq!(wrong[0].0, "spec.probes[2]");
        assert!(wrong[0].1.contains("spec.probes[1]"), "{wrong:?}");
    }
}
