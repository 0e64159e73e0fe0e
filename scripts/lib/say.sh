# shellcheck shell=bash
# How the scripts talk: one line a step with its seconds; the whole log is kept, and shown when the step fails.

LATSCOPE_LOGS="${LATSCOPE_LOGS:-$(mktemp -d "${TMPDIR:-/tmp}/latscope-logs.XXXXXX")}"
export LATSCOPE_LOGS

say() { printf 'latscope: %s\n' "$*"; }

# fail WHAT [MORE...]: ends the script; MORE are lines that say what to do.
fail() {
  printf 'latscope: error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

now_ms() {
  local micros=${EPOCHREALTIME/[^0-9]/}
  printf '%s' $((micros / 1000))
}

# since START_MS: the time gone by, as "12.3 s".
since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# A descriptor that never has anything to read, so that waiting needs no process that would outlive its script.
exec {NEVER}<> <(:)

# watch NAME LOG START_MS: shows that a long step is alive, for as long as the calling script lives. A terminal sees the
# log's last line; anything else gets a line twice a minute.
watch() {
  local period=30 last
  [ -t 1 ] && period=0.5
  while kill -0 $$ 2>/dev/null; do
    read -r -t "$period" -u "$NEVER" last || true
    last=$(tail -c 400 "$2" | tr '\r\033' '\n ' | sed '/^[[:space:]]*$/d' | tail -n 1)
    if [ -t 1 ]; then printf '\r\033[K  %s %s  %.70s' "$1" "$(since "$3")" "$last"; else printf '  %s %s  %.100s\n' "$1" "$(since "$3")" "$last"; fi
  done
}

# step NAME COMMAND...: runs the command with its output in a log file, sets STEP_LOG and STEP_TIME, returns the command's
# exit code. A command that ends with 77 is skipped, and its last line says why.
step() {
  local name=$1 start watcher code=0
  shift
  STEP_LOG="$LATSCOPE_LOGS/${name//[^A-Za-z0-9]/-}.log"
  start=$(now_ms)
  : >"$STEP_LOG"
  watch "$name" "$STEP_LOG" "$start" &
  watcher=$!
  "$@" >"$STEP_LOG" 2>&1 </dev/null || code=$?
  kill "$watcher" && wait "$watcher" 2>/dev/null
  [ ! -t 1 ] || printf '\r\033[K'
  STEP_TIME=$(since "$start")
  case $code in
    0) say "$name $STEP_TIME" ;;
    77) say "$name skipped: $(tail -n 1 "$STEP_LOG")" ;;
    *)
      say "$name FAILED after $STEP_TIME (exit code $code); the end of $STEP_LOG:"
      tail -n 100 "$STEP_LOG" | sed 's/^/  | /'
      ;;
  esac
  return "$code"
}
