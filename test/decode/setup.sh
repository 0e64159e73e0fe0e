#!/usr/bin/env bash
# Builds the Go decoder, dist/decode, over the code that clients/go/setup.sh generates.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

go build -o dist/decode .
