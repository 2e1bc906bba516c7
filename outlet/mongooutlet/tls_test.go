package mongooutlet_test

import (
	"crypto/tls"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/outlet/mongooutlet"
)

func TestTLSWithDouble(t *testing.T) {
	t.Parallel()
	testTLS(t, newDouble(t, nil).uri)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	testTLS(t, testserver.Mongo(t))
}

// testTLS has a proxy that speaks TLS before the server of uri.
func testTLS(t *testing.T, uri string) {
	ours, other := newAuthority(t), newAuthority(t)
	secure := newProxy(t, uri, &ours.cert).uri
	patience := 20 * time.Second
	for name, test := range map[string]struct {
		uri  string
		opts mongooutlet.Options
		want string // "": works
	}{
		"config":     {secure, mongooutlet.Options{TLS: &tls.Config{RootCAs: ours.pool}, Timeout: patience}, ""},
		"CA of URI":  {secure + "/?tls=true&tlsCAFile=" + url.QueryEscape(ours.file), mongooutlet.Options{Timeout: patience}, ""},
		"other CA":   {secure, mongooutlet.Options{TLS: &tls.Config{RootCAs: other.pool}, Timeout: 3 * time.Second}, "certificate signed by unknown authority"},
		"config won": {secure + "/?tls=true&tlsCAFile=" + url.QueryEscape(ours.file), mongooutlet.Options{TLS: &tls.Config{RootCAs: other.pool}, Timeout: 3 * time.Second}, "certificate signed by unknown authority"},
		"system CAs": {secure + "/?tls=true", mongooutlet.Options{Timeout: 3 * time.Second}, "certificate signed by unknown authority"},
		"other name": {secure, mongooutlet.Options{TLS: &tls.Config{RootCAs: ours.pool, ServerName: "example.com"}, Timeout: 3 * time.Second}, "certificate"},
		"no TLS":     {secure, mongooutlet.Options{Timeout: time.Second}, "no answer of a server that takes writes"},
		"plain peer": {uri, mongooutlet.Options{TLS: &tls.Config{RootCAs: ours.pool}, Timeout: time.Second}, "no answer of a server that takes writes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.want == "" {
				require.Empty(t, push(t, started(t, test.uri, "rows", &test.opts), numbered(3)...))
				return
			}
			assert.ErrorContains(t, mongooutlet.New(test.uri, "databay", "rows", &test.opts).Start(t.Context()), test.want)
		})
	}
}
