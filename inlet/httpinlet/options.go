package httpinlet

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

// Options are the options of an [Inlet]. The zero value of each field is a good
// default.
type Options struct {
	// Decode makes records of a body. If nil, JSON[any].
	Decode Decoder

	// Params are added to the query of the URL.
	Params url.Values

	// Headers are sent with every request.
	Headers http.Header

	// CACert is the path of a PEM file. The server's certificate must be signed by
	// one of those in it, instead of one that the system trusts. The file is read
	// at every Start.
	CACert string

	// Timeout bounds one pull, from connecting to the last byte of the body,
	// redirects included. If 0, 30 seconds; if -1, only the context does.
	Timeout time.Duration

	// MaxBody is how many bytes a body may have, decompressed. A longer one is an
	// error, and no more than that is kept in memory. If 0, 10 MiB; if -1, any
	// number.
	MaxBody int

	// Client makes the requests. It keeps its own settings, and the inlet never
	// closes its connections. It excludes CACert. If nil, every Start makes a
	// client that logs nothing.
	Client *resty.Client
}

const (
	defaultTimeout = 30 * time.Second
	defaultMaxBody = 10 << 20
)

// resolve returns a copy with the defaults filled in.
func (o *Options) resolve() Options {
	if o == nil {
		o = &Options{}
	}
	c := *o
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxBody = cmp.Or(c.MaxBody, defaultMaxBody)
	if c.Decode == nil {
		c.Decode = JSON[any]
	}
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
func (o *Options) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("httpinlet: "+format, args...))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		if !validName(name) {
			wrong("Headers: %.100q is not the name of a header, want letters, digits and hyphens", name)
		}
		if slices.ContainsFunc(o.Headers[name], func(v string) bool { return !validValue(v) }) {
			wrong("Headers: the value of %.100q has a control character, want text of one line", name)
		}
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
		if _, err := readCertificates(o.CACert); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// readCertificates returns the certificates of a PEM file.
func readCertificates(path string) (*x509.CertPool, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("httpinlet: CACert: %w; want a readable PEM file", err)
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
			return nil, fmt.Errorf("httpinlet: CACert: certificate %d of %q: %w", found, path, err)
		}
		pool.AddCert(cert)
	}
	if found == 0 {
		return nil, fmt.Errorf("httpinlet: CACert: %q has no certificate, want a PEM file with at least one", path)
	}
	return pool, nil
}

// validName reports whether s is a token, as names of headers are.
func validName(s string) bool {
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
		return nil, errors.New("httpinlet: URL is empty, want http or https, a host and a path")
	case err != nil && strings.Contains(raw, "@"):
		return nil, errors.New("httpinlet: URL cannot be read (it has an @ and is not shown, for there may be a password in it); " +
			"want special characters in names and passwords escaped with %")
	case err != nil:
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("httpinlet: URL %s cannot be read: %w", shown, err)
	case u.Scheme == "":
		return nil, fmt.Errorf("httpinlet: URL %s is relative, want one that begins with http:// or https://", shown)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("httpinlet: URL %s has the scheme %q, want http or https", shown, u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("httpinlet: URL %s has no host, want http://host/path", shown)
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
