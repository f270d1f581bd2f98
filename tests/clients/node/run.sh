#!/bin/sh
# The providers' packages for Node against the gateway at $GATEWAY_URL.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${CARGO_TARGET_DIR:-$here/../../../target}/hosts/clients/node
mkdir -p "$work"
cp "$here/.npmrc" "$here/package.json" "$here/clients.mjs" "$work"
if ! cmp -s "$here/package-lock.json" "$work/package-lock.json" || [ ! -d "$work/node_modules" ]; then
    cp "$here/package-lock.json" "$work"
    (cd "$work" && npm ci --no-progress --loglevel=error --ignore-scripts >&2)
fi
cd "$work"
exec node clients.mjs
