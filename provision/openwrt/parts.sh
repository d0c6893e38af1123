#!/bin/sh
# shellcheck disable=SC2034 # read by what follows
# What a gateway with OpenWrt runs, in parts, for `deadman.sh`, which follows in the same script.
#
# A folder holds a configuration in parts: uci/PACKAGE as `uci export` prints what is committed, and
# files/0 and so on. The scope, a folder too, says which: packages (a name a line), files.list (MODE
# PATH a line), in which the packages' own files stand last.
#
# Files are replaced whole, each by a rename: `uci commit` writes package after package, and a full
# flash stops it half-way. rpcd's own apply and rollback is not used: its timer would be a second
# arbiter, and dies with rpcd. One of its that is pending bars the arming.

# On flash; /var is memory here, and so is RUN.
HOME_DIR=${TABUAH_DEADMAN:-/etc/tabuah-deadman}
RUN=/tmp/tabuah-deadman
PARTS="uci/* files/*"
touched=""

# Not in /etc/config: every file there is a package.
beside() { mkdir -p "$HOME_DIR/beside" && echo "$HOME_DIR/beside/$(echo "$1" | tr / _).$2"; }

need() {
    for program in awk cmp cut grep mktemp reload_config sed sort sync tail tr uci; do
        command -v "$program" >/dev/null || die "this device has no '$program'"
    done
    command -v setsid >/dev/null || command -v start-stop-daemon >/dev/null ||
        die "this device has neither 'setsid' nor 'start-stop-daemon'"
}

bars() { # SCOPE: print why nothing may be changed now
    while read -r package; do
        if [ -n "$(uci -q changes "$package")" ]; then
            echo "another hand changes $package and has not committed it: uci changes $package"
            return
        fi
    done <"$1/packages"
    for kept in /var/run/rpcd/snapshot-files/*; do
        if [ -e "$kept" ]; then
            echo "a change by LuCI waits to be kept or rolled back; wait until it is over"
            return
        fi
    done
}

committed() { # PACKAGE [OPTION]...: what is on flash; what is only staged is not
    package=$1
    shift
    mkdir -p "$RUN/none" && uci -N -t "$RUN/none" "$@" export "$package"
}

capture() { # SCOPE TARGET: fails when a part cannot be read
    rm -rf "$2"
    mkdir -p "$2/uci" "$2/files" || return
    while read -r name; do
        [ ! -e "/etc/config/$name" ] || committed "$name" >"$2/uci/$name" || return
    done <"$1/packages"
    number=0
    while read -r _ path; do
        if [ -f "$path" ]; then
            cat "$path" >"$2/files/$number" || return
        fi
        number=$((number + 1))
    done <"$1/files.list"
}

canonical() {
    scratch=$(mktemp -d) || die "cannot make a scratch folder"
    trap 'rm -rf "$scratch"' EXIT
    mkdir -p "$scratch/uci" "$scratch/out/uci"
    unframe "$scratch" || die "cannot keep what was sent"
    for wanted in "$scratch"/uci/*; do
        name=${wanted##*/}
        said=$(committed "$name" -c "$scratch/uci" 2>&1 >"$scratch/out/uci/$name") ||
            die "package $name: $said"
    done
    frame "$scratch/out" "" && echo "#end"
}

change() {
    install_files "$D" "$D/want" || return
    if [ "$touched" = firewall ] && command -v fw4 >/dev/null; then
        fw4 check || return
    fi
    install_parts "$D" "$D/want"
}

install_parts() { # the files are in place: have their services take them up
    reload_config || return
    [ "$touched" = firewall ] || return 0
    # Old flows would pass rules that let no new one pass, and hide it from the agent.
    if command -v conntrack >/dev/null; then
        for protocol in udp icmp; do
            conntrack -D -p $protocol >/dev/null 2>&1 # which fails where there is none
        done
    else
        { echo f >/proc/net/nf_conntrack; } 2>/dev/null # OpenWrt's own: forget all of them
    fi
    return 0
}

reload_for() { # PATH
    case $1 in /etc/config/firewall) touched=firewall ;; esac
}

# UCI is on flash at once: before any service reads it, what was not confirmed is put back.
install_guard() {
    guard boot 05 && guard late 99
}

guard() { # VERB START
    init=tabuah-deadman-$1
    printf '#!/bin/sh /etc/rc.common\nSTART=%s\nstart() {\n\tTABUAH_DEADMAN=%s sh %s %s\n}\n' \
        "$2" "$HOME_DIR" "$SELF" "$1" >"/etc/init.d/$init" && chmod 755 "/etc/init.d/$init" &&
        ln -sf "../init.d/$init" "/etc/rc.d/S$2$init"
}

save() { # it is on flash
    [ -e "$D/saved" ] || : >"$D/saved"
    drop_copies
}

late_parts() { :; }

