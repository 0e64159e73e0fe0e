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

fn failed<T: std::fmt::Debug>(result: Result<T, Failure>) -> (Reason, Vec<String>) {
    let failure = result.unwrap_err();
    let fields = failure.violations().iter().map(|it| it.field.clone());
    (failure.reason(), fields.collect())
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

mod conjunction;
mod cover;
mod redaction;
mod session;
