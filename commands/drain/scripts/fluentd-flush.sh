# signalbox:flush
# The supervisor, which has its workers flush.
pid=$(systemctl show -p MainPID --value td-agent fluentd 2>/dev/null | grep -v '^0*$' | head -n 1)
[ -n "$pid" ] || pid=$(pgrep -o -f 'fluentd|td-agent') || exit 3
kill -USR1 "$pid"
