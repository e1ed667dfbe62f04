# signalbox:logs
# Prints one line of JSON: the storage metrics, and the chunk files that are not empty.
set -u
no() { printf '{"error":"%s"}\n' "$1"; exit 0; }
storage=$(curl -fsS --max-time 5 http://127.0.0.1:2020/api/v1/storage) || no 'the server on port 2020 does not answer'
files=
{{- if .Buffers}}
for dir in {{range .Buffers}}{{.}} {{end}}; do [ -d "$dir" ] || no "$dir is no folder"; done
files=$(find {{range .Buffers}}{{.}} {{end}} -type f -name '*.flb' -size +0 -printf '{"path":"%f","size":%s},') || no 'its buffer files cannot be listed'
{{- end}}
printf '{"fluent_bit":%s,"files":[%s],"given_up":0}\n' "$storage" "${files%,}"
