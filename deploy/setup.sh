#!/bin/sh
# Sets up what `make` needs on a fresh Debian or Ubuntu.
#   setup.sh python DIR   a virtual environment in DIR with the locked dependencies and tabuah itself
#   setup.sh peers        the programs that the tests talk to (net-snmp, Prometheus, FRR, ...)
# As root, missing system packages are installed with apt; otherwise it says exactly which to install.
set -eu

need_packages() { # names of Debian packages that are missing
    [ $# -gt 0 ] || return 0
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "installing: $*" >&2
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update >&2
        apt-get -qq install -y --no-install-recommends "$@" >&2
    else
        echo "these system packages are missing; install them and run make again:" >&2
        echo "    sudo apt-get install $*" >&2
        exit 2
    fi
}

find_python() { # the first Python that is new enough
    for name in python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
}

python_environment() {
    python=$(find_python)
    if [ -z "$python" ]; then
        need_packages python3 python3-venv
        python=$(find_python)
    fi
    if [ -z "$python" ]; then
        echo "Python 3.11 or newer is needed; this system's package is older" >&2
        exit 2
    fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null || need_packages python3-venv
    echo "setting up $1 (a minute or two the first time)" >&2
    [ -x "$1/bin/python" ] || "$python" -m venv "$1"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.txt
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
}

peers() {
    missing=""
    want() { # PROGRAM PACKAGE
        PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || missing="$missing $2"
    }
    want snmpd snmpd
    want snmpget snmp
    want snmptrapd snmptrapd
    want smilint smitools
    want prometheus prometheus
    want promtool prometheus
    want amtool prometheus-alertmanager
    want victoria-metrics victoria-metrics
    # Its server is not in the PATH.
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
    want cc "gcc libc6-dev"
    want ip iproute2
    want nft nftables
    want conntrack conntrack
    want ping iputils-ping
    want sshd openssh-server
    want vtysh frr
    [ -e /usr/lib/frr/frr-reload.py ] || missing="$missing frr-pythontools"
    want shellcheck shellcheck
    want busybox busybox-static
    # Debian's package; Ubuntu has the browser as a snap behind another name.
    if apt-cache show chromium >/dev/null 2>&1 || ! apt-cache show chromium-browser >/dev/null 2>&1; then
        want chromium chromium
    else
        want chromium chromium-browser
    fi
    # shellcheck disable=SC2086
    need_packages $(printf '%s\n' $missing | sort -u)
}

case "${1:-}" in
python) python_environment "${2:?the directory of the environment}" ;;
peers) peers ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
