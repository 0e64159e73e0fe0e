#!/usr/bin/env bash
# Prints what a session has measured, a line a sample: time and latency in nanoseconds, metric, client, server.
# Needs grpcurl and jq; the service tells grpcurl its contract by reflection.
#
#   clients/shell/print.sh /run/latscope/latscope.sock sessions/edge 10
set -euo pipefail

socket=${1:-/run/latscope/latscope.sock}
session=${2:-sessions/edge}
count=${3:-10}

request=$(jq -n --arg session "$session" --arg count "$count" \
  '{ session: $session, position: "POSITION_OLDEST", noFollow: true, maxSamples: $count }')

# 1.000000001 s in nanoseconds is beyond what jq counts exactly, so the digits are put together as text.
grpcurl -plaintext -unix -d "$request" "$socket" latscope.v1.SampleService/StreamSamples |
  jq -r --unbuffered '
    def fraction: (. // "") + "000000000" | .[:9];
    def digits: sub("^0+(?=.)"; "");
    def timestamp: capture("^(?<time>[^.Z]+)(\\.(?<fraction>[0-9]+))?Z$")
      | "\(.time + "Z" | fromdateiso8601)\(.fraction | fraction)";
    def duration: capture("^(?<seconds>[0-9]+)(\\.(?<fraction>[0-9]+))?s$")
      | "\(.seconds)\(.fraction | fraction)" | digits;

    if .loss then "\(.loss.count) samples lost\n" | stderr | empty else .rows.samples[]? end
    | "\(.time | timestamp) \(.latency | duration) \(.metric) "
      + "\(.flow.clientAddress) \(.flow.clientPort) \(.flow.serverAddress) \(.flow.serverPort)"'
