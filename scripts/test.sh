#!/usr/bin/env bash
# Everything CI runs: set-up, generated files, formats, lints, the eBPF objects, all tests. As root, on a kernel with BPF.
# The last line is the sum; a check counts as one test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh

passed=0
failed=0
skipped=0
failures=()
skips=()
# The logs are read as plain text.
export NO_COLOR=1
began=$(now_ms)

# add PASSED FAILED SKIPPED
add() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }

# check NAME COMMAND...: one step that counts as one test.
check() {
  local code=0
  step "$1" timeout --foreground --kill-after=10 900 "${@:2}" || code=$?
  case $code in
    0) add 1 0 0 ;;
    77) add 0 0 1 && skips+=("$1: $(tail -n 1 "$STEP_LOG")") ;;
    *) add 0 1 0 && failures+=("$1") ;;
  esac
}

# suite NAME COUNTS COMMAND...: one step of many tests; COUNTS prints "passed failed skipped", then the names of the skipped.
suite() {
  local code=0 counts p f s
  step "$1" timeout --foreground --kill-after=10 1200 "${@:3}" || code=$?
  counts=$("$2" "$STEP_LOG") || counts="0 0 0"
  read -r p f s <<<"$counts"
  # Something that did not compile, or crashed, failed without a count of its own.
  [ "$code" = 0 ] || [ "$f" -gt 0 ] || f=1
  [ "$f" = 0 ] || failures+=("$1: $f")
  mapfile -t -O ${#skips[@]} skips < <(tail -n +2 <<<"$counts" | sed "s/^/$1: /")
  add "$p" "$f" "$s"
  say "  $p passed, $f failed, $s skipped"
}

cargo_counts() {
  awk '/^test result:/ { p += $4; f += $6; s += $8 } END { print p + 0, f + 0, s + 0 }' "$1"
  sed -nE 's/^test (.*) \.\.\. ignored(, (.*))?$/\1 \3/p' "$1"
}

vitest_counts() { node scripts/lib/counts.js "${1%.log}.json"; }

vitest() {
  local name=$1
  shift
  suite "$name" vitest_counts "$@" node_modules/vitest/vitest.mjs run --reporter=default --reporter=json \
    --outputFile.json="$LATSCOPE_LOGS/${name//[^A-Za-z0-9]/-}.json" "${vitest_options[@]}"
}


scripts/setup.sh test || { add 0 1 0 && failures+=("set-up"); }

if [ "$failed" = 0 ]; then
  find_cargo
  check "generated files" scripts/check-generated.sh
  check "buf lint" npx --no-install buf lint proto
  check "buf format" npx --no-install buf format --diff --exit-code proto --path proto/latscope
  check "prettier" npx --no-install prettier --check .
  check "eslint" npx --no-install eslint .
  check "shellcheck" shellcheck -x .ci/run scripts/*.sh scripts/lib/*.sh bench/*.sh clients/*/*.sh deploy/debian/*.sh deploy/debian/postinst deploy/debian/postrm deploy/debian/prerm
  check "rustfmt" env PATH="/usr/bin:$PATH" /usr/bin/cargo-fmt fmt --all --check
  check "clippy" scripts/clippy.sh
  check "rules of accuracy" scripts/check-rules.sh
  check "systemd units" scripts/check-units.sh
  check "Debian package" scripts/check-package.sh
  check "eBPF objects" scripts/build-ebpf.sh --check
  suite "cargo test" cargo_counts cargo test --workspace --exclude latscope-probes --locked --no-fail-fast
  vitest_options=()
  vitest "unit tests" node
  vitest "unit tests, Node 24" npx --yes --package=node@24 node
  vitest_options=(--root test)
  vitest "stories" node
  check "another kernel" scripts/kernels.sh --short
  # On CI the work tree is a fresh clone; a person's has changes of its own.
  [ "${CI:-}" != true ] || check "work tree unchanged" scripts/check-clean.sh
fi

say "took $(since "$began"); logs in $LATSCOPE_LOGS"
[ ${#skips[@]} -eq 0 ] || printf 'skipped: %s\n' "${skips[@]:0:40}"
[ ${#skips[@]} -le 40 ] || echo "skipped: and $((${#skips[@]} - 40)) more"
[ ${#failures[@]} -eq 0 ] || printf 'FAILED: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
