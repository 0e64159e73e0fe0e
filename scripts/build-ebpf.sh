#!/usr/bin/env bash
# Builds the eBPF programs of kernel-rs/probes into kernel-rs/probes/prebuilt/, one object for each [[bin]].
#
#   scripts/build-ebpf.sh           build and replace the prebuilt objects
#   scripts/build-ebpf.sh --check   build and compare with the prebuilt objects, byte for byte
#                                   (exit code 77 where the tools' versions differ from prebuilt/TOOLS)
#
# This is the only place that knows the environment of that build; docs/building.md tells the reason of each setting.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh
. scripts/lib/ebpf-env.sh

mode=${1:-build}
case "$#:$mode" in
  0:build | 1:--check) ;;
  *) fail "usage: scripts/build-ebpf.sh [--check]" ;;
esac

root=$PWD
locked=()
[ "$mode" = build ] || locked=(--locked)
prebuilt=kernel-rs/probes/prebuilt
target=${CARGO_TARGET_DIR:-$root/target}/ebpf
linker=$BPF_LINKER_ROOT/bin/bpf-linker
cargo_home=${CARGO_HOME:-$HOME/.cargo}
objcopy=llvm-objcopy-$LLVM_MAJOR
nm=llvm-nm-$LLVM_MAJOR
objdump=llvm-objdump-$LLVM_MAJOR
readelf=llvm-readelf-$LLVM_MAJOR

for tool in "$EBPF_CARGO" "$EBPF_RUSTC" "$linker" "$objcopy" "$nm" "$objdump" "$readelf"; do
  command -v "$tool" >/dev/null || fail "$tool is missing" "run scripts/setup.sh test (as root): it installs the eBPF toolchain"
done

mapfile -t bins < <(ebpf_bins)

# What decides about the bytes beside the source. LLVM copies the source's lines into the BTF where it finds the files:
# ours and the crates' are out of its sight behind made-up paths, those of `core` only where rust-src is not installed.
tools() {
  local release
  release=$("$EBPF_RUSTC" --version | awk '{ print $2 }')
  printf 'rustc %s\nrustc-llvm %s\n' "$release" "$("$EBPF_RUSTC" -vV | awk '/^LLVM version:/ { print $3 }')"
  "$linker" --version
  printf 'bpf-linker-llvm %s\n' "$("$objcopy" --version | awk '/LLVM version/ { print $NF }')"
  if [ -e "/usr/src/rustc-$release" ]; then echo rust-src present; else echo rust-src absent; fi
}

# cargo only makes the folder of a registry's unpacked crates when it fetches; its name holds a host name.
fetch() {
  compgen -G "$cargo_home/registry/src/*/aya-ebpf-*" >/dev/null || "$EBPF_CARGO" fetch "${locked[@]}" --quiet
}

build() {
  local flags=("$EBPF_CFG" -Cdebuginfo=2 -Clink-arg=--btf "-Clinker=$linker"
    "--remap-path-prefix=$root=/latscope.src")
  local src
  for src in "$cargo_home"/registry/src/*; do flags+=("--remap-path-prefix=$src=/latscope.crates"); done
  env -u RUSTFLAGS -u RUSTC_WRAPPER -u CARGO_BUILD_TARGET -u CARGO_INCREMENTAL \
    RUSTC="$EBPF_RUSTC" RUSTC_BOOTSTRAP="$(ebpf_features)" CARGO_TARGET_DIR="$target" \
    CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f'; printf '%s' "${flags[*]}")" \
    "$EBPF_CARGO" build "${locked[@]}" --package latscope-probes --bins --release --target bpfel-unknown-none
}

# inspect OBJECT NAME: refuses what the kernel or aya would refuse, or what costs what nobody asked for.
inspect() {
  local symbols bad stack
  symbols=$("$nm" "$1")
  bad=$(grep -F panicking <<<"$symbols" || true)
  [ -z "$bad" ] || fail "$2: a panic is reachable (use get, masks or checked_div instead of indexing and division)" "$bad"
  bad=$(awk '$1 == "U" { print $2 }' <<<"$symbols")
  [ -z "$bad" ] || fail "$2: undefined symbols" "$bad"
  [ "$("$readelf" --string-dump=license "$1" 2>/dev/null | awk '/\]/ { sub(/.*\] +/, ""); print; exit }')" = "Dual MIT/GPL" ] ||
    fail "$2: section \"license\" is not \"Dual MIT/GPL\": GPL-only helpers would be refused"
  [[ "$("$readelf" --sections "$1")" == *" .BTF "* ]] || fail "$2: no .BTF section"
  stack=$("$objdump" -dr --no-show-raw-insn "$1" | node scripts/lib/stack.js)
  [ "${stack%% *}" -le 512 ] || fail "$2: $stack: ${stack%% *} bytes of stack, and kernels before 6.11 give 512 (each function a multiple of 32)" "make the chain shorter, or keep what is large in a map's value"
  bad=$("$objdump" -dr --no-show-raw-insn "$1" | awk '$2 == "R_BPF_64_32" && $3 ~ /^(memset|memcpy|memmove|memcmp|bcmp)$/ { n[$3]++ } END { for (f in n) printf " %s x%d", f, n[f] }')
  [ -z "$bad" ] || say "eBPF $2: calls$bad: byte loops, where a shorter copy is expanded in line"
}

say "eBPF with $(tools | paste -sd ' ')"
start=$(now_ms)
fetch
fetched="fetch $(since "$start")" start=$(now_ms)
build
built="cargo $(since "$start")" start=$(now_ms)

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for bin in "${bins[@]}"; do
  linked=$target/bpfel-unknown-none/release/$bin
  inspect "$linked" "$bin"
  "$objcopy" -g --strip-unneeded "$linked" "$out/$bin.bpf.o"
done
(tools; cd "$out"; sha256sum -- *.bpf.o) >"$out/TOOLS"
say "eBPF $fetched, $built, inspect and strip $(since "$start"): $(cd "$out"; stat -c '%n %s bytes' -- *.bpf.o | paste -sd ,)"

if [ "$mode" = --check ]; then
  (cd "$prebuilt"; grep -E '^[0-9a-f]{64} ' TOOLS | sha256sum --check --quiet --strict) ||
    fail "$prebuilt/TOOLS does not name the bytes beside it" "run scripts/build-ebpf.sh and commit $prebuilt"
  if ! diff <(tools) <(grep -vE '^[0-9a-f]{64} ' "$prebuilt/TOOLS"); then
    echo "bytes of the prebuilt eBPF objects not compared: made by other tool versions than those here"
    exit 77
  fi
  diff --recursive --brief "$out" "$prebuilt" || fail "the prebuilt eBPF objects are not what their source gives" "run scripts/build-ebpf.sh and commit $prebuilt"
  say "eBPF prebuilt objects are byte for byte what their source gives"
else
  mkdir -p "$prebuilt"
  for old in "$prebuilt"/*.bpf.o; do [ -e "$out/${old##*/}" ] || rm -f "$old"; done
  for new in "$out"/*; do
    # Unchanged bytes keep their time stamp, so that cargo does not rebuild what embeds them.
    cmp -s "$new" "$prebuilt/${new##*/}" || { cp "$new" "$prebuilt/.new" && mv "$prebuilt/.new" "$prebuilt/${new##*/}"; }
  done
fi
