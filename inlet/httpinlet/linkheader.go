package httpinlet

import "strings"

// nextLink returns the target of the first link among Link headers that leads from
// the page itself to the next one, or "".
func nextLink(headers []string) string {
	for _, rest := range headers {
		for {
			var target string
			var params map[string]string
			var ok bool
			if target, params, rest, ok = cutLink(rest); !ok {
				break
			}
			if _, elsewhere := params["anchor"]; elsewhere {
				continue
			}
			for relation := range strings.FieldsSeq(params["rel"]) {
				if strings.EqualFold(relation, "next") {
					return target
				}
			}
		}
	}
	return ""
}

// cutLink cuts a link off: <target>; name=value; name="value", … Of several
// parameters of one name the first counts. It is not ok if there is no further link
// that can be read.
func cutLink(s string) (target string, params map[string]string, rest string, ok bool) {
	s, found := strings.CutPrefix(strings.TrimLeft(s, " \t,"), "<")
	if !found {
		return "", nil, "", false
	}
	if target, s, found = strings.Cut(s, ">"); !found {
		return "", nil, "", false
	}
	params = make(map[string]string)
	for {
		s = strings.TrimLeft(s, " \t")
		if s, found = strings.CutPrefix(s, ";"); !found {
			_, rest, _ = strings.Cut(s, ",")
			return target, params, rest, true
		}
		var name, value string
		name, value, s = cutParam(strings.TrimLeft(s, " \t"))
		if _, known := params[name]; !known {
			params[name] = value
		}
	}
}

// cutParam cuts a parameter off.
func cutParam(s string) (name, value, rest string) {
	end := strings.IndexAny(s, "=;,")
	if end < 0 {
		end = len(s)
	}
	name, s = strings.ToLower(strings.TrimRight(s[:end], " \t")), s[end:]
	s, found := strings.CutPrefix(s, "=")
	if !found {
		return name, "", s
	}
	if s = strings.TrimLeft(s, " \t"); strings.HasPrefix(s, `"`) {
		value, rest = cutQuoted(s[1:])
		return name, value, rest
	}
	if end = strings.IndexAny(s, ";,"); end < 0 {
		end = len(s)
	}
	return name, strings.TrimRight(s[:end], " \t"), s[end:]
}

// cutQuoted cuts off what stands before the closing quote, which s begins after the
// opening one of.
func cutQuoted(s string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
