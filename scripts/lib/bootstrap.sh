# Shared by the scripts beside this folder: --help, and a .venv that fits constraints.txt and both pyproject.toml files.
# Source it after setting $root.
# shellcheck shell=bash

venv="${root:?must be set before this is sourced}/.venv"

# The help of a script is the comment at its top, with the command as the person typed it. It needs no .venv.
help_if_asked() {
    local argument
    for argument in "$@"; do
        case "$argument" in
        -h | --help)
            typed="$0" name="scripts/$(basename "$(readlink -f "${BASH_SOURCE[1]}")")" awk '
                NR == 1 { next }
                !/^#/ { exit }
                { sub(/^# ?/, ""); line = ""
                  while (i = index($0, ENVIRON["name"])) {
                      line = line substr($0, 1, i - 1) ENVIRON["typed"]; $0 = substr($0, i + length(ENVIRON["name"])) }
                  print line $0 }' "${BASH_SOURCE[1]}"
            exit 0
            ;;
        --) return ;;
        esac
    done
    export TREATY_COMMAND="$0"
}

bootstrap() {
    if is_fresh; then return; fi
    mkdir -p "$root/.dev"
    (
        # Two scripts that start at once take turns; the second finds the work done.
        if command -v flock >/dev/null; then flock 9; fi
        if ! is_fresh; then build_venv 9>&-; fi
    ) 9>>"$root/.dev/bootstrap.lock"
}

# Takes the addresses in a file of exports, unless the process behind one of them is gone: a machine that was switched off
# leaves the file behind. Variables that the shell has already are kept.
source_if_running() {
    local port
    [ -f "$1" ] || return 0
    for port in $(grep -oE '127\.0\.0\.1:[0-9]+' "$1" | cut -d: -f2); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
    # shellcheck source=/dev/null
    source "$1"
}

is_fresh() {
    [ -x "$venv/bin/python" ] && [ "$(cat "$venv/bootstrap.stamp" 2>/dev/null)" = "$(wanted_stamp)" ]
}

# The path is part of it: the commands inside a virtual environment that was moved point to the old place.
wanted_stamp() {
    echo "$root"
    cat "$root/pyproject.toml" "$root/libs/pyproject.toml" "$root/constraints.txt" | cksum
}

build_venv() {
    local log="$root/.dev/bootstrap.log" python="$venv/bin/python"
    echo "Preparing .venv (log: .dev/bootstrap.log) ..." >&2
    {
        { is_ours || create_venv; } &&
            cd "$root" && "$python" -m pip install --no-input --quiet -e './libs[dev]' -e '.[dev]' -c constraints.txt &&
            wanted_stamp >"$venv/bootstrap.stamp"
    } >"$log" 2>&1 </dev/null && return
    tail -n 20 "$log" >&2
    echo "Preparing .venv failed; the whole log is .dev/bootstrap.log." >&2
    return 1
}

is_ours() {
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || return 1
    [ ! -e "$venv/bootstrap.stamp" ] || [ "$(head -n 1 "$venv/bootstrap.stamp")" = "$root" ]
}

create_venv() {
    local python
    python="$(find_python)" || return 1
    "$python" -c 'import ensurepip' 2>/dev/null || install_ensurepip "$python" || return 1
    "$python" -m venv --clear "$venv"
}

find_python() {
    local candidate
    for candidate in python3.11 python3 python3.12 python3.13 python3.14; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "No Python 3.11 or newer was found; install one and run this again." >&2
    return 1
}

install_ensurepip() {
    local package
    package="$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "Python's venv module is incomplete; install the package $package and run this again." >&2
        return 1
    fi
    apt-get update --quiet || true
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "$package"
}
