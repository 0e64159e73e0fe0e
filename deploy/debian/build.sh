#!/usr/bin/env bash
# build.sh [FOLDER]: makes latscope_VERSION_ARCHITECTURE.deb in FOLDER (default: target/debian) from the built tree, and prints its path.
# The same tree gives the same bytes.
set -euo pipefail
[ $# -le 1 ] || { echo "usage: build.sh [FOLDER]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "${1:-$here/../../target/debian}")
cd "$here/../.."
umask 022
mkdir -p "$out"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

deploy/debian/stage.sh "$root"
version=$(node -p 'require("./clients/cli/package.json").version')
architecture=$(dpkg --print-architecture)

mkdir -p "$root"/{DEBIAN,etc/latscope,usr/lib/systemd/system,usr/lib/sysusers.d,usr/share/doc/latscope,usr/share/man/man1}
cp deploy/systemd/latscope.service deploy/systemd/latscope.socket "$root/usr/lib/systemd/system/"
cp deploy/systemd/latscope.sysusers "$root/usr/lib/sysusers.d/latscope.conf"
cp LICENSE "$root/usr/share/doc/latscope/copyright"
cp docs/operations.md docs/security.md docs/configuration.md docs/metrics.md docs/errors.md docs/limits.md "$root/usr/share/doc/latscope/"
gzip -9n <deploy/debian/latscope.1 >"$root/usr/share/man/man1/latscope.1.gz"
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$(du -sk "$root/usr" | cut -f1)/" deploy/debian/control >"$root/DEBIAN/control"
install -m 755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$root/DEBIAN/"

epoch=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y package-lock.json)
find "$root" -exec touch --no-dereference --date="@$epoch" {} +
SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group -Zxz --build "$root" "$out/latscope_${version}_$architecture.deb" >/dev/null
echo "$out/latscope_${version}_$architecture.deb"
