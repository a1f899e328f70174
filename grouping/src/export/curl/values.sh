# Where values are found: a line for each, in order.
unescape() {
  sed -e 's/&quot;/"/g' -e "s/&#39;/'/g; s/&#x27;/'/g" -e 's/&#x2[fF];/\//g; s/&#47;/\//g' -e 's/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'
}

percent() {
  local text=$1 out="" char at
  local LC_ALL=C
  for ((at = 0; at < ${#text}; at++)); do
    char=${text:at:1}
    case $char in [a-zA-Z0-9._~-]) out+=$char ;; *) out+=$(printf '%%%02X' "'$char") ;; esac
  done
  printf '%s' "$out"
}

unpercent() {
  local line
  while IFS= read -r line; do
    line=${line//\\/\\\\}
    printf '%b\n' "${line//%/\\x}"
  done
}

in_json() { jq -Rrs '@json | .[1:-1]' < <(printf '%s' "$1"); }

as_json() { jq -Rrs 'if test("^(-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false|null)$") then . else @json end' < <(printf '%s' "$1"); }

header_values() { tr -d '\r' <"$WORK/head" | awk -v name="$1" 'index(tolower($0), tolower(name) ":") == 1 { sub(/^[^:]*: */, ""); print }'; }

cookie_values() { header_values Set-Cookie | awk -v name="$1" '{ sub(/;.*/, ""); if (index($0, name "=") == 1) print substr($0, length(name) + 2) }'; }

json_values() { jq -r "[$1] | .[] | select(type != \"object\" and type != \"array\") | tostring" "$WORK/body" 2>"$WORK/errors" || true; }

# tags ELEMENT…: the start tags of these elements, a line each.
tags() { tr '\r\n' '  ' <"$WORK/body" | { grep -oiE "<($1)([[:space:]][^>]*)?>" || true; }; }

# attribute NAME: of each tag on standard input; quoted or not.
attribute() {
  { grep -iE "[[:space:]]$1[[:space:]]*=" || true; } | sed -nE \
    "s/.*[[:space:]]$1[[:space:]]*=[[:space:]]*(\"([^\"]*)\"|'([^']*)'|([^[:space:]>]+)).*/\2\3\4/Ip" | unescape
}

# with NAME VALUE: of the tags on standard input those with that attribute.
with() {
  local tag
  while IFS= read -r tag; do
    if [ "$(printf '%s\n' "$tag" | attribute "$1")" = "$2" ]; then printf '%s\n' "$tag"; fi
  done
}

control_values() { tags 'input|button' | with name "$1" | attribute value; }

meta_values() { tags meta | { with name "$1"; } | attribute content; }

attribute_values() { tags "$1" | attribute "$2"; }

text_values() {
  tr '\r\n' '  ' <"$WORK/body" | { grep -oiE "<$1([[:space:]][^>]*)?>[^<]+" || true; } |
    sed -E 's/^<[^>]*>[[:space:]]*//; s/[[:space:]]+$//; /^$/d' | unescape
}

url_values() { { grep -oP "$1" || true; } | unpercent; }

link_values() { for key in href src action formaction; do tags '[a-zA-Z0-9-]+' | attribute "$key"; done | url_values "$1"; }

location_values() { { header_values Location; header_values Content-Location; } | url_values "$1"; }

script_values() { tr '\r\n' '  ' <"$WORK/body" | { grep -oP "$1" || true; }; }

body_values() { cat "$WORK/body"; }
