#!/usr/bin/env bash
# systemd takes the units as they are, and finds the service no more exposed than docs/security.md says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh

# In tenths, as --threshold has it.
exposure=24

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# What the units start need not be installed here.
sed 's#^ExecStart=/usr/bin/latscope .*#ExecStart=/bin/true#' deploy/systemd/latscope.service >"$folder/latscope.service"
cp deploy/systemd/latscope.socket "$folder/"
for unit in latscope.service latscope.socket; do
  said=$(systemd-analyze verify --man=no "$folder/$unit" 2>&1) || fail "systemd does not take $unit: $said"
  # Of settings that it does not know it says so, and goes on. It may also have words about other units of this host.
  ! grep -F latscope <<<"$said" || fail "systemd has complaints about $unit"
done
systemd-analyze security --offline=true --no-pager --threshold="$exposure" "$folder/latscope.service" ||
  fail "latscope.service is more exposed than $exposure tenths: see what is new in the table above"
