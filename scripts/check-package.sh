#!/usr/bin/env bash
# The Debian package can be built, holds what it should and nothing else, and what it installs runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/say.sh

command -v dpkg-deb >/dev/null || { echo "no dpkg-deb: not Debian"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
package=$(deploy/debian/build.sh "$folder")
again=$(deploy/debian/build.sh "$folder/again")
cmp "$package" "$again" || fail "the same tree gave two different packages"

for script in deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm; do sh -n "$script"; done
[ "$(dpkg-deb --field "$package" Package Version)" = "$(printf 'Package: latscope\nVersion: %s' "$(jq -r .version clients/cli/package.json)")" ] ||
  fail "the package has not the name and version of the tree"
contents=$(dpkg-deb --fsys-tarfile "$package" | tar --list --verbose --numeric-owner)
for path in ./usr/bin/latscope ./usr/lib/latscope/node_modules/@latscope/addon/latscope.node \
  ./usr/lib/systemd/system/latscope.service ./usr/lib/systemd/system/latscope.socket ./usr/lib/sysusers.d/latscope.conf \
  ./usr/share/man/man1/latscope.1.gz ./usr/share/doc/latscope/copyright; do
  grep -qF " $path" <<<"$contents" || fail "$path is not in the package"
done
! grep -E '\.(ts|rs|tsbuildinfo|map)$|\.test\.js$|/(vitest|typescript|eslint)/' <<<"$contents" || fail "sources, tests or tools are in the package"
! awk '$2 != "0/0"' <<<"$contents" | grep . || fail "not everything belongs to root"
! awk '$1 ~ /^.....w|^........w|s/ && $1 !~ /^l/' <<<"$contents" | grep . || fail "something can be written by others, or is setuid"

dpkg-deb --extract "$package" "$folder/root"
help=$("$folder/root/usr/bin/latscope" serve --help)
grep -q -- --drain-timeout <<<"$help" || fail "what is installed does not run"
"$folder/root/usr/bin/latscope" config check >/dev/null || fail "the defaults are not taken"
stray=$(find "$folder/root/usr/lib/latscope" -name '*.node' ! -name latscope.node)
[ -z "$stray" ] || fail "another native addon is in the package: $stray"
echo "$(basename "$package"): $(stat -c %s "$package") bytes"
