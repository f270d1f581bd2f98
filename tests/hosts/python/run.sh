#!/bin/sh
# The smoke test of the contract in Python: run.sh COMPONENT [FOLDER-OF-BUNDLES]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${CARGO_TARGET_DIR:-$here/../../../target}/hosts/python
mkdir -p "$work"
if ! cmp -s "$here/requirements.txt" "$work/installed.txt"; then
    rm -rf "$work/venv"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --requirement "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$work/installed.txt"
fi
exec "$work/venv/bin/python" -B "$here/smoke.py" "$@"
