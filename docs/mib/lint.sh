#!/bin/sh
# Says what smilint has against the MIB; exit status 1 if it has anything.
#   lint.sh [FILE]
# smilint needs the IETF's modules, which cannot be shipped here: they lie in TABUAH_IETF_MIBS.
set -eu

here=$(dirname "$0")
modules=${TABUAH_IETF_MIBS:-}
if [ -z "$modules" ]; then
    echo "skipped: no IETF modules (name their directory in TABUAH_IETF_MIBS)"
    exit 0
fi
if ! command -v smilint >/dev/null; then
    echo "smilint is not installed: sh deploy/setup.sh peers" >&2
    exit 1
fi

# The system's own configuration names directories and preloads that may not exist.
config=$(mktemp)
trap 'rm -f "$config"' EXIT
printf 'path %s\n' "$modules" >"$config"

# smilint's exit status is 0 whatever it finds in a module: what it says decides.
found=$(smilint -c "$config" -l 6 "${1:-$here/TABUAH-MIB.txt}" 2>&1) || found="$found
smilint itself failed"
[ -z "$found" ] || {
    echo "$found" >&2
    exit 1
}
