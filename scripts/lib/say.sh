# shellcheck shell=bash
# How the scripts talk: one line a step with its seconds, the whole log kept and shown only when a step fails.

LATSCOPE_LOGS="${LATSCOPE_LOGS:-$(mktemp -d "${TMPDIR:-/tmp}/latscope-logs.XXXXXX")}"
export LATSCOPE_LOGS

say() { printf 'latscope: %s\n' "$*"; }

fail() {
  printf 'latscope: error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

now_ms() { local t=${EPOCHREALTIME/[^0-9]/}; printf '%s' "$((t / 1000))"; }

# since START_MS: the seconds gone by, as "12.3 s".
since() { local ms=$(($(now_ms) - $1)); printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100)); }

# step NAME COMMAND...: runs the command with its output in a log file. A terminal sees the log's last line move.
# Returns the command's exit code.
step() {
  local name=$1 start code=0 log pid
  shift
  log="$LATSCOPE_LOGS/${name//[^A-Za-z0-9]/-}.log"
  start=$(now_ms)
  if [ -t 1 ]; then
    "$@" >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r\033[K  %s  %s  %.60s' "$name" "$(since "$start")" "$(tail -c 400 "$log" | tr '\r\033' '\n ' | tail -n 1)"
      sleep 0.5
    done
    wait "$pid" || code=$?
    printf '\r\033[K'
  else
    "$@" >"$log" 2>&1 || code=$?
  fi
  case $code in
    0) say "$name $(since "$start")" ;;
    77) say "$name skipped: $(tail -n 1 "$log")" ;;
    *)
      say "$name FAILED after $(since "$start") (exit code $code)"
      tail -n 120 "$log" | sed 's/^/  | /'
      say "whole log: $log"
      ;;
  esac
  return "$code"
}
