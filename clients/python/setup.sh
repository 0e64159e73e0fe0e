#!/usr/bin/env bash
# Makes a virtual environment, dist/venv, with grpcio and with the contract's modules, generated from proto/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

[ -x dist/venv/bin/pip ] || python3 -m venv --clear dist/venv
dist/venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --requirement requirements.txt
modules=$(dist/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
dist/venv/bin/python -m grpc_tools.protoc --proto_path=../../proto --python_out="$modules" --grpc_python_out="$modules" \
  ../../proto/latscope/v1/*.proto
