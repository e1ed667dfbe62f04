# signalbox:start {{.Unit}}
systemctl start {{.Unit}} && systemctl is-active --quiet {{.Unit}}
