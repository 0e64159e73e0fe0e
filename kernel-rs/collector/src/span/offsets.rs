//! What the programs must know of the running kernel.

use std::os::unix::fs::MetadataExt as _;

use latscope_events::span::offsets::Offsets;

use crate::{
    btf::Btf,
    failure::{Failure, Reason},
};

/// Inode of the host's pid namespace (`PROC_PID_INIT_INO`).
const HOST_PIDS: u64 = 0xefff_fffc;

/// Whether pids here are those that the kernel's programs see. Elsewhere filters would mean other processes, and the service
/// would measure itself.
fn pids_are_the_host_s() -> Result<(), Failure> {
    match std::fs::metadata("/proc/self/ns/pid") {
        Ok(it) if it.ino() != HOST_PIDS => {
            let text = "the service runs in a pid namespace, where processes have other ids; run it in the host's";
            Err(
                Failure::new(Reason::HookUnavailable, text).with_precondition(
                    "STATE",
                    "pid namespace",
                    text,
                ),
            )
        }
        _ => Ok(()),
    }
}

/// Finds every offset that the programs use.
///
/// # Errors
/// `HOOK_UNAVAILABLE` where the kernel has no BTF, or lacks one of the fields, and in a pid namespace.
pub(super) fn find() -> Result<Offsets, Failure> {
    pids_are_the_host_s()?;
    let btf = Btf::running().map_err(|why| {
        Failure::new(Reason::HookUnavailable, why.clone()).with_precondition(
            "BTF",
            "vmlinux",
            why.clone(),
        )
    })?;
    let at = |structure: &str, field: &str| {
        btf.offset(structure, field).ok_or_else(|| {
            let text = format!("this kernel's BTF has no field {structure}.{field}");
            Failure::new(Reason::HookUnavailable, text.clone())
                .with_precondition("BTF", structure, text)
        })
    };
    let preempt = preempt(&btf);
    Ok(Offsets {
        task_pid: at("task_struct", "pid")?,
        task_tgid: at("task_struct", "tgid")?,
        task_comm: at("task_struct", "comm")?,
        task_cgroups: at("task_struct", "cgroups")?,
        task_flags: at("task_struct", "flags")?,
        css_set_cgroup: at("css_set", "dfl_cgrp")?,
        cgroup_kn: at("cgroup", "kn")?,
        cgroup_level: at("cgroup", "level")?,
        cgroup_ancestors: at("cgroup", "ancestors")?,
        kernfs_id: at("kernfs_node", "id")?,
        request_queue: at("request", "q")?,
        request_length: at("request", "__data_len")?,
        queue_disk: at("request_queue", "disk")?,
        disk_major: at("gendisk", "major")?,
        disk_first_minor: at("gendisk", "first_minor")?,
        skb_head: at("sk_buff", "head")?,
        skb_dev: at("sk_buff", "dev")?,
        skb_iif: at("sk_buff", "skb_iif")?,
        device_index: at("net_device", "ifindex")?,
        device_net: at("net_device", "nd_net")?,
        net_inode: at("net", "ns")? + at("ns_common", "inum")?,
        own_pid: std::process::id(),
        exit: [libc::SYS_exit as u32, libc::SYS_exit_group as u32],
        return_pops: if cfg!(target_arch = "x86_64") { 8 } else { 0 },
        regs_cs: if cfg!(target_arch = "x86_64") {
            at("pt_regs", "cs")?
        } else {
            0
        },
        task_group_queue: preempt.map_or(0, |it| it.task_group_queue),
        group_queue: preempt.map_or(0, |it| it.group_queue),
        preempt_distance: preempt.map_or(0, |it| it.distance),
        preempt_known: preempt.is_some().into(),
    })
}

/// The way to a CPU's preempt count, which tells interrupts from tasks.
#[derive(Clone, Copy)]
struct Preempt {
    task_group_queue: u32,
    group_queue: u32,
    distance: i32,
}

/// `None` where this kernel has it elsewhere, or its scheduler knows no groups.
fn preempt(btf: &Btf) -> Option<Preempt> {
    let count = btf.variable("__preempt_count").or_else(|| {
        // From 6.2 to 6.14.
        Some(btf.variable("pcpu_hot")? + btf.offset("pcpu_hot", "preempt_count")?)
    })?;
    Some(Preempt {
        task_group_queue: btf.offset("task_struct", "se")?
            + btf.offset("sched_entity", "cfs_rq")?,
        group_queue: btf.offset("cfs_rq", "rq")?,
        distance: i32::try_from(i64::from(count) - i64::from(btf.variable("runqueues")?)).ok()?,
    })
}
