package httpinlet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/record"
)

// library serves the numbers 1 to 7 on pages of three, and names the next one in every
// way there is.
func library(w http.ResponseWriter, r *http.Request) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	if c := r.URL.Query().Get("cursor"); c != "" {
		page, _ = strconv.Atoi(strings.TrimPrefix(c, "c="))
	}
	page = max(page, 1)
	var numbers []string
	for i := 3*page - 2; i <= min(3*page, 7); i++ {
		numbers = append(numbers, strconv.Itoa(i))
	}
	next, cursor := "", "null"
	if 3*page < 7 {
		next, cursor = fmt.Sprintf("/?page=%d&size=3", page+1), fmt.Sprintf(`"c=%d"`, page+1)
		w.Header().Add("Link", `</?page=1>; rel="first"`)
		w.Header().Add("Link", fmt.Sprintf(`</?page=9>; rel="last", <%s>; rel="next"`, next))
	}
	fmt.Fprintf(w, `{"data":{"items":[%s]},"meta":{"next":%q,"cursor":%s,"number":%d}}`, strings.Join(numbers, ","), next, cursor, page+1)
}

func TestPages(t *testing.T) {
	t.Parallel()
	items := httpinlet.JSONField[int]("data.items")
	all := []any{1, 2, 3, 4, 5, 6, 7}
	tests := map[string]struct {
		path string
		next httpinlet.Finder
		want []any
	}{
		"one page":            {"/", nil, all[:3]},
		"link header":         {"/", httpinlet.LinkHeader, all},
		"page number":         {"/", httpinlet.PageNumber("page"), all},
		"page number, from 2": {"/?page=2&size=3", httpinlet.PageNumber("page"), all[3:]},
		"URL in the body":     {"/", httpinlet.Field("meta.next"), all},
		"cursor":              {"/", httpinlet.Cursor("cursor", httpinlet.Field("meta.cursor")), all},
		"one's own": {"/", func(p httpinlet.Page) (string, error) {
			if p.Records < 3 {
				return "", nil
			}
			n, _ := strconv.Atoi(p.URL.Query().Get("page"))
			return "?page=" + strconv.Itoa(max(n, 1)+1), nil
		}, all},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := started(t, serve(t, library)+test.path, &httpinlet.Options{Decode: items, Next: test.next})
			for range 2 {
				got, err := pull(t.Context(), in)
				require.NoError(t, err)
				assert.Equal(t, test.want, got)
			}
		})
	}
}

// What is in the query of the first URL stays as it is, also what net/url does not take
// apart, and a space arrives escaped.
func TestPagesKeepTheQuery(t *testing.T) {
	t.Parallel()
	var asked []string
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if len(asked)%3 > 0 {
			_, _ = io.WriteString(w, `{"items":[1],"next":"a b"}`)
		}
	})
	opts := &httpinlet.Options{Decode: httpinlet.JSONField[int]("items")}
	opts.Next = httpinlet.PageNumber("page")
	_, err := pull(t.Context(), started(t, address+"/?fields=a;b&page=1&q=50%&x", opts))
	require.NoError(t, err)
	opts.Next = func(p httpinlet.Page) (string, error) {
		if p.Records == 0 {
			return "", nil
		}
		return "?q=a b" + strings.Repeat("x", len(asked)), nil
	}
	_, err = pull(t.Context(), started(t, address+"/?q=a b", opts))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"fields=a;b&page=1&q=50%&x", "fields=a;b&q=50%&x&page=2", "fields=a;b&q=50%&x&page=3",
		"q=a%20b", "q=a%20bxxxx", "q=a%20bxxxxx",
	}, asked)
}

// What lets a request in is sent with every page, and what is in the first URL stays
// where the inlet makes the next.
func TestPagesKeepCredentials(t *testing.T) {
	t.Parallel()
	var seen []string
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		seen = append(seen, user+" "+r.Header.Get("X-Key")+" "+r.URL.RawQuery)
		library(w, r)
	})
	in := started(t, strings.Replace(address, "//", "//ada:secret@", 1)+"/?a=1", &httpinlet.Options{
		Next: httpinlet.PageNumber("page"), Params: url.Values{"size": {"3"}}, Headers: http.Header{"X-Key": {"key"}}, Decode: httpinlet.JSONField[int]("data.items"),
	})
	_, err := pull(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, []string{"ada key a=1&size=3", "ada key a=1&size=3&page=2", "ada key a=1&size=3&page=3", "ada key a=1&size=3&page=4"}, seen)
}

// A pull of several pages yields all of them or nothing.
func TestPagesThatFail(t *testing.T) {
	t.Parallel()
	var asked []string
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.Host) })
	found := func(next string, err error) httpinlet.Finder {
		return func(p httpinlet.Page) (string, error) { return next, err }
	}
	tests := map[string]struct {
		opts httpinlet.Options
		want string
	}{
		"more than MaxPages":   {httpinlet.Options{Next: httpinlet.LinkHeader, MaxPages: 2}, "there are more than 2 pages, the MaxPages"},
		"a status":             {httpinlet.Options{Next: found("/none", nil)}, "page 2: status 404"},
		"a body":               {httpinlet.Options{Next: found("/text", nil)}, "page 2: cannot decode the body"},
		"the same page":        {httpinlet.Options{Next: found("?", nil)}, "the next page is the page itself"},
		"the same page, later": {httpinlet.Options{Next: found("/?page=2", nil)}, "page 2: the next page is the page itself"},
		"another host":         {httpinlet.Options{Next: found(other+"/?token=confidential", nil)}, `the next page is on "` + other + `", want it on "http://127.0.0.1:`},
		"without a scheme":     {httpinlet.Options{Next: found("//user:confidential@example.com/", nil)}, `the next page is on "http://example.com", want it on`},
		"another scheme":       {httpinlet.Options{Next: found("ftp://h/confidential", nil)}, `the next page is on "ftp://h", want it on`},
		"no host":              {httpinlet.Options{Next: found("mailto:confidential@h", nil)}, `the next page is on "mailto://", want it on`},
		"no URL":               {httpinlet.Options{Next: found("http://[confidential", nil)}, "the reference to the next page is no URL"},
		"finder":               {httpinlet.Options{Next: found("", errors.New("no head3r-value"))}, "cannot find the next page: no ***"},
		"no number":            {httpinlet.Options{Next: httpinlet.PageNumber("page"), Params: url.Values{"page": {"confidential"}}}, `the parameter "page" is not a number`},
		"no JSON object":       {httpinlet.Options{Next: httpinlet.Field("meta.next.x")}, `no field "meta.next.x"`},
		"neither":              {httpinlet.Options{Next: httpinlet.Field("data.items")}, `the field "data.items" is neither a string nor a number`},
	}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			library(w, r)
		case "/text":
			_, _ = w.Write([]byte("text"))
		default:
			http.NotFound(w, r)
		}
	})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.opts.Headers = http.Header{"X-Key": {"head3r-value"}}
			got, err := pull(t.Context(), started(t, address, &test.opts))
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "confidential")
			assert.Empty(t, got)
		})
	}
	assert.Empty(t, asked, "nothing is asked of another host")

	in := started(t, address, &httpinlet.Options{Next: httpinlet.LinkHeader, MaxPages: 3, Decode: httpinlet.JSONField[int]("data.items")})
	got, err := pull(t.Context(), in)
	require.NoError(t, err, "MaxPages is enough")
	assert.Len(t, got, 7)
}

// A page over http would show everybody what https has hidden.
func TestPagesNeverLeaveTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "<http://"+r.Host+`/2?token=confidential>; rel="next"`)
		_, _ = w.Write([]byte("[1]"))
	}))
	t.Cleanup(server.Close)
	in := started(t, server.URL, &httpinlet.Options{Next: httpinlet.LinkHeader, CACert: certificate(t, server)})
	_, err := pull(t.Context(), in)
	require.ErrorContains(t, err, "want https: Headers and credentials would be seen by everybody")
	assert.NotContains(t, err.Error(), "confidential")
}

// What the server puts into the URL of the next page is a secret of that page.
func TestPagesHideTheirURLs(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			w.Header().Set("Link", `</?sig=c0nfidential%2Fvalue>; rel="next"`)
			_, _ = w.Write([]byte("[1]"))
			return
		}
		http.Error(w, "bad "+r.URL.String()+" "+r.URL.Query().Get("sig"), http.StatusForbidden)
	})
	_, err := pull(t.Context(), started(t, address, &httpinlet.Options{Next: httpinlet.LinkHeader}))
	require.ErrorContains(t, err, "page 2: status 403 Forbidden")
	assert.NotContains(t, err.Error(), "c0nfidential")
}

func TestLinkHeader(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"":                                            "",
		`<a>; rel=next`:                               "a",
		`<a>; rel="next"`:                             "a",
		`<a>;REL="Next"`:                              "a",
		`<a> ; rel = "prev next" ; x`:                 "a",
		`<a>; rel=prev, <b>; rel=next`:                "b",
		`<a>; rel=next, <b>; rel=next`:                "a",
		`<a,b;c?d=e>; rel=next`:                       "a,b;c?d=e",
		`<a>; title="x, <y>; rel=next"; rel=p`:        "",
		`<a>; title="a \" b, c"; rel=next`:            "a",
		`<a>; rel=prev; rel=next`:                     "",
		`<a>; rel=next; anchor="#x", <b>; rel="next"`: "b",
		`<a>; rel=nextly`:                             "",
		`<>; rel=next`:                                "",
		`a; rel=next`:                                 "",
		`<a; rel=next`:                                "",
		`<a>`:                                         "",
		`<a>; rel`:                                    "",
		`<a>; rel="next`:                              "a",
		`<a>; rel="ne\`:                               "",
		`, ,<a>; rel=next`:                            "a",
		`<a>; x=y z; rel=next`:                        "a",
		`<a>; x="y" z; rel=next`:                      "",
		`garbage, <a>; rel=next`:                      "",
	} {
		got, err := httpinlet.LinkHeader(httpinlet.Page{Header: http.Header{"Link": {header}}})
		require.NoError(t, err)
		assert.Equal(t, want, got, header)
	}
	got, _ := httpinlet.LinkHeader(httpinlet.Page{Header: http.Header{"Link": {"garbage", "<a>; rel=prev", "<b>; rel=next"}}})
	assert.Equal(t, "b", got)
}

func TestField(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"a":{"b":"x"}}`: "x", `{"a":{"b":12345678901234567890}}`: "12345678901234567890", `{"a":{"b":1.50}}`: "1.50", `{"a":{"b":null}}`: "", `{"a":{}}`: "",
		`{"a":null}`: "", `{}`: "", ``: "", "\uFEFF {\"a\":{\"b\":\"y\"}}": "y", `null`: "",
	} {
		got, err := httpinlet.Field("a.b")(httpinlet.Page{Body: []byte(body)})
		require.NoError(t, err, body)
		assert.Equal(t, want, got, body)
	}
	for _, body := range []string{`[]`, `{"a":1}`, `{"a":{"b":true}}`, `{"a":{"b":[]}}`, `x`, `{"a":{"b":"x"}`} {
		_, err := httpinlet.Field("a.b")(httpinlet.Page{Body: []byte(body)})
		require.Error(t, err, body)
	}
}

// A context that ends between two pages ends the pull.
func TestPagesEndWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	in := started(t, serve(t, library), &httpinlet.Options{Next: func(p httpinlet.Page) (string, error) {
		cancel()
		return httpinlet.LinkHeader(p)
	}})
	records, err := in.Pull(ctx, record.Update{})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, records)
}
