//! A session within the targets of who makes it.

use super::*;

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
