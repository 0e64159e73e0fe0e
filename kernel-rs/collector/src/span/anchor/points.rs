//! Tracepoints that the pairs of all lanes are attached to. The kernel takes a program once for each tracepoint: pairs that
//! share one share its program.

use std::{collections::HashMap, os::fd::OwnedFd};

use aya::programs::TracePoint;
use latscope_events::span::pair::{Pair as Laid, Point};

use super::{
    link,
    pair::{Pair, Tracepoint},
};
use crate::{
    bpf,
    failure::{Failure, Reason},
    program,
    proto::ProgramStats,
    span::object::{Object, PRIVILEGES},
};

const PROGRAM: &str = "latscope_point";

/// Those that are attached to.
#[derive(Default)]
pub(super) struct Points {
    attached: HashMap<String, Attached>,
    /// What a program finds its tracepoint by. Never used twice: one may still run for a tracepoint that is given up.
    next: u64,
    /// Target of each pair, by the bit of its lane.
    targets: HashMap<u32, u64>,
}

/// One tracepoint.
struct Attached {
    cookie: u64,
    point: Point,
    link: Option<OwnedFd>,
}

impl Points {
    /// Attaches to both tracepoints of a pair, the second first.
    ///
    /// # Errors
    /// What the kernel refuses; nothing stays attached then.
    pub(super) fn attach(
        &mut self,
        object: &mut Object,
        pair: &Pair,
        bit: u32,
        target: u64,
    ) -> Result<(), Failure> {
        object.lay_pair(
            bit,
            Laid {
                target,
                begin: pair.begin.key,
                end: pair.end.key,
            },
        )?;
        self.targets.insert(bit, target);
        let mask = 1_u64 << bit;
        let both = self
            .join(object, &pair.end, |point| point.ends |= mask)
            .and_then(|()| self.join(object, &pair.begin, |point| point.begins |= mask));
        both.inspect_err(|_| {
            let others = self.targets.keys().fold(0, |all, it| all | 1 << it);
            self.keep(object, others & !mask);
        })
    }

    /// The target of a lane.
    pub(super) fn target(&self, bit: u32) -> Option<u64> {
        self.targets.get(&bit).copied()
    }

    /// Lets go what no lane of these wants.
    pub(super) fn keep(&mut self, object: &mut Object, lanes: u64) {
        let gone: Vec<u64> = self
            .targets
            .extract_if(|bit, _| lanes >> bit & 1 == 0)
            .map(|it| it.1)
            .collect();
        if gone.is_empty() {
            return;
        }
        self.attached.retain(|_, it| {
            let before = (it.point.begins, it.point.ends);
            it.point.begins &= lanes;
            it.point.ends &= lanes;
            if it.point.begins | it.point.ends == 0 {
                it.link = None;
                object.forget_point(it.cookie);
                return false;
            }
            if before != (it.point.begins, it.point.ends) {
                // A table that has the key takes it again.
                let _ = object.lay_point(it.cookie, it.point);
            }
            true
        });
        // The next lane that gets the bit is another's.
        bpf::grace();
        object.forget_starts(&gone);
    }

    fn join(
        &mut self,
        object: &mut Object,
        tracepoint: &Tracepoint,
        change: impl FnOnce(&mut Point),
    ) -> Result<(), Failure> {
        let it = self
            .attached
            .entry(tracepoint.name.clone())
            .or_insert_with(|| {
                self.next += 1;
                Attached {
                    cookie: self.next,
                    point: Point { ends: 0, begins: 0 },
                    link: None,
                }
            });
        change(&mut it.point);
        object.lay_point(it.cookie, it.point)?;
        if it.link.is_none() {
            let program = object.loaded_program::<TracePoint>(PROGRAM, TracePoint::load)?;
            let link = link::tracepoint(program, tracepoint.id, it.cookie);
            it.link = Some(link.map_err(|error| refused(&tracepoint.name, &error))?);
        }
        Ok(())
    }

    /// The program, if it is loaded.
    pub(super) fn program(&self, object: &Object, shared: bool) -> Option<ProgramStats> {
        let (load_time, info, _) = object.info(PROGRAM)?;
        let mut names: Vec<&str> = self.attached.keys().map(String::as_str).collect();
        names.sort_unstable();
        let attached_to = match names[..] {
            [] => String::new(),
            _ => format!("tracepoint: {}", names.join(", ")),
        };
        let own = program::Own {
            name: PROGRAM,
            kind: "tracepoint",
            attached_to,
            shared,
            load_time,
        };
        Some(program::stats(own, info))
    }
}

fn refused(name: &str, error: &std::io::Error) -> Failure {
    crate::privilege::missing(PRIVILEGES).unwrap_or_else(|| {
        let text = format!("the kernel attaches nothing to tracepoint {name}: {error}");
        Failure::new(Reason::HookUnavailable, text.clone()).with_precondition(
            "CAPABILITY",
            "tracepoint",
            text,
        )
    })
}
