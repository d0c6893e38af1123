#!/bin/sh
# Runs every test, in two halves side by side: those in network namespaces wait for timers most of
# their time, and so do the other end-to-end ones. One after the other takes twice as long.
#   test.sh DIR   DIR is the virtual environment
set -u
python=${1:?the directory of the environment}/bin/python
log=$(mktemp)
# What pytest remembers of a run is the other half's.
"$python" -m pytest -p no:cacheprovider tests/lab tests/provision >"$log" 2>&1 &
lab=$!
trap 'kill "$lab" 2>/dev/null; rm -f "$log"; exit 130' INT TERM
"$python" -m pytest --ignore=tests/lab --ignore=tests/provision
rest=$?
echo "the tests in network namespaces:"
wait "$lab"
namespaces=$?
cat "$log"
rm -f "$log"
[ "$rest" -eq 0 ] && [ "$namespaces" -eq 0 ]
