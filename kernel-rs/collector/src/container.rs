//! Containers by the path of their cgroup.

/// Digits of a container's id.
const DIGITS: usize = 64;

/// The id in a cgroup's path, as Docker, containerd and CRI-O form it: the last part that is one, with what the runtime puts
/// around it (`docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`, `/docker/ID`, `/kubepods/.../ID`).
pub(crate) fn id(path: &str) -> Option<&str> {
    path.rsplit('/').find_map(|part| {
        let part = part.strip_suffix(".scope").unwrap_or(part);
        let part = part.rsplit_once(['-', ':']).map_or(part, |(_, id)| id);
        (part.len() == DIGITS && part.bytes().all(|it| it.is_ascii_hexdigit())).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_s_form_is_known() {
        let it = "0123456789abcdef".repeat(4);
        for path in [
            format!("/system.slice/docker-{it}.scope"),
            format!("/docker/{it}"),
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-{it}.scope"
            ),
            format!("/kubepods/besteffort/pod12-34/{it}"),
            format!("/kubepods.slice/kubepods-pod1.slice/crio-{it}.scope"),
            format!("/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{it}"),
            format!("/docker/{it}/init.scope"),
        ] {
            assert_eq!(id(&path), Some(&*it), "{path}");
        }
        assert_eq!(id("/user.slice/user-0.slice/session-1.scope"), None);
        assert_eq!(id("/"), None);
    }
}
