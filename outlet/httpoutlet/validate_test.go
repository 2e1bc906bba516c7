package httpoutlet_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/httpoutlet"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	type options = httpoutlet.Options
	token := func(context.Context) (string, error) { return "secret", nil }
	tests := []struct {
		name string
		url  string
		opts *options
		want []string // nil: valid
	}{
		{"nil options", "https://example.com/a?b=c", nil, nil},
		{"everything", "http://h", &options{
			Body: httpoutlet.Single, Encode: httpoutlet.JSON, Method: "PUT", Params: url.Values{"a": {"b"}}, Headers: http.Header{"X": {"y"}}, Token: token,
			IdempotencyHeader: "Idempotency-Key", Gzip: true, Status: func(httpoutlet.Answer) error { return nil }, Timeout: -1, MaxBody: -1, Client: resty.New(),
		}, nil},
		{"header Authorization", "http://me:secret@h", &options{Headers: http.Header{"Authorization": {"secret"}}}, nil},
		{"empty URL", "", nil, []string{"httpoutlet: URL is empty"}},
		{"relative URL", "/orders", nil, []string{`URL "/orders" is relative`}},
		{"other scheme", "ftp://h", nil, []string{`has the scheme "ftp", want http or https`}},
		{"unknown body", "http://h", &options{Body: 7}, []string{"Body is 7, want Array, Lines or Single"}},
		{"lower case", "http://h", &options{Method: "post"}, []string{`Method is "post", want POST, PUT`}},
		{"no body", "http://h", &options{Method: "GET"}, []string{`Method is "GET", want POST, PUT`}},
		{"resty drops it", "http://h", &options{Method: "DELETE"}, []string{`Method is "DELETE", want POST, PUT`}},
		{"no method", "http://h", &options{Method: "P OST"}, []string{`Method is "P OST"`}},
		{"no header", "http://h", &options{IdempotencyHeader: "a b"}, []string{`IdempotencyHeader is "a b", want the name of a header`}},
		{"header twice", "http://h", &options{IdempotencyHeader: "x-key", Headers: http.Header{"X-Key": {"secret"}}}, []string{`IdempotencyHeader is "x-key", which is among the Headers`}},
		{"two ways in", "http://h", &options{User: "me", Token: token}, []string{"User and Token are given, want one of them"}},
		{"all ways in", "http://me:secret@h", &options{Password: "secret", Bearer: "secret", Token: token, Headers: http.Header{"Authorization": {"secret"}}},
			[]string{"User and Bearer and Token and the header Authorization and the user of the URL are given"}},
		{"colon", "http://h", &options{User: "a:b", Password: "secret"}, []string{"User has a colon"}},
		{"bearer of two lines", "http://h", &options{Bearer: "secret\r\nX: y"}, []string{"Bearer has a control character"}},
		{"all at once", "ftp://user:secret@h?token=secret", &options{
			Body: 9, Method: "?", IdempotencyHeader: "?", Timeout: -5 * time.Second, MaxBody: -5, CACert: "/none",
			Headers: http.Header{"a b": {"secret"}, "X-Two": {"secret\nlines"}},
		}, []string{"ftp://h", "Body", "Method", "IdempotencyHeader", "Timeout is -5s", "MaxBody is -5", "CACert", `"a b"`, `the value of "X-Two"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := httpoutlet.New(test.url, test.opts)
			err := o.Validate()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			for line := range strings.SplitSeq(err.Error(), "\n") {
				assert.True(t, strings.HasPrefix(line, "httpoutlet: "), line)
			}
			assert.NotContains(t, err.Error()+o.String(), "secret")
			require.Error(t, o.Start(t.Context()), "what is not valid does not start")
		})
	}
}

// Whatever happens, and whatever the server repeats, secrets are not shown.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	secrets := []string{"ada.lovelace", "hunter22", "key+in/url", "t0ken&value", "head3r-value", "bearer-t0ken"}
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		user, password, _ := r.BasicAuth()
		_, _ = w.Write([]byte(strings.Join([]string{r.URL.String(), r.URL.Query().Get("key"), r.URL.Query().Get("token"), r.Header.Get("X-Key"), r.Header.Get("Authorization"), user, password}, " ")))
	}
	handlers := map[string]http.HandlerFunc{
		"status":  echo,
		"hang up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"dead redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
		},
		"redirect loop": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
		},
		"other redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
		"timeout":        func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
	ways := map[string]httpoutlet.Options{
		"basic":  {User: "ada.lovelace", Password: "hunter22"},
		"bearer": {Bearer: "bearer-t0ken"},
		"token":  {Token: func(context.Context) (string, error) { return "bearer-t0ken", nil }},
	}
	for name, h := range handlers {
		for way, opts := range ways {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				opts.Params = url.Values{"token": {"t0ken&value"}}
				opts.Headers = http.Header{"X-Key": {"head3r-value"}}
				opts.Timeout = 200 * time.Millisecond
				o := started(t, serve(t, h).URL+"/path?key=key%2Bin%2Furl", &opts)
				err := push(t, o, records(1)...)[0]
				require.Error(t, err)
				for _, s := range secrets {
					for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s)} {
						assert.NotContains(t, err.Error(), form)
						assert.NotContains(t, o.String(), form)
					}
				}
				assert.NotContains(t, err.Error(), "YWRhLmxvdmVsYWNlOmh1bnRlcjIy")
				assert.Less(t, len(err.Error()), 2500)
			})
		}
	}
}
