#!/usr/bin/env bash
# Generates the Go code of proto/ and builds print, both into dist/. buf is one of the npm packages of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

npx --no-install buf generate ../../proto --template buf.gen.yaml --path ../../proto/latscope
go build -o dist/print .
