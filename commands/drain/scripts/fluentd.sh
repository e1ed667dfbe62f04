# signalbox:logs
# Prints one line of JSON: the plugins of the monitor agent of each worker, and the files
# of their buffers that are not empty. A chunk under way has left the queue's count and not the
# size; a file in backup/ was given up; what in_tail has not read is in no buffer.
set -u
no() { printf '{"error":"%s"}\n' "$1"; exit 0; }
ask() { curl -fsS --max-time 5 "http://127.0.0.1:$1/api/plugins.json?with_config=no&with_retry=no&with_debug=no"; }
workers=
plugins=
for port in {{range .Ports}}{{.}} {{end}}; do
  one=$(ask "$port") || no "the monitor agent on port $port does not answer"
  if [ -z "$plugins" ]; then plugins=$one; else workers="$workers$one,"; fi
done
{{- with .NextPort}}
ask {{.}} >/dev/null 2>&1 && no 'there are more workers than the configuration says: port {{.}} answers'
{{- end}}
for dir in {{range .Buffers}}{{.}} {{end}}; do [ -d "$dir" ] || no "$dir is no folder"; done
files=$(find {{range .Buffers}}{{.}} {{end}} -type f \( -name '*.b[0-9a-f]*' -o -name '*.q[0-9a-f]*' \) ! -name '*.meta' ! -path '*/backup/*' -size +0 -printf '{"path":"%f","size":%s},') || no 'its buffer files cannot be listed'
given=$(find {{range .Buffers}}{{.}} {{end}} -path '*/backup/*' -type f | wc -l)
behind=0
{{- range .PosFiles}}
[ -f {{.}} ] || no '{{.}} is no file'
for path in $(cut -f1 {{.}} | sort -u); do
  [ -f "$path" ] || continue
  set -- $(stat -c '%s %i' "$path")
  read_to=$(awk -F'\t' -v p="$path" -v i="$(printf '%016x' "$2")" '$1 == p && $3 == i { at = $2 } END { print at }' {{.}})
  [ "$read_to" = ffffffffffffffff ] && continue
  left=$(( $1 - 0x${read_to:-0} ))
  [ "$left" -gt 0 ] && behind=$(( behind + left ))
done
{{- end}}
printf '{"fluentd":%s,"workers":[%s],"files":[%s],"given_up":%s,"behind":%s}\n' "$plugins" "${workers%,}" "${files%,}" "$given" "$behind"
