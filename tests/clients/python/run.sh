#!/bin/sh
# The providers' packages for Python against the gateway at $GATEWAY_URL.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${CARGO_TARGET_DIR:-$here/../../../target}/hosts/clients/python
mkdir -p "$work"
if ! cmp -s "$here/requirements.txt" "$work/installed.txt"; then
    rm -rf "$work/venv"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --requirement "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$work/installed.txt"
fi
exec "$work/venv/bin/python" -B "$here/clients.py"
