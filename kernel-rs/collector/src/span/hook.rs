//! The programs that each metric needs, and what they are attached to.

use crate::{metric, proto::Metric};

/// A program on a raw tracepoint with BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Hook {
    /// Its name in the object.
    pub(super) program: &'static str,
    /// Tracepoint.
    pub(super) tracepoint: &'static str,
    /// A table whose entries nobody removes while the program is not attached.
    pub(super) keeps: Option<&'static str>,
}

const fn hook(program: &'static str, tracepoint: &'static str) -> Hook {
    Hook {
        program,
        tracepoint,
        keeps: None,
    }
}

const fn keeper(program: &'static str, tracepoint: &'static str, table: &'static str) -> Hook {
    Hook {
        program,
        tracepoint,
        keeps: Some(table),
    }
}

/// Threads that end leave the table of all that is kept by thread.
const EXIT: Hook = keeper("latscope_exit", "sched_process_exit", "THREADS");

const SYSCALL: &[Hook] = &[
    EXIT,
    hook("latscope_sys_exit", "sys_exit"),
    hook("latscope_sys_enter", "sys_enter"),
];
const RUN_QUEUE: &[Hook] = &[
    EXIT,
    hook("latscope_switch", "sched_switch"),
    hook("latscope_wakeup", "sched_wakeup"),
    hook("latscope_wakeup_new", "sched_wakeup_new"),
];
const OFF_CPU: &[Hook] = &[EXIT, hook("latscope_switch", "sched_switch")];
const BLOCK_IO: &[Hook] = &[
    EXIT,
    keeper("latscope_request_complete", "block_rq_complete", "REQUESTS"),
    hook("latscope_request_requeue", "block_rq_requeue"),
    hook("latscope_request_issue", "block_rq_issue"),
    hook("latscope_request_insert", "block_rq_insert"),
];
const SOFTIRQ: &[Hook] = &[
    hook("latscope_softirq_out", "softirq_exit"),
    hook("latscope_softirq_in", "softirq_entry"),
];
const HARDIRQ: &[Hook] = &[
    hook("latscope_hardirq_out", "irq_handler_exit"),
    hook("latscope_hardirq_in", "irq_handler_entry"),
];

const NET_STACK_RECEIVE: &[Hook] = &[
    EXIT,
    hook("latscope_skb_read", "skb_copy_datagram_iovec"),
    hook("latscope_skb_gone", "consume_skb"),
    hook("latscope_skb_dropped", "kfree_skb"),
    keeper("latscope_skb_in", "netif_receive_skb", "RECEIVED"),
];

/// Of those whose own programs are attached lane by lane.
const BY_LANE: &[Hook] = &[EXIT];

/// The programs of a metric, those of its end first: what begins before they are all there begins nothing.
pub(super) fn of(metric: Metric) -> &'static [Hook] {
    match metric {
        Metric::Syscall => SYSCALL,
        Metric::RunQueue => RUN_QUEUE,
        Metric::OffCpu => OFF_CPU,
        Metric::BlockIoDevice | Metric::BlockIoQueue => BLOCK_IO,
        Metric::Softirq => SOFTIRQ,
        Metric::Hardirq => HARDIRQ,
        Metric::NetStackReceive => NET_STACK_RECEIVE,
        Metric::UserFunction | Metric::KernelFunction | Metric::TracepointPair => BY_LANE,
        _ => &[],
    }
}

/// Those of several metrics, of which bit n is `Metric` n.
pub(super) fn of_all(metrics: u32) -> Vec<Hook> {
    let hooks = metric::rows(metrics).flat_map(|row| of(row.metric));
    hooks.copied().collect()
}
