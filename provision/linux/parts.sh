#!/bin/sh
# shellcheck disable=SC2034 # read by what follows
# What a Linux gateway runs, in parts, for `deadman.sh`, which follows in the same script.
#
# A folder holds a configuration in parts: ip, sysctl, nftables, frr, files/0, files/1 and so on. The
# scope, a folder too, says which parts and whose: interfaces (a name a line), keys (a sysctl a line),
# files.list (MODE PATH a line), nftables, frr.
HOME_DIR=${TABUAH_DEADMAN:-/var/lib/tabuah-deadman}
# In memory, so that it is empty after a reboot and has room when the disk has none.
RUN=/run/tabuah-deadman
PARTS="ip sysctl nftables frr files/*"

# By its path: a busybox may prefer an applet of its own to the program that is installed.
ip() {
    for folder in /usr/local/sbin /usr/sbin /sbin /usr/local/bin /usr/bin /bin; do
        if [ -x "$folder/ip" ]; then
            "$folder/ip" "$@"
            return
        fi
    done
    die "this device has no 'ip'"
}

need() { # SCOPE: the programs that it takes
    programs="awk cmp cut grep ip sed setsid sort sync tail tr"
    [ ! -e "$1/nftables" ] || programs="$programs nft unshare conntrack"
    [ ! -e "$1/frr" ] || programs="$programs vtysh frr-reload.py"
    for program in $programs; do
        command -v "$program" >/dev/null || die "this device has no '$program'"
    done
    # busybox's own does not say who made a route.
    ip -V 2>&1 | grep -q iproute2 || die "the 'ip' of this device is not iproute2's"
}

running_frr() { # nothing, where vtysh fails
    vtysh -c 'show running-config' 2>/dev/null |
        grep -v -e '^Building configuration' -e '^Current configuration' -e '^$'
}

capture() { # SCOPE TARGET: fails when a part cannot be read
    rm -rf "$2"
    mkdir -p "$2/files" || return
    capture_ip "$1" >"$2/ip" || return
    if [ -s "$1/keys" ]; then
        while read -r key; do
            echo "$key = $(tr '\t' ' ' <"$(sysctl_file "$key")")" || return
        done <"$1/keys" >"$2/sysctl"
    fi
    if [ -e "$1/nftables" ]; then
        nft -s list ruleset >"$2/nftables" || return
    fi
    if [ -e "$1/frr" ]; then
        running_frr >"$2/frr"
        [ -s "$2/frr" ] || return
    fi
    number=0
    while read -r _ path; do
        if [ -f "$path" ]; then
            cat "$path" >"$2/files/$number" || return
        fi
        number=$((number + 1))
    done <"$1/files.list"
}

sysctl_file() { echo "/proc/sys/$(echo "$1" | tr ./ /.)"; }

# One fact a line. What others put there (DHCP, PPP, the kernel itself, routing daemons) is theirs.
capture_ip() { # SCOPE
    while read -r name; do
        ip -o link show dev "$name" | awk -v n="$name" '{
            for (i = 1; i < NF; i++) if ($i == "mtu") print "mtu", n, $(i + 1)
            print "link", n, (($3 ~ /[<,]UP[,>]/) ? "up" : "down") }'
        ip -4 -o address show dev "$name" scope global | awk -v n="$name" '
            !/ dynamic / && $5 != "peer" { print "address", n, $4 }'
    done <"$1/interfaces"
    ip -4 route show table main | awk -v list="$1/interfaces" '
        BEGIN { while ((getline name <list) > 0) ours[name] = 1 }
        / nhid / { next }
        {
            dev = ""; proto = ""; line = ""
            for (i = 1; i <= NF; i++) {
                if ($i == "dev") dev = $(i + 1)
                if ($i == "proto") { proto = $(i + 1); i++; continue }
                if ($i == "linkdown" || $i == "dead") continue
                line = line " " $i
            }
            if ((dev in ours) && (proto == "" || proto == "static" || proto == "boot")) print "route" line
        }' | sort
}

canonical() {
    # A network namespace of its own: the kernel reads it in full, and nothing is changed.
    unshare -n sh -c 'nft -f - && nft -s list ruleset' && echo "#end"
}

install_parts() { # SCOPE PARTS: every step is tried; fails if one failed, naming it
    failed=""
    [ ! -e "$2/sysctl" ] || install_sysctl "$2/sysctl" || failed="$failed sysctl"
    [ ! -e "$2/nftables" ] || install_nftables "$2/nftables" || failed="$failed nftables"
    [ ! -e "$2/ip" ] || install_ip "$1" "$2/ip" || failed="$failed ip"
    [ ! -e "$2/frr" ] || install_frr "$2/frr" || failed="$failed frr"
    [ -z "$failed" ] || { echo "failed:$failed" && return 1; }
}

install_frr() {
    if running_frr | cmp -s - "$1"; then
        return 0 # frr-reload takes seconds to find that out
    fi
    frr-reload.py --reload --stdout --log-level error "$1"
}

install_sysctl() {
    while read -r key _ value; do
        echo "$value" >"$(sysctl_file "$key")" || return
    done <"$1"
}

# One transaction of the kernel: there is no moment with no rules, or with half of them. Flows that
# the old rules let in would go on under 'ct state established' and hide that no new one gets in:
# the agent's reports and pings come by such, and are forgotten, so that what the office reports
# afterwards is true of the new rules. A connection of TCP has an end, and people's are spared.
install_nftables() {
    if nft -s list ruleset | cmp -s - "$1"; then
        return 0
    fi
    { echo "flush ruleset" && cat "$1"; } | nft -f - || return
    for protocol in udp icmp; do
        conntrack -D -p $protocol >/dev/null 2>&1 # which fails where there is none
    done
    return 0
}

install_ip() { # SCOPE WANTED
    mkdir -p "$R" || return
    capture_ip "$1" >"$R/ip.now"
    missing "$R/ip.now" "$2" | while read -r what name value; do
        case $what in
        mtu) ip link set dev "$name" mtu "$value" ;;
        link) ip link set dev "$name" "$value" ;;
        address) ip -4 address add "$value" dev "$name" ;;
        esac || exit
    done || return
    # The new addresses are there before the old ones go.
    missing "$2" "$R/ip.now" | while read -r what name value; do
        [ "$what" != address ] || ip -4 address del "$value" dev "$name" || exit
    done || return
    # With the first address of a subnet go the others of it, and the routes that lie in it.
    capture_ip "$1" >"$R/ip.now"
    missing "$R/ip.now" "$2" | while read -r what name value; do
        [ "$what" != address ] || ip -4 address add "$value" dev "$name" || exit
    done || return
    missing "$R/ip.now" "$2" | while read -r what route; do
        # shellcheck disable=SC2086 # a route is several words
        [ "$what" != route ] || ip -4 route replace $route || exit
    done || return
    capture_ip "$1" >"$R/ip.now"
    missing "$2" "$R/ip.now" | while read -r what route; do
        # shellcheck disable=SC2086
        [ "$what" != route ] || ip -4 route del $route || exit
    done
}

missing() { # IN OF: the lines of OF that are not in IN
    if [ -s "$1" ]; then grep -v -x -F -f "$1" "$2" || [ $? -eq 1 ]; else cat "$2"; fi
}

reload_for() { # PATH: tell its program; one that is not there needs no telling
    case $1 in
    */chrony*) service=chrony ;;
    */rsyslog*) service=rsyslog ;;
    */snmp*) service=snmpd ;;
    */dnsmasq*) service=dnsmasq ;;
    */unbound*) service=unbound ;;
    */wireguard/*)
        tunnel=${1##*/}
        service=wg-quick@${tunnel%.conf}
        ;;
    */ssh/*) service=ssh ;;
    *) return 0 ;;
    esac
    if [ -d /run/systemd/system ]; then
        systemctl --no-block try-reload-or-restart "$service"
    elif [ -x "/etc/init.d/$service" ]; then
        "/etc/init.d/$service" reload
    fi </dev/null >>"$D/log" 2>&1
    return 0
}

change() {
    if [ -e "$D/want/nftables" ]; then
        { echo "flush ruleset" && cat "$D/want/nftables"; } | nft -c -f - || return
    fi
    [ ! -e "$D/want/frr" ] || vtysh -C -f "$D/want/frr" || return
    install_files "$D" "$D/want" && install_parts "$D" "$D/want"
}

# What is changed is not saved before it is confirmed, so a reboot undoes it; but files are on disk
# at once, and need a guard that runs before anything reads them.
install_guard() {
    if [ -d /etc/systemd/system ]; then
        guard_unit boot "DefaultDependencies=no
After=local-fs.target
Before=sysinit.target network-pre.target" sysinit.target
        guard_unit late "After=network.target nftables.service frr.service" multi-user.target
    elif [ -d /etc/rcS.d ]; then
        printf '#!/bin/sh\nTABUAH_DEADMAN=%s exec sh %s boot\n' "$HOME_DIR" "$SELF" \
            >/etc/rcS.d/S20tabuah-deadman && chmod 755 /etc/rcS.d/S20tabuah-deadman &&
            printf '#!/bin/sh\nTABUAH_DEADMAN=%s exec sh %s late\n' "$HOME_DIR" "$SELF" \
                >/etc/rc2.d/S20tabuah-deadman && chmod 755 /etc/rc2.d/S20tabuah-deadman
    else
        [ ! -s "$D/files.list" ]
    fi
}

guard_unit() { # VERB ORDER TARGET
    unit=tabuah-deadman-$1.service
    printf '[Unit]\nDescription=Undo what was pushed and not confirmed (%s)\n%s\n\n[Service]\nType=oneshot\nEnvironment=TABUAH_DEADMAN=%s\nExecStart=/bin/sh %s %s\n' \
        "$1" "$2" "$HOME_DIR" "$SELF" "$1" >"/etc/systemd/system/$unit" &&
        chmod 644 "/etc/systemd/system/$unit" &&
        mkdir -p "/etc/systemd/system/$3.wants" &&
        ln -sf "../$unit" "/etc/systemd/system/$3.wants/$unit"
}

save() { # what was confirmed outlives a reboot; each file whole, by a rename
    [ ! -e "$D/saved" ] || return 0
    if [ -e "$D/want/nftables" ]; then
        keep 755 /etc/nftables.conf "#!/usr/sbin/nft -f
flush ruleset" "$D/want/nftables" || return
    fi
    if [ -e "$D/want/sysctl" ]; then
        keep 644 /etc/sysctl.d/90-tabuah.conf "# By tabuah." "$D/want/sysctl" || return
    fi
    if [ -e "$D/want/frr" ]; then
        keep 640 /etc/frr/frr.conf "! By tabuah." "$D/want/frr" || return
        chown frr:frr /etc/frr/frr.conf
    fi
    if [ -e "$D/want/ip" ]; then
        mkdir -p "$HOME_DIR/saved"
        cp "$D/interfaces" "$HOME_DIR/saved/interfaces" &&
            cp "$D/want/ip" "$HOME_DIR/saved/ip.new" &&
            mv "$HOME_DIR/saved/ip.new" "$HOME_DIR/saved/ip" || return
    fi
    sync
    : >"$D/saved"
    drop_copies
}

bars() { :; }

beside() { echo "$1.$2"; }

late_parts() { # the addresses that were confirmed, over what the system itself has set up
    [ -s "$HOME_DIR/saved/ip" ] || return 0
    D=$HOME_DIR/saved R=$RUN/saved
    install_ip "$D" "$D/ip" || echo "deadman: the saved addresses do not fit" >&2
}

