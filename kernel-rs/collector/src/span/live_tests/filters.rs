//! Filters in the kernel: whole processes, names, cgroups with what is below them, exclusion, failures, speed.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    child::{Child, sleep},
    sessions::{collector, read, spec, unfiltered},
};
use crate::proto::{EndReason, Filter, SessionSpec, SyscallProbe, Totals, probe::Kind};

const NAP: Duration = Duration::from_millis(2);

fn sleeps() -> Kind {
    Kind::Syscall(SyscallProbe {
        names: vec!["clock_nanosleep".into()],
        failed_only: false,
    })
}

fn filtered(filters: Vec<Filter>, exclude: Vec<Filter>) -> SessionSpec {
    SessionSpec {
        filters,
        exclude,
        ..unfiltered(sleeps())
    }
}

/// Pids of the samples, and the totals.
fn run(spec: &SessionSpec, children: &mut [&mut Child]) -> (Vec<u32>, Totals) {
    let collector = collector();
    let session = collector.start(spec).unwrap();
    for child in children {
        child.run();
    }
    session.stop(EndReason::SessionStopped);
    let (samples, totals) = read(&session);
    let pid = |it: &crate::proto::Sample| it.process.as_ref().unwrap().pid;
    (samples.iter().map(pid).collect(), totals)
}

pub(super) fn name_itself(name: &str) {
    let mut bytes = [0_u8; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: 16 bytes that end with NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr()) };
}

#[test]
fn a_pid_is_the_whole_process() {
    // A thread of its own, by clone: the thread's id is another than the process's.
    let mut threaded = Child::new(|| {
        std::thread::spawn(|| sleep(NAP)).join().unwrap();
        sleep(NAP);
    });
    let mut other = Child::new(|| sleep(NAP));
    let only = threaded.pid;
    let (pids, totals) = run(&spec(sleeps(), &[only]), &mut [&mut threaded, &mut other]);
    assert_eq!(pids, [only, only]);
    assert_eq!(totals.measured, 2);
}

#[test]
fn a_name_is_that_of_the_moment() {
    let mut child = Child::new(|| {
        sleep(NAP);
        name_itself("latscope-a");
        sleep(NAP);
        name_itself("latscope-b");
        sleep(NAP);
    });
    let by_name = Filter {
        comms: vec!["latscope-a".into()],
        ..Filter::default()
    };
    let only = child.pid;
    let (pids, _) = run(&filtered(vec![by_name], Vec::new()), &mut [&mut child]);
    assert_eq!(pids, [only]);
}

/// A cgroup of the test's own, gone with the value.
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    pub(super) fn new(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let root = mounts
            .lines()
            .find(|it| it.contains(" cgroup2 "))
            .and_then(|it| it.split(' ').nth(1))
            .expect("cgroup v2");
        let path = PathBuf::from(root).join(format!("latscope-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::create_dir(path.join("below")).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> String {
        format!("/{}", self.0.file_name().unwrap().to_str().unwrap())
    }

    pub(super) fn take(&self, child: &Child, below: &str) {
        fs::write(
            self.0.join(below).join("cgroup.procs"),
            child.pid.to_string(),
        )
        .unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join("below"));
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_cgroup_is_everything_below_it() {
    let (mine, other) = (Cgroup::new("mine"), Cgroup::new("other"));
    let mut children = [(); 3].map(|()| Child::new(|| sleep(NAP)));
    mine.take(&children[0], "");
    mine.take(&children[1], "below");
    other.take(&children[2], "");
    let by_cgroup = Filter {
        cgroup_paths: vec![mine.path()],
        ..Filter::default()
    };
    let wanted = [children[0].pid, children[1].pid];
    let [a, b, c] = &mut children;
    let (pids, _) = run(&filtered(vec![by_cgroup], Vec::new()), &mut [a, b, c]);
    assert_eq!(pids, wanted);
}

#[test]
fn exclusion_wins_and_clauses_are_alternatives() {
    let mut children = [(); 3].map(|()| Child::new(|| sleep(NAP)));
    let by_pid = |pid: u32| Filter {
        pids: vec![pid],
        ..Filter::default()
    };
    let filters = children.iter().map(|it| by_pid(it.pid)).collect();
    let exclude = vec![by_pid(children[1].pid)];
    let wanted = [children[0].pid, children[2].pid];
    let [a, b, c] = &mut children;
    let (pids, totals) = run(&filtered(filters, exclude), &mut [a, b, c]);
    assert_eq!(pids, wanted);
    assert_eq!(totals.measured, 2);
}

#[test]
fn a_cgroup_that_is_not_there_is_refused_by_its_path() {
    let nowhere = Filter {
        cgroup_paths: vec!["/no/such/cgroup".into()],
        ..Filter::default()
    };
    let refused = collector()
        .start(&filtered(vec![nowhere], Vec::new()))
        .unwrap_err();
    assert_eq!(
        refused.violations()[0].field,
        "spec.filters[0].cgroup_paths[0]"
    );
}

#[test]
fn fast_ones_are_counted_and_give_no_sample() {
    const LONG: Duration = Duration::from_millis(40);
    let mut child = Child::new(|| {
        (0..10).for_each(|_| sleep(NAP));
        sleep(LONG);
    });
    let mut spec = spec(sleeps(), &[child.pid]);
    spec.collection.get_or_insert_default().sample_min_latency = LONG.try_into().ok();
    let (pids, totals) = run(&spec, &mut [&mut child]);
    assert_eq!(totals.measured, 11);
    assert_eq!(totals.aggregated_only, 11 - pids.len() as u64);
    // A busy machine may make a nap long; it cannot make the long one short.
    assert!((1..=3).contains(&pids.len()), "{pids:?}");
}
