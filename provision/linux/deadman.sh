#!/bin/sh
# The dead-man of a Linux gateway: changes it, and changes it back unless it is told in time that
# all is well. It needs no session, no line and nobody at the centre. POSIX sh; busybox will do, but for its 'ip'.
#
#   capture                 print what the device runs, for the scope on stdin; changes nothing
#   canonical               print an nftables ruleset from stdin as this kernel would list it
#   arm TX SECONDS          take copies, start the timer, print status; scope and wanted on stdin
#   apply TX                start the change, detached
#   status TX               print what is known of it
#   confirm TX              keep the change, if it is applied and the timer has not run out
#   rollback TX             undo it now, detached
#   release TX              forget a transaction that is settled
#   boot, late              of the boot guard: before the network, and after it
#
# One rename decides: armed -> confirmed against armed -> fired. rename(2) of a name that is gone
# fails, so exactly one of the two ever succeeds, whoever is killed and whenever.
#
# Times are seconds of uptime: a wall clock may jump by an hour, and some have no battery.
set -u
umask 077
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/frr
LC_ALL=C
export PATH LC_ALL
HOME_DIR=${TABUAH_DEADMAN:-/var/lib/tabuah-deadman}
SELF=$HOME_DIR/deadman.sh
# In memory, so that it is empty after a reboot and has room when the disk has none.
RUN=/run/tabuah-deadman
PATIENCE=3 # times to try a restore again before a person is needed

main() {
    verb=${1:-}
    [ $# -gt 0 ] && shift
    case $verb in
    capture) capture_stdin ;;
    canonical) canonical_nftables ;;
    arm | apply | status | confirm | rollback | release | timer | change | fire)
        TX=${1:-}
        case $TX in "" | *[!a-z0-9-]*) die "no name of a transaction: '$TX'" ;; esac
        D=$HOME_DIR/tx-$TX
        R=$RUN/$TX
        shift
        "do_$verb" "$@"
        ;;
    boot | late) "do_$verb" ;;
    *) die "no such verb: '$verb'" ;;
    esac
}

die() {
    echo "deadman: $*" >&2
    exit 2
}

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

uptime_s() {
    read -r up _ </proc/uptime
    echo "${up%%.*}"
}

# What names a process for longer than its number, which is used again.
started() { # PID: when it started, in ticks since boot
    [ -r "/proc/$1/stat" ] && sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20
}

mark_process() { mkdir -p "$R" && echo "$$ $(started $$)" >"$R/$1"; }

await_mark() { # NAME: of a process that was started detached
    turn=0
    while [ ! -s "$R/$1" ] && [ $turn -lt 50 ]; do
        sleep 0.1 2>/dev/null || sleep 1
        turn=$((turn + 1))
    done
}

alive() { # NAME: is the process that marked itself so still running? Leaves its number in $pid.
    [ -s "$R/$1" ] || return 1
    read -r pid when <"$R/$1" || return 1
    [ "$(started "$pid")" = "$when" ]
}

detached() { # VERB: run it in a session of its own, which no hangup and no closed line reaches
    if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
        # A session's processes may be ended with it (KillUserProcesses): a unit's are not.
        systemd-run --quiet --collect --unit="tabuah-$1-$TX-$$" --setenv=TABUAH_DEADMAN="$HOME_DIR" \
            sh "$SELF" "$1" "$TX" && return
    fi
    TABUAH_DEADMAN=$HOME_DIR setsid sh "$SELF" "$1" "$TX" </dev/null >>"$D/log" 2>&1 &
}

# ---- what a device runs -------------------------------------------------------------------------
# A folder holds it in parts; the scope, a folder too, says which parts and whose:
#   interfaces (a name a line), keys (a sysctl a line), files.list (MODE PATH a line), nftables, frr

unframe() { # DIR: "#NAME" begins a file of that name, every other line has a sign before it
    mkdir -p "$1/files" "$1/want/files"
    awk -v d="$1" '/^#/ { if (out) close(out); out = d "/" substr($0, 2); printf "" >out; next }
        { print substr($0, 2) >out }'
}

frame() { # DIR PREFIX: the reverse, to stdout
    (
        cd "$1" || exit
        for part in ip sysctl nftables frr files/*; do
            if [ -f "$part" ]; then
                echo "#$2$part"
                sed 's/^/ /' "$part"
            fi
        done
    )
}

capture_stdin() {
    scratch=$(mktemp -d) || die "cannot make a scratch folder"
    trap 'rm -rf "$scratch"' EXIT
    unframe "$scratch" || die "cannot keep what was sent"
    need "$scratch"
    capture "$scratch" "$scratch/now" && frame "$scratch/now" "" && echo "#end"
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

canonical_nftables() {
    # A network namespace of its own: the kernel reads it in full, and nothing is changed.
    unshare -n sh -c 'nft -f - && nft -s list ruleset' && echo "#end"
}

# ---- making a device run what a folder says -----------------------------------------------------

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

install_files() { # SCOPE PARTS: each by a rename; what is unchanged is not touched
    number=0
    while read -r mode path; do
        if [ -f "$2/files/$number" ] && ! cmp -s "$2/files/$number" "$path"; then
            mkdir -p "${path%/*}"
            cat "$2/files/$number" >"$path.tabuah-new" && chmod "$mode" "$path.tabuah-new" &&
                sync && mv -f "$path.tabuah-new" "$path" || return
            reload_for "$path"
        fi
        number=$((number + 1))
    done <"$1/files.list"
}

restore_files() { # the copies lie beside the files: a rename needs no room on a full disk
    number=0
    while read -r _ path; do
        if [ -f "$D/pre/files/$number" ]; then
            if ! cmp -s "$D/pre/files/$number" "$path"; then
                if cmp -s "$D/pre/files/$number" "$path.tabuah-pre"; then
                    mv -f "$path.tabuah-pre" "$path" || return
                else
                    cat "$D/pre/files/$number" >"$path" || return
                fi
                reload_for "$path"
            fi
        elif [ -f "$path" ]; then
            rm -f "$path" || return
            reload_for "$path"
        fi
        number=$((number + 1))
    done <"$D/files.list"
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

# ---- the transaction ----------------------------------------------------------------------------

do_arm() { # SECONDS
    window=${1:-}
    case $window in "" | *[!0-9]*) die "no number of seconds: '$window'" ;; esac
    mkdir -p "$HOME_DIR" "$R" || die "cannot make $HOME_DIR"
    [ ! -e "$D" ] || die "transaction $TX is known here already"
    mkdir "$D" || die "cannot make $D"
    locked=""
    mark_process arm
    unframe "$D" && [ -e "$D/end" ] || refuse "what was sent is not whole"
    echo "$TX" >"$D/id"
    [ -s "$D/id" ] || refuse "the disk keeps nothing"
    take_lock || refuse "busy with transaction $(cat "$HOME_DIR/open")"
    locked=yes
    keep 700 "$SELF" "" "$D/script" || refuse "cannot keep the script"
    capture "$D" "$D/pre" || refuse "cannot read what the device runs"
    while read -r _ path; do
        if [ -f "$path" ]; then
            cp -p "$path" "$path.tabuah-pre" && cmp -s "$path" "$path.tabuah-pre" ||
                refuse "cannot make a copy of $path"
        fi
    done <"$D/files.list"
    install_guard || refuse "no boot guard can be installed here"
    # Written now, renamed later: that needs no room on the disk.
    echo yes >"$D/restored.yes" && echo no >"$D/restored.no" && echo ok >"$D/applied.ok" &&
        echo failed >"$D/applied.failed" && : >"$D/log" &&
        echo $(($(uptime_s) + window)) >"$D/deadline" && : >"$D/armed.new" && sync &&
        [ "$(cat "$D/applied.ok")" = ok ] && [ -s "$D/deadline" ] && [ -s "$HOME_DIR/open" ] &&
        mv "$D/armed.new" "$D/armed" || refuse "the disk keeps nothing"
    sync
    detached timer
    await_mark timer
    print_status
    frame "$D/pre" pre/
    frame "$D/want" want/
    echo "#end"
}

# link(2) of a name that exists fails: one transaction at a time. A settled one makes room.
take_lock() {
    ln "$D/id" "$HOME_DIR/open" 2>/dev/null && return
    other=$(cat "$HOME_DIR/open") && [ "$other" != "$TX" ] &&
        sh "$SELF" release "$other" >/dev/null 2>&1 && ln "$D/id" "$HOME_DIR/open" 2>/dev/null
}

refuse() { # before anything was changed
    said=$*
    rm -f "$D/armed"
    # Copies beside the files are of the one that holds the lock.
    [ -z "$locked" ] || drop_copies
    [ "$(cat "$HOME_DIR/open" 2>/dev/null)" = "$TX" ] && rm -f "$HOME_DIR/open"
    rm -rf "$D" "$R"
    die "$said"
}

drop_copies() {
    [ -e "$D/files.list" ] && while read -r _ path; do
        rm -f "$path.tabuah-pre" "$path.tabuah-new"
    done <"$D/files.list"
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

do_timer() {
    trap '' HUP
    mark_process timer
    read -r deadline <"$D/deadline"
    while [ -e "$D/armed" ]; do
        left=$((deadline - $(uptime_s)))
        [ $left -gt 0 ] || break
        [ $left -lt 2 ] || left=2
        sleep $left
    done
    [ -e "$D/armed" ] && do_fire deadline
}

do_apply() {
    [ -e "$D/armed" ] || die "not armed"
    [ ! -e "$R/change" ] || die "started already"
    detached change
    # Who asks next is told that it runs, not that it never began.
    await_mark change
    echo "started"
}

do_change() {
    trap '' HUP
    mark_process change
    # Marked first, asked then: the one who fires looks for the mark after it has taken the token.
    [ -e "$D/armed" ] || exit 0
    if change >>"$D/log" 2>&1; then
        mv "$D/applied.ok" "$D/applied"
    else
        mv "$D/applied.failed" "$D/applied"
        # No need to wait for the timer: what is half-way is undone at once.
        rm -f "$R/change"
        do_fire refused
    fi
}

change() {
    if [ -e "$D/want/nftables" ]; then
        { echo "flush ruleset" && cat "$D/want/nftables"; } | nft -c -f - || return
    fi
    [ ! -e "$D/want/frr" ] || vtysh -C -f "$D/want/frr" || return
    install_files "$D" "$D/want" && install_parts "$D" "$D/want"
}

do_fire() { # REASON: the arbiter's one side
    trap '' HUP
    if ! mv "$D/armed" "$D/fired" 2>/dev/null; then
        # Fired before, and killed while restoring: go on. Confirmed: nothing to undo.
        [ -e "$D/fired" ] && [ ! -e "$D/restored" ] || return 0
        sleep 2 # the winner has marked itself by then
        ! alive fire || return 0
    fi
    mark_process fire
    echo "${1:-asked}" >"$D/why" 2>/dev/null
    if alive change; then
        kill -9 -- "-$pid" 2>/dev/null || kill -9 "$pid"
        while alive change; do sleep 1; done
    fi
    restore
}

restore() {
    turn=0
    while [ $turn -lt $PATIENCE ]; do
        { restore_files && install_parts "$D" "$D/pre"; } >>"$D/log" 2>&1
        if runs_before; then
            mv "$D/restored.yes" "$D/restored"
            sync
            return 0
        fi
        turn=$((turn + 1))
        sleep 1
    done
    mv "$D/restored.no" "$D/restored"
    sync
}

runs_before() {
    capture "$D" "$R/after" 2>>"$D/log" || return
    for part in "$D"/pre/* "$D"/pre/files/* "$R"/after/files/*; do
        [ -f "$part" ] || continue
        name=${part#"$D"/pre/}
        name=${name#"$R"/after/}
        cmp -s "$D/pre/$name" "$R/after/$name" || return 1
    done
}

do_confirm() {
    [ "$(cat "$D/applied" 2>/dev/null)" = ok ] || die "not applied"
    # The arbiter's other side.
    if ! mv "$D/armed" "$D/confirmed" 2>/dev/null; then
        [ -e "$D/confirmed" ] || die "too late: it is being undone"
    fi
    sync
    save
    do_status
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

keep() { # MODE PATH HEAD PART
    mkdir -p "${2%/*}"
    { [ -z "$3" ] || echo "$3"; cat "$4"; } >"$2.tabuah-new" && chmod "$1" "$2.tabuah-new" &&
        mv -f "$2.tabuah-new" "$2" || {
        rm -f "$2.tabuah-new"
        return 1
    }
}

do_rollback() {
    [ -e "$D" ] || die "no such transaction: $TX"
    [ ! -e "$D/confirmed" ] || die "too late: it is confirmed"
    # A person asks again after a restore that failed.
    [ "$(cat "$D/restored" 2>/dev/null)" != no ] || mv "$D/restored" "$D/restored.no"
    detached fire
    echo "started"
}

do_release() {
    if [ -e "$D" ]; then
        end=untouched
        if [ -e "$D/confirmed" ]; then
            [ -e "$D/saved" ] || die "not saved yet"
            end=confirmed
        elif [ -e "$D/fired" ]; then
            [ "$(cat "$D/restored" 2>/dev/null)" = yes ] || die "not settled"
            end=restored
        elif [ -e "$D/armed" ] || alive arm; then
            die "not settled"
        fi
        # Whoever asks later, perhaps another centre, still learns the truth.
        { tail -n 50 "$HOME_DIR/settled" 2>/dev/null; echo "$TX $end"; } >"$HOME_DIR/settled.new" &&
            mv "$HOME_DIR/settled.new" "$HOME_DIR/settled"
        drop_copies
    fi
    [ "$(cat "$HOME_DIR/open" 2>/dev/null)" = "$TX" ] && rm -f "$HOME_DIR/open"
    rm -rf "$D" "$R"
}

do_status() {
    print_status
    echo "#end"
}

print_status() {
    echo "#status"
    marker=none
    restored=$(cat "$D/restored" 2>/dev/null)
    for word in armed fired confirmed; do
        [ -e "$D/$word" ] && marker=$word
    done
    if [ ! -e "$D" ] && end=$(grep "^$TX " "$HOME_DIR/settled" 2>/dev/null); then
        case ${end#* } in
        confirmed) marker=confirmed ;;
        restored) marker=fired restored=yes ;;
        esac
    fi
    echo " marker=$marker"
    echo " restored=$restored"
    echo " open=$(cat "$HOME_DIR/open" 2>/dev/null)"
    echo " uptime=$(uptime_s)"
    echo " deadline=$(cat "$D/deadline" 2>/dev/null)"
    echo " applied=$(cat "$D/applied" 2>/dev/null)"
    echo " why=$(cat "$D/why" 2>/dev/null)"
    [ -e "$D/saved" ] && echo " saved=yes"
    for name in timer change fire; do
        alive $name && echo " $name=running"
    done
    [ -s "$D/log" ] && tail -n 3 "$D/log" | tr -cd ' -~\n' | sed 's/^/ log=/'
    return 0
}

# ---- the boot guard -----------------------------------------------------------------------------

open_one() {
    TX=$(cat "$HOME_DIR/open" 2>/dev/null)
    D=$HOME_DIR/tx-$TX
    R=$RUN/$TX
    [ -n "$TX" ] && [ -d "$D" ]
}

do_boot() { # before anything reads the files; what was not saved is gone with the old kernel
    open_one || return 0
    if mv "$D/armed" "$D/fired" 2>/dev/null; then
        echo reboot >"$D/why"
    fi
    if [ -e "$D/fired" ] && [ ! -e "$D/restored" ]; then
        restore_files >>"$D/log" 2>&1
    elif [ -e "$D/confirmed" ]; then
        save
    fi
    sync
}

do_late() { # the addresses that were confirmed, over what the system itself has set up
    if [ -s "$HOME_DIR/saved/ip" ]; then
        D=$HOME_DIR/saved R=$RUN/saved
        install_ip "$D" "$D/ip" || echo "deadman: the saved addresses do not fit" >&2
    fi
    open_one || return 0
    if [ -e "$D/fired" ] && [ ! -e "$D/restored" ]; then
        restore
    fi
}

main "$@"
