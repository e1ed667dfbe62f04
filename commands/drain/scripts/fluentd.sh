# signalbox:logs
# Prints one line of JSON: the plugins of the monitor agent, and the files of their
# buffers that are not empty. A chunk under way has left the queue's count and not the
# size; a file in backup/ was given up.
set -u
no() { printf '{"error":"%s"}\n' "$1"; exit 0; }
plugins=$(curl -fsS --max-time 5 'http://127.0.0.1:24220/api/plugins.json?with_config=no&with_retry=no&with_debug=no') || no 'the monitor agent on port 24220 does not answer'
for dir in {{range .Buffers}}{{.}} {{end}}; do [ -d "$dir" ] || no "$dir is no folder"; done
files=$(find {{range .Buffers}}{{.}} {{end}} -type f \( -name '*.b[0-9a-f]*' -o -name '*.q[0-9a-f]*' \) ! -name '*.meta' ! -path '*/backup/*' -size +0 -printf '{"path":"%f","size":%s},') || no 'its buffer files cannot be listed'
given=$(find {{range .Buffers}}{{.}} {{end}} -path '*/backup/*' -type f | wc -l)
printf '{"fluentd":%s,"files":[%s],"given_up":%s}\n' "$plugins" "${files%,}" "$given"
