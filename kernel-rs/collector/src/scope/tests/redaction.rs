//! What is withheld is not asked for, and not told by a spec.

use super::*;

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
