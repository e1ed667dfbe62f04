# signalbox:connections {{.Port}}
ss -Htn state established '( sport = :{{.Port}} )' | wc -l
