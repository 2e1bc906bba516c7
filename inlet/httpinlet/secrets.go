package httpinlet

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	minSecret   = 6       // bytes of the shortest value that is looked for
	maxSearched = 1 << 20 // bytes of a body that are searched for secrets
	maxExcerpt  = 300     // bytes of a body that are shown
	maxText     = 1000    // bytes of an error from elsewhere
)

// secrets returns a replacer of everything in a request that nobody may see.
func secrets(u *url.URL, params url.Values, headers http.Header) *strings.Replacer {
	var values []string
	add := func(v string) { values = append(values, v, url.QueryEscape(v), url.PathEscape(v)) }
	if u != nil {
		if password, ok := u.User.Password(); ok {
			add(password)
		}
		add(u.User.Username())
		add(base64.StdEncoding.EncodeToString([]byte(userinfo(u))))
		add(u.RawQuery)
		for _, vs := range u.Query() {
			for _, v := range vs {
				add(v)
			}
		}
	}
	for _, vs := range params {
		for _, v := range vs {
			add(v)
		}
	}
	for _, vs := range headers {
		for _, v := range vs {
			add(v)
			if _, token, ok := strings.Cut(v, " "); ok { // "Bearer token"
				add(token)
			}
		}
	}
	values = slices.DeleteFunc(values, func(v string) bool { return len(v) < minSecret })
	// Of two that begin alike the longer one counts: a replacer prefers the earlier.
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, v := range slices.Compact(values) {
		pairs = append(pairs, v, "***")
	}
	return strings.NewReplacer(pairs...)
}

func userinfo(u *url.URL) string {
	password, _ := u.User.Password()
	return u.User.Username() + ":" + password
}

// cleaned is an error whose text has been freed of secrets.
type cleaned struct {
	text string
	err  error
}

func (e *cleaned) Error() string { return e.text }
func (e *cleaned) Unwrap() error { return e.err }

// clean returns err, which comes from elsewhere, with a bounded text without
// secrets.
func (in *Inlet) clean(err error) error {
	return &cleaned{text: cut(in.secrets.Replace(err.Error()), maxText), err: err}
}

// excerpt returns the beginning of a body, without secrets.
func (in *Inlet) excerpt(body []byte) string {
	return cut(in.secrets.Replace(string(body[:min(len(body), maxSearched)])), maxExcerpt)
}

func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
