#!/usr/bin/env bash
# Measures the same events with latscope and with bpftrace at once, and prints count, least, mean and greatest of both in
# microseconds. As root, on a built tree (npm run build); installs bpftrace where it is missing.
#
#   scripts/compare.sh [COUNT]      200 naps, 200 spins and 256 blocks
#
# Exit code 77 says that it cannot run here, and the last line why. docs/performance.md explains the differences.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh

count=${1:-200}
[ "$(id -u)" = 0 ] || fail "eBPF programs need root" "sudo scripts/compare.sh"
[ -e kernel-rs/addon/latscope.node ] || fail "the tree is not built" "npm run build"
if ! command -v bpftrace >/dev/null && ! apt-get install -y -q --no-install-recommends bpftrace >/dev/null; then
  echo "no comparison: bpftrace is missing and could not be installed"
  exit 77
fi

folder=$(mktemp -d)
address=unix:$folder/socket
started=()
disk=
cleanup() {
  [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true
  wait
  [ -z "$disk" ] || losetup -d "$disk" || true
  rm -rf "$folder"
}
trap cleanup EXIT

# By a name of its own, for both tools to know it by.
cp "$(readlink -f "$(command -v perl)")" "$folder/lat-work"
work() { PERL5LIB=$(perl -e 'print join ":", @INC') "$folder/lat-work" "$@"; }
latscope() { node clients/cli/bin/latscope.js "$@" --address "$address"; }
pause() { read -r -t 0.1 -u "$NEVER" || true; }

node clients/cli/bin/latscope.js serve --socket "$folder/socket" --log-level warn >"$folder/service" 2>&1 &
started+=($!)
for _ in $(seq 200); do
  [ ! -S "$folder/socket" ] || break
  pause
done
[ -S "$folder/socket" ] || fail "the service did not start" "$(tail -n 5 "$folder/service")"

# It looks for tracepoints where many hosts mount nothing: mounts that only it sees.
trace() {
  # shellcheck disable=SC2016 # Expanded in there.
  exec unshare --mount --propagation private sh -c \
    'mount -t debugfs debug /sys/kernel/debug; mount -t tracefs trace /sys/kernel/tracing; exec bpftrace -e "$1"' sh "$1"
}

# both WHAT BPFTRACE-PROGRAM PROBE-FLAGS... -- WORKLOAD...
both() {
  local what=$1 program=$2 session tracer flags=()
  shift 2
  while [ "$1" != -- ]; do flags+=("$1") && shift; done
  shift
  session=$(latscope sessions create "${flags[@]}" --json |
    node -e 'console.log(JSON.parse(require("fs").readFileSync(0, "utf8")).name)')
  # The first probe is attached last: when it has fired, all are there.
  trace "interval:ms:100 { printf(\"ready\\n\"); } $program END { clear(@began); }" >"$folder/tracer" 2>&1 &
  tracer=$!
  for _ in $(seq 300); do
    ! grep -q ready "$folder/tracer" || break
    pause
  done
  grep -q ready "$folder/tracer" || fail "bpftrace does not attach" "$(tail -n 5 "$folder/tracer")"
  "$@" >/dev/null
  latscope sessions stop "$session" >/dev/null
  kill -INT "$tracer"
  wait "$tracer" || true
  latscope snapshot "$session" --json >"$folder/snapshot"
  latscope sessions delete "$session" >/dev/null
  node scripts/lib/compare.js "$what" "$folder/snapshot" "$folder/tracer"
}

# shellcheck disable=SC2016 # Variables of bpftrace.
counted='@count = count(); @least = min($it); @sum = sum($it); @most = max($it);'
printf '%-28s %-9s %8s %10s %10s %10s\n' what tool count least mean greatest

both "clock_nanosleep, 2 ms" "
  tracepoint:syscalls:sys_enter_clock_nanosleep /comm == \"lat-work\"/ { @began[tid] = nsecs; }
  tracepoint:syscalls:sys_exit_clock_nanosleep /@began[tid]/ { \$it = nsecs - @began[tid]; $counted delete(@began[tid]); }" \
  --syscall clock_nanosleep --comm lat-work -- \
  work -MTime::HiRes=usleep -e "usleep(2000) for 1..$count"

# Two that never sleep on one CPU wait for each other.
spin() {
  local spinners=()
  for _ in 1 2; do
    PERL5LIB=$(perl -e 'print join ":", @INC') taskset -c 0 "$folder/lat-work" -MTime::HiRes=time \
      -e "\$end = time + $count / 200; 1 while time < \$end" &
    spinners+=($!)
  done
  wait "${spinners[@]}"
}
both "run queue, two on one CPU" "
  tracepoint:sched:sched_wakeup, tracepoint:sched:sched_wakeup_new { @began[args->pid] = nsecs; }
  tracepoint:sched:sched_switch {
    if (args->prev_state == 0) { @began[args->prev_pid] = nsecs; }
    if (@began[args->next_pid]) {
      if (args->next_comm == \"lat-work\") { \$it = nsecs - @began[args->next_pid]; $counted }
      delete(@began[args->next_pid]);
    }
  }" --run-queue --comm lat-work -- spin

truncate -s 1M "$folder/disk"
disk=$(losetup --find --show "$folder/disk")
number=$(stat -c '%t %T' "$disk")
device=$(((16#${number% *} << 20) + 16#${number#* }))
both "block I/O of a loop device" "
  tracepoint:block:block_rq_issue /args->dev == $device/ { @began[args->sector] = nsecs; }
  tracepoint:block:block_rq_complete /args->dev == $device && @began[args->sector]/ {
    \$it = nsecs - @began[args->sector]; $counted delete(@began[args->sector]);
  }" --tracepoint-pair block:block_rq_issue,block:block_rq_complete,dev,sector --comm dd -- \
  dd if="$disk" of=/dev/null bs=4096 iflag=direct status=none

if [ -e /sys/bus/event_source/devices/kprobe ]; then
  both "function hrtimer_nanosleep" "
    kprobe:hrtimer_nanosleep /comm == \"lat-work\"/ { @began[tid] = nsecs; }
    kretprobe:hrtimer_nanosleep /@began[tid]/ { \$it = nsecs - @began[tid]; $counted delete(@began[tid]); }" \
    --kernel-function hrtimer_nanosleep --comm lat-work -- \
    work -MTime::HiRes=usleep -e "usleep(2000) for 1..$count"
else
  echo "no function of the kernel is compared: this kernel has no kprobes (CONFIG_KPROBES)"
fi
