//! Clauses and targets joined by AND.

use super::*;

fn anded(one: Filter, other: Filter) -> Vec<Filter> {
    let [one, other] = [one, other].map(|it| clauses(&[it]));
    let both = product::and(&one[0], &other[0]);
    both.iter().map(Filter::from).collect()
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
