#!/bin/sh
# Print an interpreter of Python 3.11 or newer. Where an NVIDIA GPU is present, one that already
# has torch is preferred, so that the CUDA build of the machine is used as it is.
set -u

runs() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_torch() {
    "$1" -c 'import sys, importlib.util as u; sys.exit(u.find_spec("torch") is None)' >/dev/null 2>&1
}
has_gpu() { [ -e /dev/nvidia0 ] || command -v nvidia-smi >/dev/null 2>&1; }

first=
for name in python3.12 python3.11 python3 python; do
    runs "$name" || continue
    [ -n "$first" ] || first=$name
    if ! has_gpu; then break; fi
    if has_torch "$name"; then
        echo "$name"
        exit 0
    fi
done
if [ -z "$first" ]; then
    echo "no Python 3.11 or newer found (tried python3.12, python3.11, python3, python)" >&2
    exit 1
fi
echo "$first"
