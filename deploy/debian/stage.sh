#!/usr/bin/env bash
# stage.sh FOLDER: puts what `npm run build` made there, as it is to lie in the root of a system: no sources, no tests, nothing that
# is needed to build only.
set -euo pipefail
[ $# = 1 ] || { echo "usage: stage.sh FOLDER" >&2; exit 2; }
root=$(realpath -m "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
home=$root/usr/lib/latscope

for built in kernel-rs/addon/latscope.node clients/cli/dist/main.js; do
  [ -e "$built" ] || { echo "$built is missing: npm run build" >&2; exit 1; }
done
umask 022
mkdir -p "$home/node_modules/@latscope" "$root/usr/bin"

# What the lock file says the command needs at run time, and no more: what else lies in node_modules stays there.
while read -r path; do
  from=$(realpath "$path")
  to=$home/$path
  except=()
  # Of our own packages what was built, without its tests.
  case $path in node_modules/@latscope/*) except=(! -path './src/*' ! -path './test/*' ! -path './dist/test/*' ! -path './dist/testing/*' ! -name 'tsconfig*.json') ;; esac
  mkdir -p "$to"
  (cd "$from" && find . \( -name node_modules -o -name target \) -prune -o -type f \( -name 'LICEN[CS]E*' -o -name '*.js' -o -name '*.cjs' \
    -o -name '*.mjs' -o -name '*.json' -o -name '*.binpb' -o -name latscope.node \) ! -name '*.test.js' "${except[@]}" -print0) |
    (cd "$from" && xargs -0 cp --parents -t "$to")
done < <(node deploy/debian/needed.js)

strip --strip-debug "$home/node_modules/@latscope/addon/latscope.node"
chmod 644 "$home/node_modules/@latscope/addon/latscope.node"
chmod 755 "$home/node_modules/@latscope/cli/bin/latscope.js"
ln -sf ../lib/latscope/node_modules/@latscope/cli/bin/latscope.js "$root/usr/bin/latscope"
