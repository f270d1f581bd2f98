#!/bin/sh
# The smoke test of the contract in Node: run.sh COMPONENT [FOLDER-OF-BUNDLES]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
component=$(realpath "$1")
folder=${2:+$(realpath "$2")}
work=${CARGO_TARGET_DIR:-$here/../../../target}/hosts/node
mkdir -p "$work"
cp "$here/.npmrc" "$here/package.json" "$work"
if ! cmp -s "$here/package-lock.json" "$work/package-lock.json" || [ ! -d "$work/node_modules" ]; then
    cp "$here/package-lock.json" "$work"
    (cd "$work" && npm ci --no-progress --loglevel=error --ignore-scripts >&2)
fi
work=$(realpath "$work")
"$work/node_modules/.bin/jco" transpile "$component" --name cedargate --out-dir "$work/component" --quiet >&2
exec node "$here/smoke.mjs" "$work/component/cedargate.js" ${folder:+"$folder"}
