//! Where the running kernel keeps what the program reads.

use latscope_events::socket::Offsets;

use crate::btf::Btf;

/// Those of the running kernel, or which of them it does not tell.
pub(super) fn running() -> Result<Offsets, String> {
    let btf = Btf::running()?;
    let offset = |structure: &str, field: &str| {
        btf.offset(structure, field)
            .ok_or_else(|| format!("the kernel's BTF has no {structure}.{field}"))
    };
    Ok(Offsets {
        task_tgid: offset("task_struct", "tgid")?,
        task_pid: offset("task_struct", "pid")?,
        task_comm: offset("task_struct", "comm")?,
        sock_cgroup: offset("sock", "sk_cgrp_data")?,
        sock_error: offset("sock", "sk_err")?,
        sock_state: offset("sock_common", "skc_state")?,
        cgroup_node: offset("cgroup", "kn")?,
        node_id: offset("kernfs_node", "id")?,
        cgroup_level: offset("cgroup", "level")?,
        cgroup_ancestors: offset("cgroup", "ancestors")?,
    })
}
