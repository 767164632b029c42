#!/usr/bin/env bash
# Holds the server against the floor: the same loads by the same harness, in turn, on two cores.
#
#   benches/run.sh [OUT]        OUT: where the reports go (default: a new temporary directory)
#
# The server runs on core 0, the harness on core 1. Environment:
#   RUNS      runs of each load for each of both (default 3)
#   LOADS     which loads, in which order (default: c2 c1 paced unpaired)
#   DURATION  of the measuring window (default 10s; paced runs take twice as long)
#   BIN       where the binaries are (default: target/release, built if it is not set)
# Each run starts a fresh process on a fresh directory.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${RUNS:-3}
loads=${LOADS:-c2 c1 paced unpaired}
duration=${DURATION:-10s}
out=${1:-$(mktemp -d)}
mkdir -p "$out"

if [ -z "${BIN:-}" ]; then
    cargo build --release -p barterline -p barterline-loadtest -p barterline-floor
    BIN=${CARGO_TARGET_DIR:-target}/release
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The scenario of a load.
scenario() {
    case $1 in
        c2) echo "run --rooms 800 --in-flight 2 --duration $duration" ;;
        c1) echo "run --rooms 200 --in-flight 8 --duration $duration" ;;
        paced) echo "run --rooms 1000 --rate 2000 --duration 20s" ;;
        unpaired) echo "run --rooms 4000 --rate 30000 --duration $duration" ;;
        *) echo "no such load: $1" >&2; return 2 ;;
    esac
}

# The share of the machine that was busy during a second, in percent.
busy() {
    local first second
    first=$(awk '/^cpu / { print $2 + $3 + $4 + $7 + $8, $2 + $3 + $4 + $5 + $6 + $7 + $8 }' /proc/stat)
    sleep 1
    second=$(awk '/^cpu / { print $2 + $3 + $4 + $7 + $8, $2 + $3 + $4 + $5 + $6 + $7 + $8 }' /proc/stat)
    echo "$first $second" | awk '{ printf "%d\n", 100 * ($3 - $1) / ($4 - $2 + 1) }'
}

# Waits up to a minute for a quiet machine: figures of a busy one say nothing.
wait_quiet() {
    for _ in $(seq 60); do
        if [ "$(busy)" -lt 8 ]; then
            return
        fi
    done
    echo "== the machine is not quiet: see the line 'other CPU'" >&2
}

# measure LOAD WHO NUMBER
measure() {
    local data=$scratch/data words command adapter
    rm -rf "$data"
    mkdir "$data"
    read -ra words <<<"$(scenario "$1")"
    if [ "$2" = floor ]; then
        adapter=raw-ack
        command="$BIN/barterline-floor --listen 127.0.0.1:0 --wal $data/floor.wal"
    else
        adapter=barterline
        command="$BIN/barterline serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0"
        command+=" --data $data --load-test"
    fi
    wait_quiet
    echo "== $1, $2, run $3" >&2
    taskset -c 1 "$BIN/barterline-loadtest" "${words[@]}" --adapter "$adapter" \
        --spawn "taskset -c 0 $command" --json "$out/$1-$2-$3.json" \
        || echo "== exit code $?: $1, $2, run $3" >&2
}

for load in $loads; do
    scenario "$load" >/dev/null
    for number in $(seq "$runs"); do
        measure "$load" floor "$number"
        measure "$load" server "$number"
    done
done
"$BIN/barterline-loadtest" summary "$out"
