package httpclient

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
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

// Secrets is what nobody may see of a request.
type Secrets struct {
	values   []string
	replacer *strings.Replacer
}

// newSecrets collects everything in a request that nobody may see.
func newSecrets(u *url.URL, o *Options) *Secrets {
	s := new(Secrets)
	if u != nil {
		if password, ok := u.User.Password(); ok {
			s.add(password)
		}
		s.add(u.User.Username(), base64.StdEncoding.EncodeToString([]byte(userinfo(u))))
		s.add(queryValues(u)...)
	}
	for _, vs := range o.Params {
		s.add(vs...)
	}
	for _, vs := range o.Headers {
		for _, v := range vs {
			s.add(v)
			if _, token, ok := strings.Cut(v, " "); ok { // "Bearer token"
				s.add(token)
			}
		}
	}
	if a := o.Auth; a.User != "" || a.Password != "" {
		s.add(a.User, a.Password, base64.StdEncoding.EncodeToString([]byte(a.User+":"+a.Password)))
	}
	s.add(o.Auth.Bearer)
	s.add(o.Secrets...)
	s.build()
	return s
}

func (s *Secrets) add(values ...string) {
	for _, v := range values {
		s.values = append(s.values, v, url.QueryEscape(v), url.PathEscape(v))
	}
}

func (s *Secrets) build() {
	s.values = slices.DeleteFunc(s.values, func(v string) bool { return len(v) < minSecret })
	// Of two that begin alike the longer one counts: a replacer prefers the earlier.
	slices.SortFunc(s.values, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	s.values = slices.Compact(s.values)
	pairs := make([]string, 0, 2*len(s.values))
	for _, v := range s.values {
		pairs = append(pairs, v, "***")
	}
	s.replacer = strings.NewReplacer(pairs...)
}

// with returns the secrets and more of them.
func (s *Secrets) with(values ...string) *Secrets {
	if !slices.ContainsFunc(values, func(v string) bool { return len(v) >= minSecret && !slices.Contains(s.values, v) }) {
		return s
	}
	more := &Secrets{values: slices.Clone(s.values)}
	more.add(values...)
	more.build()
	return more
}

// queryValues returns what is in the query of u.
func queryValues(u *url.URL) []string {
	all := []string{u.RawQuery}
	for _, vs := range u.Query() {
		all = append(all, vs...)
	}
	return all
}

// BodyValues returns what may be a secret in the body of a request: the body itself,
// the texts in it if it is JSON, and the values if it is a form.
func BodyValues(body string) []string {
	all := []string{body}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	var parsed any
	if json.Unmarshal([]byte(body), &parsed) == nil {
		walk(parsed)
		return all
	}
	form, _ := url.ParseQuery(body) // what cannot be read is not in it
	for _, vs := range form {
		all = append(all, vs...)
	}
	return all
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

// Clean returns err, which comes from elsewhere, with a bounded text without
// secrets.
func (s *Secrets) Clean(err error) error {
	return &cleaned{text: s.Text(err.Error(), maxText), err: err}
}

// Text returns the beginning of a text, without secrets.
func (s *Secrets) Text(text string, most int) string {
	return cut(s.replacer.Replace(text), most)
}

// Excerpt returns the beginning of a body, without secrets.
func (s *Secrets) Excerpt(body []byte) string {
	return s.Text(string(body[:min(len(body), maxSearched)]), maxExcerpt)
}

func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
