
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
declare -A VALUES
FAILED=0 SENT=0

# begin PROFILE: another user, without cookies and values.
begin() {
  printf '%s\n' "$1"
  : >"$WORK/jar"
  VALUES=()
}

# pause SECONDS, times THINK.
pause() {
  case $THINK in 0 | 0.0) ;; *) sleep "$(awk -v s="$1" -v f="$THINK" 'BEGIN { print s * f }')" ;; esac
}

# send NAME WANTED-STATUS URL [curl's options]: one request, its response kept.
send() {
  local name=$1 want=$2 url=$3 got
  shift 3
  got=$(curl --silent --globoff --path-as-is --compressed --max-time 30 --cookie "$WORK/jar" --cookie-jar "$WORK/jar" \
    --dump-header "$WORK/head" --output "$WORK/body" --write-out '%{http_code}' "$@" -- "$url") || true
  SENT=$((SENT + 1))
  if [ "$want" = any ] || [ "${got%??}" = "${want%??}" ]; then
    printf '  %s  %s\n' "$got" "$name"
  else
    FAILED=$((FAILED + 1))
    printf '  %s  %s  (recorded %s)\n' "$got" "$name" "$want"
  fi
}

# keep NAME WHICH: reads values from standard input, a line each, and keeps that one, or the first.
keep() {
  local found
  found=$(sed -n "$(($2 + 1))p")
  if [ -n "$found" ]; then VALUES[$1]=$found; fi
}

# value NAME [RECORDED]: a value kept, or what was recorded where no response had one.
value() { printf '%s' "${VALUES[$1]:-${2-}}"; }
