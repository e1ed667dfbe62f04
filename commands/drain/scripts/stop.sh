# signalbox:stop {{.Unit}}
systemctl stop {{.Unit}}
