# The dead-man of a gateway with a shell: changes it, and changes it back unless it is told in time
# that all is well. It needs no session, no line and nobody at the centre. POSIX sh; busybox will do.
#
# Before it, in the same script, stand the functions that know what such a gateway runs:
#   need SCOPE, bars SCOPE, capture SCOPE TARGET, canonical, change, install_parts SCOPE PARTS,
#   reload_for PATH, beside PATH WORD, install_guard, save, late_parts
#
#   capture                 print what the device runs, for the scope on stdin; changes nothing
#   canonical               print what is on stdin as this device would print it
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
SELF=$HOME_DIR/deadman.sh
PATIENCE=3 # times to try a restore again before a person is needed

main() {
    verb=${1:-}
    [ $# -gt 0 ] && shift
    case $verb in
    capture) capture_stdin ;;
    canonical) canonical ;;
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
    if command -v setsid >/dev/null; then
        TABUAH_DEADMAN=$HOME_DIR setsid sh "$SELF" "$1" "$TX" </dev/null >>"$D/log" 2>&1 &
    else
        # Small devices lack it. By its pidfile, or it would take any shell for the one it started.
        TABUAH_DEADMAN=$HOME_DIR start-stop-daemon -S -q -b -p "$R/$1.pid" -x /bin/sh -- \
            "$SELF" "$1" "$TX"
    fi
}

# ---- what a device runs -------------------------------------------------------------------------
# A folder holds it in parts; the scope, a folder too, says which parts and whose. Everywhere there
# are files.list (MODE PATH a line) and, in that order, files/0, files/1 and so on.

unframe() { # DIR: "#NAME" begins a file of that name, every other line has a sign before it
    mkdir -p "$1/files" "$1/want/files"
    awk -v d="$1" '/^#/ { if (out) close(out); out = d "/" substr($0, 2); printf "" >out; next }
        { print substr($0, 2) >out }'
}

frame() { # DIR PREFIX: the reverse, to stdout
    (
        cd "$1" || exit
        for part in $PARTS; do
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

# ---- making a device run what a folder says -----------------------------------------------------

install_files() { # SCOPE PARTS: each by a rename; what is unchanged is not touched
    number=0
    while read -r mode path; do
        if [ -f "$2/files/$number" ] && ! cmp -s "$2/files/$number" "$path"; then
            mkdir -p "${path%/*}"
            new=$(beside "$path" tabuah-new)
            cat "$2/files/$number" >"$new" && chmod "$mode" "$new" && sync &&
                mv -f "$new" "$path" || return
            reload_for "$path"
        fi
        number=$((number + 1))
    done <"$1/files.list"
}

restore_files() { # the copies lie on the same disk: a rename needs no room on a full one
    number=0
    while read -r _ path; do
        if [ -f "$D/pre/files/$number" ]; then
            if ! cmp -s "$D/pre/files/$number" "$path"; then
                copy=$(beside "$path" tabuah-pre)
                if cmp -s "$D/pre/files/$number" "$copy"; then
                    mv -f "$copy" "$path" || return
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
    why=$(bars "$D")
    [ -z "$why" ] || refuse "$why"
    capture "$D" "$D/pre" || refuse "cannot read what the device runs"
    while read -r _ path; do
        if [ -f "$path" ]; then
            copy=$(beside "$path" tabuah-pre)
            cp -p "$path" "$copy" && cmp -s "$path" "$copy" ||
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
        rm -f "$(beside "$path" tabuah-pre)" "$(beside "$path" tabuah-new)"
    done <"$D/files.list"
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

do_late() {
    late_parts
    open_one || return 0
    if [ -e "$D/fired" ] && [ ! -e "$D/restored" ]; then
        restore
    fi
}

main "$@"
