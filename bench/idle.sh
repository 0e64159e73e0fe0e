#!/usr/bin/env bash
# What the service costs while nothing happens: resident memory and CPU, first without a session, then with one session that
# sees no traffic and nobody reads, then with a reader that only gets heartbeats. In a network namespace of its own; needs root.
#
#   bench/idle.sh [SECONDS of each row] [SECONDS to settle before each] [NODE OPTION...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh

seconds=${1:-30}
settle=${2:-15}
shift $(($# < 2 ? $# : 2))
folder=$(mktemp -d)
namespace=latscope-idle-$$
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  ip netns delete "$namespace" 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

ip netns add "$namespace"
ip -netns "$namespace" link add quiet0 type veth peer name quiet1
ip netns exec "$namespace" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
ip -netns "$namespace" link set quiet0 up
ip netns exec "$namespace" node "$@" clients/cli/bin/latscope.js serve --socket "$folder/socket" --log-level warn >"$folder/log" 2>&1 &
service=$!
pids+=("$service")
for _ in $(seq 400); do
  [ -S "$folder/socket" ] && break
  sleep 0.05
done
[ -S "$folder/socket" ] || fail "the service does not serve" "$(cat "$folder/log")"

call() { grpcurl -plaintext -unix -d "$2" "$folder/socket" "latscope.v1.$1"; }
field() { awk -v name="$1:" '$1 == name { printf "%.1f", $2 / 1000 }' "/proc/$service/status"; }
# Nanoseconds on a CPU, of all threads.
busy() { awk '{ sum += $1 } END { printf "%.0f", sum }' /proc/"$service"/task/*/schedstat; }
switches() { awk '/ctxt_switches/ { sum += $2 } END { print sum }' /proc/"$service"/task/*/status; }

row() {
  local busy_before switches_before
  sleep "$settle"
  busy_before=$(busy) switches_before=$(switches)
  sleep "$seconds"
  awk -v what="$1" -v busy="$(($(busy) - busy_before))" -v switches="$(($(switches) - switches_before))" -v seconds="$seconds" \
    -v resident="$(field VmRSS)" -v own="$(field RssAnon)" -v threads="$(find "/proc/$service/task" -mindepth 1 -maxdepth 1 | wc -l)" \
    'BEGIN { printf "| %s | %s | %s | %.3f %% | %.1f | %d |\n", what, resident, own, busy / seconds / 1e7, switches / seconds, threads }'
}

echo "| | resident MB | of it no file's | CPU | context switches a second | threads |"
echo "| --- | --- | --- | --- | --- | --- |"
row "no session"
call SessionService/CreateSession '{"session_id": "idle", "session": {"spec": {"probes": [{"tcp": {}}]}}}' >/dev/null
row "one session, no traffic"
call SampleService/StreamSamples '{"session": "sessions/idle"}' >/dev/null &
pids+=("$!")
row "and a reader"
