package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// diffConfig says what a reload changes, a line a field. Values that are secret,
// or that may hold one, are shown as "changed".
func diffConfig(old, new *Config) []string {
	a, b := flat{}, flat{}
	a.add("", reflect.ValueOf(*old))
	b.add("", reflect.ValueOf(*new))
	keys := slices.Collect(maps.Keys(a))
	keys = slices.AppendSeq(keys, maps.Keys(b))
	slices.Sort(keys)
	var out []string
	for _, k := range slices.Compact(keys) {
		x, had := a[k]
		y, has := b[k]
		switch {
		case !had:
			out = append(out, k+": added"+y.after(" "))
		case !has:
			out = append(out, k+": removed"+x.after(", was "))
		case x.value == y.value:
		case x.secret || y.secret:
			out = append(out, k+": changed")
		default:
			out = append(out, fmt.Sprintf("%s: %s → %s", k, x.value, y.value))
		}
	}
	return out
}

// flat is every single value of a configuration by its path.
type flat map[string]leaf

type leaf struct {
	value  string
	secret bool
}

func (l leaf) after(lead string) string {
	if l.secret {
		return ""
	}
	return lead + l.value
}

func (f flat) add(path string, v reflect.Value) {
	switch {
	case v.Type() == secretType:
		if s := v.Interface().(integrations.Secret); !s.IsZero() {
			f[path] = leaf{s.Reveal(), true}
		}
	case v.Type() == stepType:
		s := v.Interface().(StepConfig)
		text := ""
		if s.node != nil {
			text = s.node.String()
		}
		f[path+"."+s.Kind] = leaf{text, true}
	case v.Type() == settingsType:
		if s := v.Interface().(SettingsConfig); s.node != nil {
			f[path] = leaf{s.node.String(), true}
		}
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			f.add(path, v.Elem())
		}
	case v.Kind() == reflect.Struct:
		byName, _ := fields(v.Type())
		inline, ok := byName[""]
		if ok {
			f.add(path, v.FieldByIndex(inline))
		}
		for name, i := range byName {
			if !ok || !slices.Equal(i, inline) {
				f.add(join(path, name), v.FieldByIndex(i))
			}
		}
	case v.Kind() == reflect.Map:
		for _, k := range v.MapKeys() {
			f.add(join(path, k.String()), v.MapIndex(k))
		}
	case v.Kind() == reflect.Slice:
		f.addList(path, v)
	default:
		if !v.IsZero() {
			f[path] = leaf{fmt.Sprint(v.Interface()), false}
		}
	}
}

func (f flat) addList(path string, v reflect.Value) {
	if key, ok := keyField(v.Type().Elem()); ok {
		for i := range v.Len() {
			f.add(join(path, v.Index(i).Field(key).String()), v.Index(i))
		}
		return
	}
	if v.Type().Elem().Kind() == reflect.String {
		if v.Len() > 0 {
			f[path] = leaf{fmt.Sprint(v.Interface()), false}
		}
		return
	}
	for i := range v.Len() {
		f.add(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
	}
}
