#!/usr/bin/env bash
# Runs the generators and fails when that changes a file: what is committed must be what proto/ gives.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh
find_cargo

generated=(proto/gen kernel-rs/collector/src/proto/gen)
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
cp -r --parents "${generated[@]}" "$before"
npm run --silent generate
for folder in "${generated[@]}"; do
  diff --recursive --unified "$before/$folder" "$folder" || fail "$folder was not what proto/ gives; it is now: commit it"
done
