#!/usr/bin/env bash
# Installs and builds what is missing, and nothing else: a second run has nothing to do.
#
#   scripts/setup.sh run    what `npm start` needs: a C compiler, Rust, npm packages, the addon, the service
#   scripts/setup.sh test   and what `npm test` needs: the eBPF toolchain, linters, grpcurl, network tools
#
# Only Debian packages need root; without it the script says which ones are missing. bpf-linker and grpcurl are built
# from source into the user's cache folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh

level=${1:-run}
case "$#:$level" in
  0:run | 1:run | 1:test) ;;
  *) fail "usage: scripts/setup.sh [run|test]" ;;
esac

done_steps=()
setup_step() {
  step "set-up: $1" "${@:2}" 9>&- || fail "set-up stopped at: $1" "the whole log is $STEP_LOG"
  done_steps+=("$1 ${STEP_TIME%.*} s")
}

# One set-up at a time; the file also remembers the inputs of the steps that were done.
exec 9>>.setup
flock 9

is_done() { grep -qxF "$1 $2" .setup; }
remember() {
  local rest
  rest=$(grep -v "^$1 " .setup || true)
  printf '%s\n' "$rest" "$1 $2" | sed '/^$/d' >.setup
}

# hash_of FOLDER_OR_FILE...: one hash over the contents of what a person or git put there.
hash_of() {
  find "$@" \( -name node_modules -o -name dist -o -name target \) -prune -o -type f ! -name '*.node' ! -name '*.tsbuildinfo' -print0 |
    sort -z | xargs -0 sha256sum | sha256sum | cut -c1-64
}

missing_packages() {
  local need
  # A file or a command, and the Debian package that brings it.
  local needs=("cc gcc" "/usr/include/stdio.h libc6-dev")
  if [ "$level" = test ]; then
    needs+=(
      "/usr/lib/rustlib/bpfel-unknown-none libstd-rust-web-dev-bpf" "/usr/bin/cargo-fmt rustfmt-web" "/usr/bin/cargo-clippy rust-web-clippy"
      "llvm-objcopy-$LLVM_MAJOR llvm-$LLVM_MAJOR" "bpftool bpftool" "ip iproute2" "tcpdump tcpdump" "git git" "shellcheck shellcheck" "jq jq" "openssl openssl" "go golang-go" "systemd-analyze systemd" "strip binutils"
    )
    # Debian's Python comes without what makes virtual environments.
    python3 -c 'import ensurepip' 2>/dev/null || needs+=("python3-venv python3-venv")
  fi
  for need in "${needs[@]}"; do command -v "${need% *}" >/dev/null || [ -e "${need% *}" ] || echo "${need#* }"; done
  if { [ "$level" = test ] && ! recent_cargo "$EBPF_CARGO"; } || ! find_cargo; then echo cargo-web rustc-web; fi
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q && apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

install_bpf_linker() {
  # llvm-sys looks for llvm-config and an unversioned libLLVM.so below one folder; Debian's packages have them in two.
  local prefix code=0 libraries=(/usr/lib/*/libLLVM.so."$LLVM_MAJOR".*)
  prefix=$(mktemp -d) && mkdir "$prefix/bin" "$prefix/lib" &&
    ln -s "/usr/lib/llvm-$LLVM_MAJOR/bin/llvm-config" "$prefix/bin/llvm-config" &&
    ln -s "${libraries[0]}" "$prefix/lib/libLLVM.so" &&
    LLVM_PREFIX=$prefix cargo install bpf-linker --version "$BPF_LINKER_VERSION" --locked --no-default-features \
      --features "llvm-$LLVM_MAJOR" --root "$BPF_LINKER_ROOT" --force || code=$?
  rm -rf "$prefix"
  return "$code"
}

# Unpacked, not installed: Debian's package would start a Prometheus on this machine.
install_prometheus() {
  local folder code=0
  folder=$(mktemp -d) && chmod 755 "$folder" &&
    (cd "$folder" && apt-get update -q && apt-get download prometheus) &&
    rm -rf "$PROMETHEUS_ROOT" && mkdir -p "$PROMETHEUS_ROOT" &&
    dpkg-deb --extract "$folder"/prometheus_*.deb "$PROMETHEUS_ROOT" || code=$?
  rm -rf "$folder"
  return "$code"
}

install_npm_packages() {
  # `npm ci` starts by deleting node_modules, which may be in use.
  if [ -d node_modules ]; then npm install --no-save; else npm ci; fi
}

node=$(node --version 2>/dev/null || true)
[ -n "$node" ] || fail "Node is missing: version $MIN_NODE or newer is needed"
at_least "${node#v}" "$MIN_NODE" || fail "Node $node is too old: version $MIN_NODE or newer is needed"

mapfile -t packages < <(missing_packages | tr ' ' '\n' | sort -u)
if [ ${#packages[@]} -gt 0 ]; then
  command -v apt-get >/dev/null ||
    fail "missing on this machine: ${packages[*]} (names of Debian packages)" "install them, or their like, then run this again; Rust >= $MIN_RUST may also come from rustup"
  [ "$(id -u)" = 0 ] || fail "missing Debian packages, and only root can install them" "sudo apt-get install --no-install-recommends ${packages[*]}"
  setup_step apt install_packages "${packages[@]}"
fi
find_cargo || fail "no Rust >= $MIN_RUST, not even after installing ${packages[*]}" "install it with rustup"

npm_hash=$(hash_of package.json package-lock.json proto/package.json kernel-rs/addon/package.json service/package.json clients/*/package.json test/package.json)
if ! is_done npm "$npm_hash" || [ ! -d node_modules ]; then
  setup_step npm install_npm_packages
  remember npm "$npm_hash"
fi

build_inputs=(Cargo.toml Cargo.lock package-lock.json tsconfig*.json proto kernel-rs service clients test)
if ! is_done build "$(hash_of "${build_inputs[@]}")" || [ ! -e kernel-rs/addon/latscope.node ] || [ ! -d service/dist ] || [ ! -d clients/cli/dist ]; then
  setup_step cargo npm run build --workspace @latscope/addon
  setup_step tsc npx --no-install tsc --build
  # Taken anew: the build writes the addon's types.
  remember build "$(hash_of "${build_inputs[@]}")"
fi

if [ "$level" = test ]; then
  relay_hash=$(hash_of Cargo.toml Cargo.lock test/relay)
  if ! is_done relay "$relay_hash" || [ ! -x "${CARGO_TARGET_DIR:-target}/release/latscope-relay" ]; then
    setup_step relay cargo build --locked --release --package latscope-relay
    remember relay "$relay_hash"
  fi
  # Only what is compiled decides; the types of the shipped addon are not written.
  synthetic_hash=$(hash_of Cargo.toml Cargo.lock kernel-rs)
  if ! is_done synthetic "$synthetic_hash" || [ ! -e bench/stream/dist/latscope.node ]; then
    setup_step synthetic npm run build:synthetic --workspace @latscope/addon
    remember synthetic "$synthetic_hash"
  fi
  python_hash=$(hash_of proto/latscope clients/python/requirements.txt clients/python/setup.sh)
  if ! is_done python "$python_hash" || ! clients/python/dist/venv/bin/python -c '' 2>/dev/null; then
    setup_step python clients/python/setup.sh
    remember python "$python_hash"
  fi
  go_hash=$(hash_of proto/latscope clients/go)
  if ! is_done go "$go_hash" || [ ! -x clients/go/dist/print ]; then
    setup_step go clients/go/setup.sh
    remember go "$go_hash"
  fi
  decode_hash=$(hash_of proto/latscope clients/go test/decode)
  if ! is_done decode "$decode_hash" || [ ! -x test/decode/dist/decode ]; then
    setup_step decode test/decode/setup.sh
    remember decode "$decode_hash"
  fi
  [ -x "$BPF_LINKER_ROOT/bin/bpf-linker" ] || setup_step bpf-linker install_bpf_linker
  if ! command -v promtool >/dev/null; then
    command -v apt-get >/dev/null || fail "prometheus and promtool are missing on this machine" "install them in PATH"
    setup_step prometheus install_prometheus
  fi
  [ -x "$GRPCURL_ROOT/grpcurl" ] ||
    setup_step grpcurl env GOBIN="$GRPCURL_ROOT" go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@v$GRPCURL_VERSION"
fi

if [ ${#done_steps[@]} -gt 0 ]; then say "set-up $(printf '  %s' "${done_steps[@]}")"; else say "set-up: nothing to do"; fi
