#!/bin/sh
# One gate in CI: a replay, its reports in the forms that CI systems read, and an exit code. What action.yml and gitlab.yml run; it
# runs anywhere else just as well. mynah must be on the PATH. All settings are environment variables:
#
#   MYNAH_SCENARIO       scenario or recording                                                          (wanted)
#   MYNAH_TARGET         what is judged: http://localhost:8002                                          (wanted)
#   MYNAH_AGAINST        what it is compared with, in turns within the one run: http://localhost:8001
#   MYNAH_BASELINE       or: runs that were kept, 'runs/main-*'
#   MYNAH_RATE           10/s, 2x; what the scenario says when empty
#   MYNAH_FOR            how long; 60s when empty
#   MYNAH_THRESHOLDS     one to a line: p99 < 500ms
#   MYNAH_LATE_AFTER     from when on a request is late by the generator's fault; 10ms when empty
#   MYNAH_ARGS           more flags for mynah replay, split at spaces
#   MYNAH_COMPARE_ARGS   flags that say what counts as slower (--quantile p99 --relative 5% --fail-on-differences), split at spaces
#   MYNAH_OUT            folder for the run and its reports; mynah-gate when empty
#   MYNAH_RETRIES        how often an invalid run (exit code 11: the machine was too busy to measure) is made again; 1 when empty
#
# Leaves in MYNAH_OUT: run/ (with report.html), junit.xml, summary.md. Exits as mynah replay does: 0, 10 gate failed, 11 invalid.
set -eu

: "${MYNAH_SCENARIO:?the scenario, such as load/shop.toml}"
: "${MYNAH_TARGET:?where requests go, such as http://localhost:8002}"
out=${MYNAH_OUT:-mynah-gate}
run=$out/run
target=$MYNAH_TARGET
[ -n "${MYNAH_LATE_AFTER:-}" ] || unset MYNAH_LATE_AFTER
unset MYNAH_TARGET # --against and --target exclude each other, and this would stand for the second.

set -- replay "$MYNAH_SCENARIO" --for "${MYNAH_FOR:-60s}" --force -o "$run"
if [ -n "${MYNAH_AGAINST:-}" ]; then
  set -- "$@" --against "$MYNAH_AGAINST" "$target"
else
  set -- "$@" --target "$target"
  [ -z "${MYNAH_BASELINE:-}" ] || set -- "$@" --baseline "$MYNAH_BASELINE"
fi
[ -z "${MYNAH_RATE:-}" ] || set -- "$@" --rate "$MYNAH_RATE"
newline='
'
IFS=$newline
set -f
for threshold in ${MYNAH_THRESHOLDS:-}; do
  set -- "$@" --threshold "$threshold"
done
unset IFS
# shellcheck disable=SC2086 # flags, split at spaces
set -- "$@" ${MYNAH_ARGS:-} ${MYNAH_COMPARE_ARGS:-}
set +f

mkdir -p "$out"
rm -f "$out/junit.xml" "$out/junit-compare.xml" "$out/summary.md" # an earlier gate's
case ${MYNAH_RETRIES:-1} in *[!0-9]*) echo "gate: MYNAH_RETRIES=$MYNAH_RETRIES: expected a number" >&2; exit 2 ;; esac
tries=$((${MYNAH_RETRIES:-1} + 1))
code=11
while [ "$code" -eq 11 ] && [ "$tries" -gt 0 ]; do
  tries=$((tries - 1))
  code=0
  mynah "$@" || code=$?
  if [ "$code" -eq 11 ] && [ "$tries" -gt 0 ]; then
    echo "gate: the run is invalid (see above); once more" >&2
  fi
done

# Nothing was measured: what mynah said stands above.
[ "$code" -eq 0 ] || [ "$code" -eq 10 ] || [ "$code" -eq 11 ] || exit "$code"

if [ -n "${MYNAH_AGAINST:-}" ]; then
  # shellcheck disable=SC2086 # flags, split at spaces
  set -- compare "$run/baseline" "$run/candidate" ${MYNAH_COMPARE_ARGS:-}
  judged=$run/candidate
elif [ -n "${MYNAH_BASELINE:-}" ]; then
  # shellcheck disable=SC2086
  set -- compare "$MYNAH_BASELINE" "$run" ${MYNAH_COMPARE_ARGS:-}
  judged=$run
else
  set --
  judged=$run
fi
# These exit as the comparison does, which has been told above.
mynah report "$judged" --junit "$out/junit.xml"
mynah report "$judged" --markdown > "$out/summary.md"
if [ "$#" -gt 0 ]; then
  mynah "$@" --junit "$out/junit-compare.xml" --markdown >> "$out/summary.md" || true
fi
[ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat "$out/summary.md" >> "$GITHUB_STEP_SUMMARY"
if [ -n "${GITHUB_ACTIONS:-}" ]; then
  mynah report "$judged" --github
  [ "$#" -eq 0 ] || mynah "$@" --github || true
fi
exit "$code"
