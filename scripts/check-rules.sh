#!/usr/bin/env bash
# Every rule of accuracy has a test that is named after it: `fn rule_7_...` in Rust, "rule 7: ..." in TypeScript.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh

# Packets and state; the rules of spans and histograms have files of their own.
for rule in $(seq 1 24); do
  git grep -qE "fn rule_${rule}_|\"rule ${rule}: " -- '*.rs' '*.test.ts' ||
    fail "no test is named after rule $rule"
done
