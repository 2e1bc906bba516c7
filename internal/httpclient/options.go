package httpclient

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// Options are the options of a [Client], of which the nodes' options say more.
type Options struct {
	Params  url.Values
	Headers http.Header
	CACert  string
	Timeout time.Duration // 0: 30 seconds; -1: none
	MaxBody int           // 0: 10 MiB; -1: none
	Client  *resty.Client // nil: one is made
	Auth    Auth

	// KeepMethod says that a redirect is followed only if the request keeps its
	// method and body, and does not go from https to http.
	KeepMethod bool

	KeepHost    bool     // a redirect is followed only if it does not leave the host
	NoRedirects bool     // no redirect is followed
	Secrets     []string // that are neither Params nor Headers nor Auth
}

const (
	defaultTimeout = 30 * time.Second
	defaultMaxBody = 10 << 20
)

// resolve returns a copy with the defaults filled in.
func (o *Options) resolve() Options {
	c := *o
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxBody = cmp.Or(c.MaxBody, defaultMaxBody)
	c.Params = url.Values(cloneLists(o.Params))
	c.Headers = http.Header(cloneLists(o.Headers))
	return c
}

func cloneLists(m map[string][]string) map[string][]string {
	c := maps.Clone(m)
	for k, v := range c {
		c[k] = slices.Clone(v)
	}
	return c
}

// mistakes returns everything that is wrong with the options.
func (c *Client) mistakes() []error {
	o := &c.opts
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(c.pkg+": "+format, args...))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		if !ValidName(name) {
			wrong("Headers: %.100q is not the name of a header, want letters, digits and hyphens", name)
		}
		if slices.ContainsFunc(o.Headers[name], func(v string) bool { return !validValue(v) }) {
			wrong("Headers: the value of %.100q has a control character, want text of one line", name)
		}
	}
	ways := o.Auth.ways()
	if len(ways) > 0 && HasHeader(o.Headers, "Authorization") {
		ways = append(ways, "the header Authorization")
	}
	if len(ways) > 0 && c.url != nil && c.url.User != nil {
		ways = append(ways, "the user of the URL")
	}
	if len(ways) > 1 {
		wrong("%s are given, want one of them: a request shows one thing to be let in", strings.Join(ways, " and "))
	}
	if strings.Contains(o.Auth.User, ":") {
		wrong("User has a colon, want a name without: what comes after it would be taken for the password")
	}
	if !validValue(o.Auth.Bearer) {
		wrong("Bearer has a control character, want text of one line")
	}
	if o.Timeout < -1 {
		wrong("Timeout is %v, want more than 0, or 0 for %v, or -1 for none", o.Timeout, defaultTimeout)
	}
	if o.MaxBody < -1 {
		wrong("MaxBody is %d, want more than 0 bytes, or 0 for %d, or -1 for any number", o.MaxBody, defaultMaxBody)
	}
	if o.CACert != "" {
		if o.Client != nil {
			wrong("CACert is %q, want none together with Client, which has TLS settings of its own", o.CACert)
		}
		if _, err := readCertificates(c.pkg, o.CACert); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// readCertificates returns the certificates of a PEM file.
func readCertificates(pkg, path string) (*x509.CertPool, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: CACert: %w; want a readable PEM file", pkg, err)
	}
	pool := x509.NewCertPool()
	found := 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		found++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: CACert: certificate %d of %q: %w", pkg, found, path, err)
		}
		pool.AddCert(cert)
	}
	if found == 0 {
		return nil, fmt.Errorf("%s: CACert: %q has no certificate, want a PEM file with at least one", pkg, path)
	}
	return pool, nil
}

// HasHeader reports whether h has a header of the name, in whatever case.
func HasHeader(h http.Header, name string) bool {
	for n := range h {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// ValidName reports whether s is a token, as names of headers are.
func ValidName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && (c >= 0x80 || !strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
}

// validValue reports whether s has no control characters but tabs.
func validValue(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// parse returns the URL, with its mistake as one that has no secrets.
func parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	shown := fmt.Sprintf("%.200q", bare(raw))
	switch {
	case raw == "":
		return nil, errors.New("URL is empty, want http or https, a host and a path")
	case err != nil && strings.Contains(raw, "@"):
		return nil, errors.New("URL cannot be read (it has an @ and is not shown, for there may be a password in it); " +
			"want special characters in names and passwords escaped with %")
	case err != nil:
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("URL %s cannot be read: %w", shown, err)
	case u.Scheme == "":
		return nil, fmt.Errorf("URL %s is relative, want one that begins with http:// or https://", shown)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("URL %s has the scheme %q, want http or https", shown, u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("URL %s has no host, want http://host/path", shown)
	}
	return u, nil
}

// bare returns what may be shown of a URL that may be malformed.
func bare(raw string) string {
	if strings.Contains(raw, "@") {
		if u, err := url.Parse(raw); err == nil && u.Host != "" {
			return display(u)
		}
		return "…@…"
	}
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	return raw
}

// display returns the scheme, host and path of u.
func display(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
