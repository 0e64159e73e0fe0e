#!/usr/bin/env bash
# Throughput of iperf3 over a veth pair without a session and with one that measures everything, in turns. As root, after
# scripts/setup.sh; installs iperf3 where it is missing.
#
#   bench/throughput.sh [PAIRS [SECONDS]]      7 pairs of runs of 3 seconds each, for one stream and for eight
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh

pairs=${1:-7} seconds=${2:-3}
[ "$(id -u)" = 0 ] || fail "network namespaces need root" "sudo bench/throughput.sh"
command -v iperf3 >/dev/null || apt-get install -y -q --no-install-recommends iperf3 >/dev/null ||
  fail "iperf3 is missing and could not be installed" "apt-get update && apt-get install iperf3"

near=lstb-near-$$ far=lstb-far-$$ folder=$(mktemp -d)
started=()
cleanup() {
  [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true
  wait
  ip netns delete "$near" 2>/dev/null || true
  ip netns delete "$far" 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

ip netns add "$near"
ip netns add "$far"
ip -n "$near" link add near0 type veth peer name far0 netns "$far"
ip -n "$near" address add 10.78.0.1/24 dev near0
ip -n "$far" address add 10.78.0.2/24 dev far0
for end in "$near lo" "$near near0" "$far lo" "$far far0"; do
  read -r namespace device <<<"$end"
  ip -n "$namespace" link set "$device" up
done

latscope() { nsenter --net="/run/netns/$near" node clients/cli/bin/latscope.js "$@"; }

nsenter --net="/run/netns/$far" iperf3 --server >"$folder/server" 2>&1 &
started+=($!)
latscope serve --socket "$folder/socket" >"$folder/service" 2>&1 &
started+=($!)
for _ in $(seq 100); do
  [ ! -S "$folder/socket" ] || break
  read -r -t 0.1 -u "$NEVER" || true
done
[ -S "$folder/socket" ] || fail "the service did not start" "$(tail -n 5 "$folder/service")"

# once STREAMS: Gbit/s of one run, as received.
once() {
  nsenter --net="/run/netns/$near" iperf3 --client 10.78.0.2 --time "$seconds" --omit 1 --parallel "$1" --json |
    node -e 'const all = JSON.parse(require("fs").readFileSync(0, "utf8")); console.log(all.end.sum_received.bits_per_second / 1e9)'
}

# watched STREAMS: the same, with a session that measures everything and a reader of every sample.
watched() {
  local reader session address="unix:$folder/socket"
  session=$(latscope sessions create --address "$address" --interface near0 --tcp --udp --dns --icmp --quic --json |
    node -e 'console.log(JSON.parse(require("fs").readFileSync(0, "utf8")).name)')
  latscope stream --address "$address" --session "$session" --json >"$folder/samples" 2>"$folder/reader" &
  reader=$!
  once "$1"
  latscope sessions stop --address "$address" "$session" >/dev/null
  wait "$reader"
  latscope sessions delete --address "$address" "$session" >/dev/null
}

for streams in 1 8; do
  : >"$folder/figures"
  for _ in $(seq "$pairs"); do
    printf '%s %s\n' "$(once "$streams")" "$(watched "$streams")" >>"$folder/figures"
    [ -s "$folder/samples" ] || fail "the session measured nothing" "$(tail -n 5 "$folder/reader")"
  done
  node - "$streams" "$folder/figures" <<'JS'
    const [streams, file] = process.argv.slice(2);
    const pairs = require("fs").readFileSync(file, "utf8").trim().split("\n").map((line) => line.split(" ").map(Number));
    const spread = (values) => {
      const sorted = values.sort((a, b) => a - b);
      const [low, median, high] = [0, (sorted.length - 1) / 2, sorted.length - 1].map((at) => sorted[Math.round(at)].toFixed(2));
      return `${median} (${low} to ${high})`;
    };
    const cells = [spread(pairs.map(([alone]) => alone)), spread(pairs.map(([, us]) => us)), spread(pairs.map(([alone, us]) => us / alone))];
    console.log(`| ${[streams, ...cells].join(" | ")} |`);
JS
done
