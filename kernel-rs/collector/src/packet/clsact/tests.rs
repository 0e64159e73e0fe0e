//! On loopback in a network namespace of each test's own; kernels that have tcx have clsact as well.

use std::os::fd::{AsFd as _, OwnedFd};

use super::{Clsact, MADE};
use crate::{
    packet::{
        interface,
        object::{Clock, Hook, Object},
        tables::Tables,
        tc::Tc,
    },
    testing::alone,
};

const BOTH: [Hook; 2] = [
    Hook {
        raw: false,
        egress: false,
    },
    Hook {
        raw: false,
        egress: true,
    },
];

/// Loopback and the programs, loaded.
struct Fixture {
    tc: Tc,
    index: u32,
    programs: Vec<(Hook, OwnedFd)>,
    _object: Object,
}

impl Fixture {
    fn new() -> Self {
        let lo = interface::list().unwrap();
        let index = lo.iter().find(|it| it.name == "lo").unwrap().index;
        let mut object = Object::open(Clock::Kernel, 1, Tables::default()).unwrap();
        let programs = BOTH.map(|hook| {
            let program = object.program(hook).unwrap().fd().unwrap();
            (hook, program.as_fd().try_clone_to_owned().unwrap())
        });
        Self {
            tc: Tc::open(index).unwrap(),
            index,
            programs: programs.into(),
            _object: object,
        }
    }

    fn attach(&self) -> std::io::Result<Clsact> {
        let programs: Vec<_> = self
            .programs
            .iter()
            .map(|(hook, program)| (*hook, program.as_fd()))
            .collect();
        Clsact::attach(self.index, &programs)
    }

    /// A filter as somebody else's, or as one of a dead service.
    fn leave(&self, handle: u32, name: &str) {
        let program = self.programs[0].1.as_fd();
        self.tc.add_filter(false, handle, name, program).unwrap();
    }

    /// Programs of the filters that are there.
    fn filters(&self) -> Vec<String> {
        let filters = self.tc.filters().unwrap();
        filters.into_iter().map(|it| it.program).collect()
    }

    /// Whether there is a clsact qdisc; takes it away.
    fn had_qdisc(&self) -> bool {
        self.tc.delete_clsact().is_ok()
    }
}

#[test]
fn nothing_of_it_stays() {
    alone(|| {
        let here = Fixture::new();
        let attached = here.attach().unwrap();
        assert_eq!(here.filters(), ["latscope_in", "latscope_out"]);
        drop(attached);
        assert!(!here.had_qdisc());
    });
}

#[test]
fn a_qdisc_that_was_there_stays() {
    alone(|| {
        let here = Fixture::new();
        assert!(here.tc.add_clsact().unwrap());
        drop(here.attach().unwrap());
        assert_eq!(here.filters(), [""; 0]);
        assert!(here.had_qdisc());
    });
}

#[test]
fn a_filter_of_another_keeps_the_qdisc_and_comes_after_ours() {
    alone(|| {
        let here = Fixture::new();
        let attached = here.attach().unwrap();
        here.leave(77, "theirs");
        drop(attached);
        assert_eq!(here.filters(), ["theirs"]);
        let attached = here.attach().unwrap();
        assert_eq!(here.filters(), ["latscope_in", "theirs", "latscope_out"]);
        drop(attached);
        assert_eq!(here.filters(), ["theirs"]);
        assert!(here.had_qdisc());
    });
}

#[test]
fn what_a_dead_service_left_is_removed_with_its_qdisc() {
    alone(|| {
        let here = Fixture::new();
        here.tc.add_clsact().unwrap();
        here.leave(0x1234_5670 | MADE, "latscope_in");
        let attached = here.attach().unwrap();
        assert_eq!(here.filters(), ["latscope_in", "latscope_out"]);
        drop(attached);
        assert!(!here.had_qdisc());
    });
}

#[test]
fn a_dead_service_that_found_the_qdisc_leaves_it() {
    alone(|| {
        let here = Fixture::new();
        here.tc.add_clsact().unwrap();
        here.leave(0x1234_5670, "latscope_in");
        drop(here.attach().unwrap());
        assert_eq!(here.filters(), [""; 0]);
        assert!(here.had_qdisc());
    });
}

#[test]
fn a_living_service_is_left_alone() {
    alone(|| {
        let here = Fixture::new();
        let first = here.attach().unwrap();
        let second = here.attach().unwrap();
        assert_eq!(here.filters().len(), 4);
        drop(first);
        assert_eq!(here.filters(), ["latscope_in", "latscope_out"]);
        drop(second);
        assert_eq!(here.filters(), [""; 0]);
    });
}

#[test]
fn an_ingress_qdisc_is_left_alone() {
    alone(|| {
        let here = Fixture::new();
        let made = std::process::Command::new("tc")
            .args(["qdisc", "add", "dev", "lo", "ingress"])
            .status()
            .unwrap();
        assert!(made.success());
        let refused = here.attach().err().unwrap();
        assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy);
        here.leave(77, "theirs");
        // It has one list of filters, which it shows as both.
        assert_eq!(here.filters(), ["theirs", "theirs"]);
    });
}

#[test]
fn an_interface_that_went_takes_it_along() {
    alone(|| {
        let here = Fixture::new();
        let ip = |arguments: &str| {
            let done = std::process::Command::new("ip")
                .args(arguments.split(' '))
                .status()
                .unwrap();
            assert!(done.success(), "ip {arguments}");
        };
        ip("link add v0 type veth peer name v1");
        let all = interface::list().unwrap();
        let index = all.iter().find(|it| it.name == "v0").unwrap().index;
        let there = Fixture {
            tc: Tc::open(index).unwrap(),
            index,
            ..here
        };
        let attached = there.attach().unwrap();
        ip("link del v0");
        drop(attached);
        assert_eq!(there.tc.filters().unwrap(), []);
    });
}
