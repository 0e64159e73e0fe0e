use std::{fs, os::unix::fs::MetadataExt as _};

use proptest::prelude::*;

use super::*;
use crate::{
    log::SessionLog,
    metric,
    proto::{
        Collection, DnsProbe, GroupBy, Metric, PortRange, Probe, SessionSpec, SocketProbe,
        SyscallProbe, TcpProbe, UserFunctionProbe, probe::Kind, user_function_probe::Target,
    },
    reader::Filters,
    sample::ProcessView,
    spec::{self, violations::Violations},
    testing::{self, Owned},
};

fn of(kinds: Vec<Kind>, filters: Vec<Filter>) -> SessionSpec {
    let probes = kinds.into_iter().map(|kind| Probe {
        kind: Some(kind),
        timeout: None,
    });
    SessionSpec {
        probes: probes.collect(),
        filters,
        ..SessionSpec::default()
    }
}

fn tcp() -> Kind {
    Kind::Tcp(TcpProbe::default())
}

fn syscalls() -> Kind {
    Kind::Syscall(SyscallProbe::default())
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|it| (*it).to_owned()).collect()
}

fn cidrs(list: &[&str]) -> Filter {
    Filter {
        cidrs: texts(list),
        ..Filter::default()
    }
}

fn client(list: &[&str]) -> Filter {
    Filter {
        client_cidrs: texts(list),
        ..Filter::default()
    }
}

fn subjects(list: &[&str]) -> Filter {
    Filter {
        subjects: texts(list),
        ..Filter::default()
    }
}

fn at(interfaces: &[&str]) -> Filter {
    Filter {
        interfaces: texts(interfaces),
        ..Filter::default()
    }
}

fn of_metrics(metrics: &[Metric], filter: Filter) -> Filter {
    Filter {
        metrics: metrics.iter().map(|it| *it as i32).collect(),
        ..filter
    }
}

fn within(targets: &[Filter]) -> Scope {
    Scope::check("", Some(targets), &proto::Redaction::default()).unwrap()
}

fn clauses(filters: &[Filter]) -> Vec<Clause> {
    within(filters).targets.unwrap()
}

fn anded(one: Filter, other: Filter) -> Vec<Filter> {
    let [one, other] = [one, other].map(|it| clauses(&[it]));
    let both = product::and(&one[0], &other[0]);
    both.iter().map(Filter::from).collect()
}

fn failed<T: std::fmt::Debug>(result: Result<T, Failure>) -> (Reason, Vec<String>) {
    let failure = result.unwrap_err();
    let fields = failure.violations().iter().map(|it| it.field.clone());
    (failure.reason(), fields.collect())
}

#[test]
fn each_field_of_two_clauses_is_anded() {
    let ports = |first, last| vec![PortRange { first, last }];
    let one = Filter {
        client_cidrs: texts(&["10.0.0.0/8", "fd00::/16"]),
        server_cidrs: texts(&["192.168.0.0/16"]),
        client_ports: ports(1000, 2000),
        server_ports: ports(443, 443),
        vlan_ids: vec![1, 2],
        directions: vec![1, 2],
        pids: vec![7, 8],
        comms: texts(&["a", "b"]),
        cgroup_paths: texts(&["/a", "/b/c"]),
        metrics: vec![1, 3],
        protocols: vec![6, 17],
        network_namespaces: vec![0, 4],
        interfaces: texts(&["veth*", "eth0"]),
        ..Filter::default()
    };
    let other = Filter {
        client_cidrs: texts(&["10.1.0.0/16", "10.2.0.0/15", "fd00::1", "11.0.0.0/8"]),
        server_cidrs: texts(&["0.0.0.0/0"]),
        client_ports: ports(1500, 65_535),
        server_ports: ports(1, 1024),
        vlan_ids: vec![2, 3],
        directions: vec![2, 3],
        pids: vec![8],
        comms: texts(&["b", "c"]),
        cgroup_paths: texts(&["/a/x", "/b", "/d"]),
        metrics: vec![3, 4],
        protocols: vec![6],
        network_namespaces: vec![4, 5],
        interfaces: texts(&["eth*", "veth1*"]),
        ..Filter::default()
    };
    let both = Filter {
        client_cidrs: texts(&["10.1.0.0/16", "10.2.0.0/15", "fd00::1/128"]),
        server_cidrs: texts(&["192.168.0.0/16"]),
        client_ports: ports(1500, 2000),
        server_ports: ports(443, 443),
        vlan_ids: vec![2],
        directions: vec![2],
        pids: vec![8],
        comms: texts(&["b"]),
        cgroup_paths: texts(&["/a/x", "/b/c"]),
        metrics: vec![3],
        protocols: vec![6],
        network_namespaces: vec![4],
        interfaces: texts(&["veth1*", "eth0"]),
        ..Filter::default()
    };
    assert_eq!(anded(one.clone(), other), [both]);
    assert_eq!(
        anded(one.clone(), Filter::default()),
        anded(one.clone(), one)
    );
    assert_eq!(anded(client(&["10.0.0.0/8"]), client(&["11.0.0.0/8"])), []);
    assert_eq!(anded(client(&["10.0.0.0/8"]), client(&["::/0"])), []);
}

#[test]
fn either_side_is_anded_case_by_case() {
    assert_eq!(
        anded(cidrs(&["10.0.0.0/8"]), cidrs(&["10.1.0.0/16"])),
        [cidrs(&["10.1.0.0/16"])]
    );
    let crossed = |client: &str, server: &str| Filter {
        client_cidrs: texts(&[client]),
        server_cidrs: texts(&[server]),
        ..Filter::default()
    };
    assert_eq!(
        anded(cidrs(&["10.0.0.0/8"]), cidrs(&["192.168.0.0/16"])),
        [
            crossed("10.0.0.0/8", "192.168.0.0/16"),
            crossed("192.168.0.0/16", "10.0.0.0/8")
        ]
    );
    assert_eq!(
        anded(client(&["10.1.0.0/16"]), cidrs(&["10.0.0.0/8"])),
        [client(&["10.1.0.0/16"])]
    );
    let ports = |first, last| Filter {
        ports: vec![PortRange { first, last }],
        ..Filter::default()
    };
    assert_eq!(anded(ports(1, 1024), ports(1000, 2000)).len(), 3);
    assert_eq!(anded(ports(1, 1024), ports(80, 80)), [ports(80, 80)]);
}

#[test]
fn subjects_are_suffixes_for_dns_alone() {
    let both = anded(
        subjects(&["example.com", "read"]),
        subjects(&["www.example.com", "read"]),
    );
    let dns = of_metrics(&[Metric::DnsReply], subjects(&["www.example.com", "read"]));
    assert_eq!(both[1], dns);
    assert_eq!(both[0].subjects, ["read"]);
    assert_eq!(both[0].metrics.len(), metric::TABLE.len() - 1);
    assert_eq!(
        anded(subjects(&["read", "write"]), subjects(&["read"])),
        [subjects(&["read"])]
    );
    let syscalls = of_metrics(&[Metric::Syscall], subjects(&["read"]));
    assert_eq!(anded(syscalls, subjects(&["write"])), []);
}

#[test]
fn a_spec_is_narrowed_to_the_targets() {
    let targets = [
        of_metrics(&[Metric::TcpRtt, Metric::Syscall], cidrs(&["10.0.0.0/8"])),
        Filter {
            cgroup_paths: texts(&["/web"]),
            ..Filter::default()
        },
    ];
    let asked = of(vec![tcp(), syscalls()], Vec::new());
    let narrowed = narrow(&asked, &within(&targets)).unwrap();
    assert_eq!(narrowed.filters, targets);
    assert_eq!(
        (narrowed.interfaces.len(), &narrowed.probes),
        (0, &asked.probes)
    );
    assert!(spec::check(&narrowed).is_ok());
    let asked = of(
        vec![tcp()],
        vec![cidrs(&["10.9.0.0/16"]), cidrs(&["10.0.0.0/9"])],
    );
    assert_eq!(
        narrow(&asked, &within(&targets[..1])).unwrap().filters,
        [of_metrics(
            &[Metric::TcpRtt, Metric::Syscall],
            cidrs(&["10.0.0.0/9"])
        )],
        "what a wider clause matches needs no clause of its own"
    );
    assert_eq!(narrow(&asked, &Scope::default()).unwrap(), asked);
    assert_eq!(
        narrow(&asked, &within(&[Filter::default()]))
            .unwrap()
            .filters
            .len(),
        1
    );
    let unfiltered = of(vec![tcp()], Vec::new());
    assert_eq!(
        narrow(&unfiltered, &within(&[Filter::default()])).unwrap(),
        unfiltered
    );
}

#[test]
fn a_probe_of_which_nothing_is_left_is_denied() {
    let asked = of(vec![tcp(), syscalls()], Vec::new());
    for (targets, fields) in [
        (vec![], vec!["spec.probes[0]", "spec.probes[1]"]),
        (vec![cidrs(&["10.0.0.0/8"])], vec!["spec.probes[1]"]),
        (
            vec![of_metrics(&[Metric::Syscall], Filter::default())],
            vec!["spec.probes[0]"],
        ),
        (vec![at(&["eth0"])], vec!["spec.probes[1]"]),
    ] {
        let (reason, denied) = failed(narrow(&asked, &within(&targets)));
        assert_eq!((reason, denied), (Reason::TargetDenied, texts(&fields)));
    }
    let elsewhere = of(vec![tcp()], vec![cidrs(&["11.0.0.0/8"])]);
    let ten = within(&[client(&["10.0.0.0/8"])]);
    assert_eq!(
        narrow(&elsewhere, &ten).unwrap().filters,
        [Filter {
            client_cidrs: texts(&["10.0.0.0/8"]),
            server_cidrs: vec![],
            cidrs: texts(&["11.0.0.0/8"]),
            ..Filter::default()
        }]
    );
    let elsewhere = of(vec![tcp()], vec![client(&["11.0.0.0/8"])]);
    assert_eq!(failed(narrow(&elsewhere, &ten)).1, ["spec.probes[0]"]);
}

#[test]
fn names_of_dns_are_left_to_readers() {
    let dns = Kind::Dns(DnsProbe::default());
    let targets = within(&[subjects(&["example.com"])]);
    let narrowed = narrow(&of(vec![dns], Vec::new()), &targets).unwrap();
    assert_eq!(
        narrowed.filters,
        [of_metrics(&[Metric::DnsReply], Filter::default())]
    );
    let compiled = spec::check(&narrowed).unwrap().compiled;
    assert!(!covers(
        targets.targets.as_ref().unwrap(),
        &compiled,
        &compiled.filters
    ));
    let asked = of(
        vec![Kind::Dns(DnsProbe::default()), syscalls()],
        vec![subjects(&["read"])],
    );
    assert_eq!(
        failed(spec::check(&asked)),
        (Reason::FieldInvalid, texts(&["spec.filters[0].subjects"]))
    );
    let apart = of_metrics(&[Metric::Syscall], subjects(&["read"]));
    let names = of(
        vec![Kind::Dns(DnsProbe::default()), syscalls()],
        vec![apart, of_metrics(&[Metric::DnsReply], Filter::default())],
    );
    assert!(spec::check(&names).is_ok());
}

#[test]
fn interfaces_of_targets_become_those_of_the_session() {
    let narrowed = |interfaces: &[&str], targets: &[Filter]| {
        let asked = SessionSpec {
            interfaces: texts(interfaces),
            ..of(vec![tcp()], Vec::new())
        };
        narrow(&asked, &within(targets))
    };
    let veths = Filter {
        interfaces: texts(&["veth*", "eth0"]),
        ..cidrs(&["10.0.0.0/8"])
    };
    for (asked, left) in [
        (&[][..], &["veth*", "eth0"][..]),
        (&["eth0", "eth1"], &["eth0"]),
        (&["veth1*", "lo"], &["veth1*"]),
        (&["*"], &["veth*", "eth0"]),
        (&["e*"], &["eth0"]),
    ] {
        let spec = narrowed(asked, std::slice::from_ref(&veths)).unwrap();
        assert_eq!(spec.interfaces, left, "{asked:?}");
        let packets = metric::TABLE
            .iter()
            .filter(|row| row.engine == metric::EngineKind::Packet);
        let metrics = packets.map(|row| row.metric).collect::<Vec<_>>();
        assert_eq!(spec.filters, [of_metrics(&metrics, cidrs(&["10.0.0.0/8"]))]);
    }
    let denied = failed(narrowed(&["lo"], std::slice::from_ref(&veths)));
    assert_eq!(denied, (Reason::TargetDenied, texts(&["spec.probes[0]"])));
    let apart = [
        veths,
        Filter {
            interfaces: texts(&["eth1"]),
            ..cidrs(&["192.168.0.0/16"])
        },
    ];
    let denied = failed(narrowed(&[], &apart));
    assert_eq!(denied, (Reason::TargetDenied, texts(&["spec.interfaces"])));
    assert_eq!(narrowed(&["eth1"], &apart).unwrap().interfaces, ["eth1"]);
}

#[test]
fn network_namespaces_are_compared_by_inode() {
    let own = "/proc/thread-self/ns/net";
    let asked = |names: &[&str]| SessionSpec {
        network_namespaces: texts(names),
        ..of(vec![tcp()], Vec::new())
    };
    let of_inodes = |inodes: &[u64]| {
        within(&[Filter {
            network_namespaces: inodes.to_vec(),
            ..Filter::default()
        }])
    };
    assert_eq!(
        narrow(&asked(&[]), &of_inodes(&[0]))
            .unwrap()
            .network_namespaces
            .len(),
        0
    );
    assert_eq!(
        narrow(&asked(&[own, "/nowhere"]), &of_inodes(&[0]))
            .unwrap()
            .network_namespaces,
        [own]
    );
    let inode = fs::metadata(own).unwrap().ino();
    for (spec, inodes) in [(asked(&[]), [inode]), (asked(&[own]), [1])] {
        assert_eq!(
            failed(narrow(&spec, &of_inodes(&inodes))).0,
            Reason::TargetDenied
        );
    }
}

#[test]
fn targets_cover_what_they_leave_nothing_of() {
    let covered = |spec: &SessionSpec, targets: &[Filter]| {
        let compiled = spec::check(spec).unwrap().compiled;
        covers(&clauses(targets), &compiled, &compiled.filters)
    };
    let ten = of(
        vec![tcp()],
        vec![client(&["10.1.0.0/16"]), cidrs(&["10.2.0.0/16"])],
    );
    let all = of(vec![tcp()], Vec::new());
    for (spec, targets, is) in [
        (&ten, vec![cidrs(&["10.0.0.0/8"])], true),
        (
            &ten,
            vec![cidrs(&["10.1.0.0/16"]), cidrs(&["10.2.0.0/16"])],
            true,
        ),
        (&ten, vec![cidrs(&["10.1.0.0/16"])], false),
        (&ten, vec![client(&["10.0.0.0/8"])], false),
        (&all, vec![Filter::default()], true),
        (&all, vec![], false),
        (&all, vec![cidrs(&["0.0.0.0/0"])], false),
        (
            &all,
            vec![Filter {
                protocols: vec![6],
                ..Filter::default()
            }],
            true,
        ),
        (
            &all,
            vec![Filter {
                protocols: vec![17],
                ..Filter::default()
            }],
            false,
        ),
        (
            &all,
            vec![of_metrics(&[Metric::TcpRtt], Filter::default())],
            false,
        ),
        (&all, vec![at(&["eth0"])], false),
        (
            &SessionSpec {
                interfaces: texts(&["eth0"]),
                ..all.clone()
            },
            vec![at(&["e*"])],
            true,
        ),
    ] {
        assert_eq!(covered(spec, &targets), is, "{targets:?}");
        if let Ok(narrowed) = narrow(spec, &within(&targets)) {
            assert!(covered(&narrowed, &targets), "{targets:?}");
        }
    }
}

fn withheld() -> proto::Redaction {
    proto::Redaction {
        ipv4_prefix_length: Some(16),
        ipv6_prefix_length: Some(32),
        ports: true,
        comm: true,
        dns_names: true,
        cgroup: true,
        pid: true,
    }
}

#[test]
fn nothing_finer_than_what_is_told_is_asked_for() {
    let scope = Scope::check("", None, &withheld()).unwrap();
    let port = || {
        vec![PortRange {
            first: 443,
            last: 443,
        }]
    };
    let finer = SessionSpec {
        exclude: vec![Filter {
            comms: texts(&["a"]),
            ..Filter::default()
        }],
        collection: Some(Collection {
            group_by: [
                GroupBy::Interface,
                GroupBy::ServerPrefix,
                GroupBy::ServerPort,
                GroupBy::Comm,
                GroupBy::Cgroup,
                GroupBy::Subject,
            ]
            .map(i32::from)
            .into(),
            ipv4_prefix_length: 17,
            ..Collection::default()
        }),
        ..of(
            vec![
                tcp(),
                syscalls(),
                Kind::Socket(SocketProbe {
                    cgroup_path: "/a".into(),
                    ..SocketProbe::default()
                }),
                Kind::UserFunction(UserFunctionProbe {
                    binary: "/bin/true".into(),
                    pid: 7,
                    target: Some(Target::Symbol("main".into())),
                }),
            ],
            vec![
                cidrs(&["10.0.0.0/16", "10.0.0.0/17", "fd00::/32", "fd00::/33"]),
                Filter {
                    client_ports: port(),
                    server_ports: port(),
                    ports: port(),
                    ..client(&["10.0.0.1"])
                },
                Filter {
                    pids: vec![7],
                    comms: texts(&["a"]),
                    cgroup_paths: texts(&["/a"]),
                    ..subjects(&["read"])
                },
                Filter::default(),
            ],
        )
    };
    assert_eq!(
        failed(narrow(&finer, &scope)),
        (
            Reason::RedactionDenied,
            texts(&[
                "spec.filters[0].cidrs[1]",
                "spec.filters[0].cidrs[3]",
                "spec.filters[1].client_cidrs[0]",
                "spec.filters[1].client_ports",
                "spec.filters[1].server_ports",
                "spec.filters[1].ports",
                "spec.filters[2].pids",
                "spec.filters[2].comms",
                "spec.filters[2].cgroup_paths",
                "spec.exclude[0].comms",
                "spec.probes[2].socket.cgroup_path",
                "spec.probes[3].user_function.pid",
                "spec.collection.group_by[1]",
                "spec.collection.group_by[2]",
                "spec.collection.group_by[3]",
                "spec.collection.group_by[4]",
            ])
        )
    );
    let grouped = SessionSpec {
        collection: Some(Collection {
            group_by: vec![GroupBy::ClientPrefix as i32],
            ..Collection::default()
        }),
        ..of(vec![tcp()], vec![cidrs(&["10.0.0.0/16"])])
    };
    let collection = narrow(&grouped, &scope).unwrap().collection.unwrap();
    assert_eq!(
        (collection.ipv4_prefix_length, collection.ipv6_prefix_length),
        (16, 32)
    );
}

#[test]
fn subjects_are_asked_for_where_they_are_no_names() {
    let scope = Scope::check(
        "",
        None,
        &proto::Redaction {
            dns_names: true,
            ..Default::default()
        },
    );
    let redaction = scope.unwrap().redaction;
    let refused = |filter: Filter, metrics| {
        let mut violations = Violations::default();
        refuse_filters(
            &clauses(&[filter]),
            "filters",
            metrics,
            redaction,
            &mut violations,
        );
        violations.finish().is_err()
    };
    let dns = metric::bit(Metric::DnsReply);
    let read = || subjects(&["read"]);
    assert!(refused(read(), metric::all()) && refused(read(), dns));
    assert!(!refused(read(), metric::all() & !dns));
    assert!(!refused(
        of_metrics(&[Metric::Syscall], read()),
        metric::all()
    ));
}

#[test]
fn a_spec_tells_no_more_than_its_samples() {
    let redaction = Scope::check("", None, &withheld()).unwrap().redaction;
    let spec = SessionSpec {
        network_namespaces: texts(&["pid:7", "/run/netns/a"]),
        ..of(
            vec![Kind::Socket(SocketProbe {
                cgroup_path: "/a".into(),
                ..SocketProbe::default()
            })],
            vec![
                Filter {
                    pids: vec![7],
                    comms: texts(&["a"]),
                    cgroup_paths: texts(&["/a"]),
                    server_ports: vec![PortRange {
                        first: 443,
                        last: 443,
                    }],
                    ..cidrs(&["10.1.2.3", "10.1.9.9", "10.0.0.0/8", "fd00:1:2::1"])
                },
                of_metrics(&[Metric::Syscall], subjects(&["read"])),
                subjects(&["example.com"]),
            ],
        )
    };
    let told = redaction.spec(&spec);
    assert_eq!(
        told.filters,
        [
            cidrs(&["10.1.0.0/16", "10.0.0.0/8", "fd00:1::/32"]),
            of_metrics(&[Metric::Syscall], subjects(&["read"])),
            Filter::default(),
        ]
    );
    assert_eq!(told.network_namespaces, ["/run/netns/a"]);
    assert_eq!(
        told.probes,
        of(vec![Kind::Socket(SocketProbe::default())], vec![]).probes
    );
    assert_eq!(Redaction::default().spec(&spec), spec);
}

#[test]
fn what_a_policy_says_is_checked() {
    let targets = [
        cidrs(&["10.0.0.0/99"]),
        Filter {
            min_latency: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            ..Filter::default()
        },
    ];
    let redaction = proto::Redaction {
        ipv4_prefix_length: Some(33),
        ipv6_prefix_length: Some(u32::MAX),
        ..proto::Redaction::default()
    };
    let (_, fields) = failed(Scope::check("", Some(&targets), &redaction));
    assert_eq!(
        fields,
        [
            "targets[0].cidrs[0]",
            "targets[1].min_latency",
            "redaction.ipv4_prefix_length",
            "redaction.ipv6_prefix_length",
        ]
    );
}

/// Few values, so that clauses meet.
fn any_filter() -> impl Strategy<Value = Filter> {
    let cidr = || prop_oneof!["10\\.[01]\\.0\\.0/(8|15|16|17)", Just("::/0".to_owned())];
    let list = |item| proptest::collection::vec(item, 0..3);
    let port = (1..6_u32, 0..4_u32).prop_map(|(first, more)| PortRange {
        first,
        last: first + more,
    });
    let ports = || proptest::collection::vec(port.clone(), 0..2);
    (
        (
            list(cidr().boxed()),
            list(cidr().boxed()),
            list(cidr().boxed()),
        ),
        (ports(), ports(), ports()),
        (
            proptest::collection::vec(prop_oneof![Just(3), Just(7), Just(14), Just(15)], 0..3),
            proptest::collection::vec(0..4_u32, 0..2),
            proptest::collection::vec("(a\\.)?b|c", 0..2),
            proptest::collection::vec("/a(/b)?|/c", 0..2),
        ),
    )
        .prop_map(
            |((client_cidrs, server_cidrs, cidrs), (client_ports, server_ports, ports), rest)| {
                let (metrics, vlan_ids, subjects, cgroup_paths) = rest;
                Filter {
                    client_cidrs,
                    server_cidrs,
                    cidrs,
                    client_ports,
                    server_ports,
                    ports,
                    metrics,
                    vlan_ids,
                    subjects,
                    cgroup_paths,
                    ..Filter::default()
                }
            },
        )
}

/// A sample that such filters can meet, of a process or of a flow.
fn any_sample() -> impl Strategy<Value = Owned> {
    let address = || {
        (any::<bool>(), 0..2_u8).prop_map(|(ipv4, second)| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&[10, second, 0, 1]);
            if !ipv4 {
                bytes[15] = 1;
            }
            (ipv4, bytes)
        })
    };
    let place = prop_oneof![
        Just(&b""[..]),
        Just(&b"/a"[..]),
        Just(&b"/a/b/c"[..]),
        Just(&b"/c"[..])
    ];
    let name = prop_oneof![Just(""), Just("b"), Just("a.b"), Just("x.A.b"), Just("c")];
    let metric = prop_oneof![
        Just(Metric::TcpRtt),
        Just(Metric::DnsReply),
        Just(Metric::Syscall),
        Just(Metric::RunQueue)
    ];
    (
        metric,
        address(),
        address(),
        (0..9_u16, 0..9_u16, 0..4_u16),
        place,
        name,
    )
        .prop_map(
            |(
                metric,
                (ipv4, client),
                (_, server),
                (client_port, server_port, vlan_id),
                place,
                name,
            )| {
                let mut sample = testing::sample(1, 1);
                sample.metric = metric;
                sample.subject = name.into();
                if metric as i32 >= Metric::Syscall as i32 {
                    sample.flow = None;
                    sample.process = Some(ProcessView {
                        pid: 1,
                        tid: 1,
                        comm: b"a",
                        cgroup_id: 1,
                        cgroup_path: place,
                        container_id: b"",
                    });
                } else if let Some(flow) = &mut sample.flow {
                    flow.ipv4 = ipv4;
                    (flow.client_address, flow.server_address) = (client, server);
                    (flow.client_port, flow.server_port) = (client_port, server_port);
                    flow.vlan_id = vlan_id;
                }
                sample
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn two_lists_anded_match_what_both_match(
        filters in proptest::collection::vec(any_filter(), 0..3),
        targets in proptest::collection::vec(any_filter(), 0..3),
        samples in proptest::collection::vec(any_sample(), 1..40),
    ) {
        let log = SessionLog::new(&testing::limits());
        log.append(samples.iter().map(Owned::sample));
        let chunk = log.view(0, 0, &[0; 3]).chunk.unwrap();
        let matched = |list: &[Clause]| -> Vec<usize> {
            if list.is_empty() {
                return Vec::new();
            }
            Filters::new(list.to_vec(), Vec::new(), None).select(&chunk, 0..chunk.len())
        };
        let (filters, targets) = (clauses(&filters), clauses(&targets));
        let asked = if filters.is_empty() { (0..chunk.len()).collect() } else { matched(&filters) };
        let allowed = matched(&targets);
        let both = asked.into_iter().filter(|at| allowed.contains(at)).collect::<Vec<_>>();
        prop_assert_eq!(matched(&narrowed(&filters, &targets)), both);
        for (one, other) in filters.iter().flat_map(|one| targets.iter().map(move |other| (one, other))) {
            if coverage::within(one, other) {
                let (inner, outer) = (matched(std::slice::from_ref(one)), matched(std::slice::from_ref(other)));
                prop_assert!(inner.iter().all(|at| outer.contains(at)), "{:?} in {:?}", one, other);
            }
        }
    }
}
