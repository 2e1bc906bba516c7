package mongooutlet

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	srv       = "mongodb+srv://"
	plain     = "mongodb://"
	minSecret = 4    // bytes of the shortest part of a URI that is hidden in the texts of others
	maxText   = 1000 // bytes of an error of the driver
)

// address is a URI and what may be shown of it.
type address struct {
	uri    string
	hosts  string // scheme and hosts, "" if the URI is not valid
	err    error  // what is wrong with the URI
	hidden *strings.Replacer
}

// parse looks at a URI, which is asked nobody about: names in it are not resolved.
func parse(uri string) *address {
	a := &address{uri: uri, hidden: hide(uri)}
	scheme, rest := plain, ""
	switch {
	case uri == "":
		a.err = errors.New("mongooutlet: URI is empty, want one like mongodb://host:27017")
		return a
	case strings.HasPrefix(uri, srv):
		scheme = srv
		rest = uri[len(srv):]
	case strings.HasPrefix(uri, plain):
		rest = uri[len(plain):]
	default:
		a.err = errors.New("mongooutlet: URI has another scheme, want one like mongodb://host:27017 or mongodb+srv://host")
		return a
	}
	user, afterUser, hasUser := strings.Cut(rest, "@")
	if hasUser {
		rest = afterUser
		if _, err := url.PathUnescape(user); err != nil {
			a.err = errors.New("mongooutlet: URI has a user or password with a % that begins no escape, want the String of url.UserPassword")
			return a
		}
		user += "@"
	} else {
		user = ""
	}
	checked := rest
	if scheme == srv {
		checked = withoutSRV(rest)
	}
	opts := options.Client().ApplyURI(plain + user + checked)
	if err := opts.Validate(); err != nil {
		a.err = fmt.Errorf("mongooutlet: URI: %w", a.clean(err))
		return a
	}
	if opts.WriteConcern != nil && !opts.WriteConcern.Acknowledged() {
		a.err = errors.New("mongooutlet: URI has w=0, want a write concern that says what was written")
		return a
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	a.hosts = scheme + rest[:end]
	return a
}

// withoutSRV returns the rest of a URI without the options that only mongodb+srv has.
func withoutSRV(rest string) string {
	path, query, ok := strings.Cut(rest, "?")
	if !ok {
		return rest
	}
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		return strings.HasPrefix(strings.ToLower(pair), "srv")
	})
	return path + "?" + strings.Join(pairs, "&")
}

// hide returns what hides user, password and the passwords among the options.
func hide(uri string) *strings.Replacer {
	var secrets []string
	add := func(part string) {
		secrets = append(secrets, part)
		if plain, err := url.PathUnescape(part); err == nil {
			secrets = append(secrets, plain)
		}
	}
	_, rest, _ := strings.Cut(uri, "://")
	if end := strings.LastIndex(rest, "@"); end >= 0 {
		user, password, _ := strings.Cut(rest[:end], ":")
		add(rest[:end])
		add(user)
		add(password)
	}
	if _, query, ok := strings.Cut(uri, "?"); ok {
		for pair := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			name = strings.ToLower(name)
			if strings.Contains(name, "password") || name == "authmechanismproperties" {
				add(value)
			}
		}
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < minSecret })
	// Of two that begin alike the longer one counts: a replacer prefers the earlier.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, s := range slices.Compact(secrets) {
		pairs = append(pairs, s, "***")
	}
	return strings.NewReplacer(pairs...)
}

// cleaned is an error of the driver, of which secrets are not shown.
type cleaned struct {
	text string
	err  error
}

func (e *cleaned) Error() string { return e.text }
func (e *cleaned) Unwrap() error { return e.err }

// clean returns err, which comes from the driver or the server, with a bounded text
// without secrets.
func (a *address) clean(err error) error {
	text := strings.ToValidUTF8(a.hidden.Replace(err.Error()), "\uFFFD")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return &cleaned{text, err}
}
