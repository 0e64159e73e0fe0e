#!/usr/bin/env bash
# After a run on a fresh clone: no build, generator or test may have changed what is committed (the addon's types, lock
# files) or left a file behind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
changed=$(git status --porcelain)
[ -z "$changed" ] || { git diff; echo "$changed"; exit 1; }
