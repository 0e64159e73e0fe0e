#!/usr/bin/env bash
# The long forms of tests that CI runs short: floods of a million packets each, a million mutated frames, a thousand cut and
# a thousand mutated captures; 100 000 malformed connections and requests; a
# thousand clients that come and go. As root. `scripts/long.sh 100000` for a tenth of that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh

find_cargo
LATSCOPE_PACKETS=${1:-1000000} cargo test --package latscope-collector --lib --locked -- \
  replay::tests::flood replay::tests::fuzz capture::tests::fuzz
LATSCOPE_INPUTS=$((${1:-1000000} / 10)) LATSCOPE_CLIENTS=$((${1:-1000000} / 1000)) \
  npx --no-install vitest run --root test src/faults/fuzzed src/faults/churn
