#!/usr/bin/env bash
# Builds what the bench runs: the addon with the synthetic engine, beside the shipped one, and the readers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/lib/tools.sh
find_cargo

npm run build:synthetic --workspace @latscope/addon
npx --no-install tsc --build
cargo build --release --locked --package latscope-bench-stream --package latscope-relay
