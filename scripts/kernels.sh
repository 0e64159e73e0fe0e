#!/usr/bin/env bash
# Boots other kernels in a virtual machine and runs there the collector's tests on real programs, and the whole service with
# real clients on emulated delays: the same eBPF objects, on every kernel that is supported.
#
#   scripts/kernels.sh              all of it, on Debian's 6.1 and 6.12
#   scripts/kernels.sh 6.1          all of it, on one of them
#   scripts/kernels.sh --short      what CI runs: the oldest kernel, a test of each kind and the service
#
# Needs qemu, busybox, cpio and kmod (installed when run as root), Debian's archive, and a built tree (npm run build). The
# kernels are kept in ~/.cache/latscope/kernels, about 30 MB each. No hardware virtualization is used or needed.
# The last line is the sum; exit code 77 says that it cannot run here, and the last line why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh
. scripts/lib/tools.sh

form=whole
[ "${1:-}" != --short ] || { form=short && shift; }
versions=("$@")
[ $# -gt 0 ] || versions=(6.1 6.12)
[ "$form" = whole ] || versions=(6.1)

cache=$LATSCOPE_TOOLS/kernels
# Of /init; those that are built in are passed over.
modules=(veth sch_netem sch_ingress cls_bpf 8021q null_blk loop tcp_diag inet_diag)
# Longer than any run took on a busy machine.
boot_limit=1500
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skip() {
  echo "no virtual machine: $*"
  exit 77
}

# The Debian package of the newest kernel of a series, "linux-image-6.12.117+deb12-cloud-amd64".
package_of() {
  local meta=linux-image-$1-cloud-amd64
  [ "$1" != 6.1 ] || meta=linux-image-cloud-amd64
  apt-cache depends "$meta" 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }'
}

# Installs what is missing, or says why this cannot be run.
tools() {
  local need missing=()
  [ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86-64"
  for need in "qemu-system-x86_64 qemu-system-x86" "busybox busybox-static" "cpio cpio" "depmod kmod"; do
    command -v "${need% *}" >/dev/null || missing+=("${need#* }")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then skip "missing: ${missing[*]} (names of Debian packages)"; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" ||
    skip "apt-get could not install ${missing[*]}"
}

# Leaves $cache/VERSION with vmlinuz, release and modules/, in the order to load them.
kernel() {
  local version=$1 package release module file name
  package=$(package_of "$version")
  [ -n "$package" ] || { apt-get update -q && package=$(package_of "$version"); } || true
  [ -n "$package" ] || skip "Debian's archive has no kernel $version here (apt-cache depends)"
  [ "$(cat "$cache/$version/package" 2>/dev/null)" != "$package" ] || return 0
  mkdir -p "$work/deb" "$work/image" "$work/kernel/modules" "$cache"
  (cd "$work/deb" && apt-get download -q "$package") || skip "apt-get could not download $package"
  dpkg-deb -x "$work"/deb/*.deb "$work/image"
  release=$(ls "$work/image/lib/modules")
  depmod -b "$work/image" "$release"
  for module in "${modules[@]}"; do
    modprobe --dirname "$work/image" --set-version "$release" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
    while read -r file; do
      name=${file##*/}
      case $name in
        *.xz) name=${name%.xz} && xz -dc "$file" >"$work/kernel/modules/$name" ;;
        *) cp "$file" "$work/kernel/modules/$name" ;;
      esac
      echo "$name"
    done >"$work/list"
  mv "$work/list" "$work/kernel/modules/list"
  cp "$work/image/boot/vmlinuz-$release" "$work/kernel/vmlinuz"
  echo "$release" >"$work/kernel/release"
  echo "$package" >"$work/kernel/package"
  rm -rf "${cache:?}/$version" && mv "$work/kernel" "$cache/$version"
  rm -rf "$work/deb" "$work/image"
}

# with_libraries ROOT FILE...: copies programs and what they are linked with, each to the place it has here.
with_libraries() {
  local root=$1 file
  shift
  for file in "$@" $(ldd "$@" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*' | sort -u); do
    [ -e "$root$file" ] || install -D "$file" "$root$file"
  done
}

# The file system that all kernels share: programs, the built tree, the tests.
shared() {
  # shellcheck disable=SC2016 # Expanded in the machine.
  local root=$work/shared tool binary folder run='run() { echo "== $1"; shift; "$@" || code=1; }' end='exit $code'
  mkdir -p "$root"/{bin,sbin,proc,sys,dev,tmp,run,root,etc,latscope/test}
  cp "$(command -v busybox)" "$root/bin/busybox"
  cp scripts/kernels/init "$root/init"
  # Where libraries are looked up by name.
  cp /etc/ld.so.cache "$root/etc/"
  for tool in ip tc nsenter setpriv unshare losetup dd sleep bash node; do
    with_libraries "$root" "$(readlink -f "$(command -v "$tool")")"
    ln -sf "$(readlink -f "$(command -v "$tool")")" "$root/bin/$tool"
  done
  {
    echo '#!/bin/busybox sh'
    echo 'code=0'
    echo "$run"
    cargo test --package latscope-collector --locked --no-run --message-format=json 2>/dev/null |
      jq -r 'select(.executable != null and .profile.test) | "\(.target.name) \(.executable)"' |
      while read -r tool binary; do
        with_libraries "$root" "$binary" && rm "$root$binary"
        objcopy --strip-debug "$binary" "$root/latscope/$tool.test"
        case $form:$tool in
          short:latscope_collector) echo "run collector /latscope/$tool.test rule_20_loopback interfaces_that_come what_a_dead_service both_ends a_cgroup_filter rule_25_a_function_of_the_kernel by_its_number a_datagram_waits" ;;
          whole:latscope_collector) echo "run collector /latscope/$tool.test packet:: socket:: span::" ;;
          whole:*) echo "run $tool /latscope/$tool.test" ;;
        esac
      done
    echo 'cd /latscope && run service node --test-reporter=tap test/dist/kernels/packet.js'
    echo "$end"
  } >"$root/latscope/tests"
  chmod +x "$root/latscope/tests"
  with_libraries "$root" "$PWD/kernel-rs/addon/latscope.node" && rm "$root$PWD/kernel-rs/addon/latscope.node"
  cp package.json "$root/latscope/"
  npm ls --omit=dev --all --parseable -w @latscope/cli -w @latscope/service -w @latscope/addon -w @latscope/test |
    sed -n "s|^$PWD/||p" | grep -v '^node_modules/@types/' | sort -u >"$work/packages"
  # The workspaces are links; what they lead to comes with them, without their sources.
  for folder in proto kernel-rs/addon service clients/cli clients/typescript test; do
    find "$folder" -name node_modules -prune -o -type f \( -path '*/dist/*.js' -o -path '*/bin/*' -o -name package.json -o -name '*.node' -o -path kernel-rs/addon/index.js -o -name '*.binpb' \) -print
  done >>"$work/packages"
  tar --create --exclude '*.map' --exclude '*.d.ts' --exclude '*.md' --files-from "$work/packages" | tar --extract --directory "$root/latscope"
  objcopy --strip-debug "$root/latscope/kernel-rs/addon/latscope.node"
  (cd "$root" && find . -print0 | cpio --null --create --format=newc --quiet) >"$work/shared.cpio"
}

# boot VERSION: runs the tests there; their output is the step's. The timer is not checked: on a busy host its emulation is late.
boot() {
  local version=$1
  mkdir -p "$work/$version"
  cp -r "$cache/$version/modules" "$work/$version/"
  (cd "$work/$version" && find . -print0 | cpio --null --create --format=newc --quiet) | cat "$work/shared.cpio" - >"$work/$version.cpio"
  timeout --foreground --kill-after=10 "$boot_limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1536 -nodefaults -no-reboot \
    -nographic -serial stdio -monitor none -kernel "$cache/$version/vmlinuz" -initrd "$work/$version.cpio" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check" </dev/null | tr -d '\r' | tee "$work/$version.log"
  # The machine's exit code is not the tests'.
  grep -qx 'DONE 0' "$work/$version.log"
}

# Adds up what libtest and Node's test runner say.
counts() {
  awk '/^test result:/ { p += $4; f += $6; s += $8 } /^# pass / { p += $3 } /^# fail / { f += $3 } /^# skipped / { s += $3 }
    END { print p + 0, f + 0, s + 0 }' "$1"
}

find_cargo || fail "no Rust >= $MIN_RUST"
if [ ! -e kernel-rs/addon/latscope.node ] || [ ! -d test/dist ]; then fail "the tree is not built" "npm run build"; fi
passed=0 failed=0 skipped=0
step "virtual machine" tools || { [ $? = 77 ] && tail -n 1 "$STEP_LOG" && exit 77; exit 1; }
step "programs and tests" shared || exit 1
for version in "${versions[@]}"; do
  step "kernel $version" kernel "$version" || { [ $? = 77 ] && tail -n 1 "$STEP_LOG" && exit 77; exit 1; }
  ended=0
  step "Linux $(cat "$cache/$version/release")" boot "$version" || ended=1
  read -r p f s <<<"$(counts "$STEP_LOG")"
  # A machine that stopped before its tests did has failed without a count.
  [ "$ended" = 0 ] || [ "$f" -gt 0 ] || f=1
  say "  $p passed, $f failed, $s skipped"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
