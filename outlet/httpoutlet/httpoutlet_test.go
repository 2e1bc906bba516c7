package httpoutlet_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/outlet/httpoutlet"
	"github.com/databay-go/databay/record"
)

func TestBodies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		opts   httpoutlet.Options
		bodies []string
		kind   string
	}{
		{"array", httpoutlet.Options{}, []string{`[{"a":1},"<x>\n",null,[2]]`}, "application/json"},
		{"lines", httpoutlet.Options{Body: httpoutlet.Lines}, []string{"{\"a\":1}\n\"<x>\\n\"\nnull\n[2]\n"}, "application/x-ndjson"},
		{"single", httpoutlet.Options{Body: httpoutlet.Single}, []string{`{"a":1}`, `"<x>\n"`, `null`, `[2]`}, "application/json"},
		{"gzip", httpoutlet.Options{Gzip: true}, []string{`[{"a":1},"<x>\n",null,[2]]`}, "application/json"},
		{"own encoder", httpoutlet.Options{
			Body: httpoutlet.Lines,
			Encode: func(buf []byte, r record.Record) ([]byte, error) {
				return fmt.Appendf(buf, "index\n%v", r.Payload), nil
			},
			Headers: http.Header{"Content-Type": {"text/plain"}},
		}, []string{"index\nmap[a:1]\nindex\n<x>\n\nindex\n<nil>\nindex\n[2]\n"}, "text/plain"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, nil)
			o := started(t, server.URL, &test.opts)
			assert.Empty(t, push(t, o, records(row{"a": 1}, "<x>\n", nil, []int{2})...))
			assert.Empty(t, push(t, o))
			assert.Equal(t, test.bodies, server.bodies())
			for _, r := range server.requests() {
				assert.Equal(t, []string{test.kind}, r.Header["Content-Type"])
				assert.Equal(t, "POST", r.Method)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"PUT", "PATCH", "INDEX"} {
		server := serve(t, nil)
		o := started(t, server.URL+"/path?a=1", &httpoutlet.Options{
			Method: method, Params: url.Values{"b": {"2", "3"}}, Headers: http.Header{"X-Key": {"v", "w"}}, User: "ada", Password: "secret",
		})
		assert.Empty(t, push(t, o, records(1)...))
		r := server.requests()[0]
		assert.Equal(t, method, r.Method)
		assert.Equal(t, "[1]", r.Body)
		assert.Equal(t, "/path?a=1&b=2&b=3", r.URL)
		assert.Equal(t, []string{"v", "w"}, r.Header["X-Key"])
		assert.Equal(t, "Basic YWRhOnNlY3JldA==", r.Header.Get("Authorization"))
	}
	server := serve(t, nil)
	assert.Empty(t, push(t, started(t, server.URL, &httpoutlet.Options{Bearer: "t0ken"}), records(1)...))
	assert.Equal(t, "Bearer t0ken", server.requests()[0].Header.Get("Authorization"))
}

func TestToken(t *testing.T) {
	t.Parallel()
	accepted := ""
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+accepted {
			answer(401, "not with "+got)(w, r)
		}
	})
	n := 0
	o := started(t, server.URL, &httpoutlet.Options{Token: func(context.Context) (string, error) {
		n++
		switch n {
		case 6:
			return "", errors.New("no more")
		case 7:
			return "a\nb", nil
		}
		return fmt.Sprint("token-", n), nil
	}})
	accepted = "token-2"
	for range 3 {
		assert.Empty(t, push(t, o, records(1)...))
	}
	assert.Equal(t, 2, n, "a token is kept, and another one asked for after a 401")
	assert.Len(t, server.requests(), 4)

	accepted = "token-5"
	causes := push(t, o, records(1)...)
	require.EqualError(t, causes[0], `status 401 Unauthorized: "not with Bearer ***"`)
	assert.False(t, record.IsPermanent(causes[0]), "another token may do")
	assert.Equal(t, 3, n)
	assert.Empty(t, push(t, o, records(1)...), "token-4 is refused, token-5 is not")
	for _, r := range server.requests() {
		assert.Equal(t, "[1]", r.Body, "the body is sent again")
	}
	accepted = "none"
	require.EqualError(t, push(t, o, records(1)...)[0], "httpoutlet: no token: no more")
	require.ErrorContains(t, push(t, o, records(1)...)[0], "has a control character")

	require.NoError(t, o.Shutdown(t.Context()))
	require.NoError(t, o.Start(t.Context()))
	accepted = "token-8"
	assert.Empty(t, push(t, o, records(1)...))

	o = started(t, server.URL, &httpoutlet.Options{Bearer: "token-1"})
	assert.True(t, record.IsPermanent(push(t, o, records(1)...)[0]), "it is always the same")
}

func TestStatus(t *testing.T) {
	t.Parallel()
	const transient, permanent, accepted = "transient", "permanent", "accepted"
	date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	tests := []struct {
		status int
		header string // Retry-After
		want   string
		after  time.Duration
	}{
		{200, "5", accepted, 0}, {201, "", accepted, 0}, {202, "", accepted, 0}, {204, "", accepted, 0}, {207, "", accepted, 0}, {299, "", accepted, 0},
		{300, "", permanent, 0}, {304, "", permanent, 0}, {400, "", permanent, 0}, {401, "", permanent, 0}, {403, "", permanent, 0}, {404, "5", permanent, 0},
		{408, "", transient, 0}, {409, "", permanent, 0}, {413, "", permanent, 0}, {422, "", permanent, 0}, {425, "", transient, 0},
		{429, "", transient, 0}, {429, "7", transient, 7 * time.Second}, {429, "-5", transient, 0}, {429, "soon", transient, 0}, {499, "", permanent, 0},
		{500, "", transient, 0}, {502, "3", transient, 3 * time.Second}, {503, date, transient, time.Hour}, {503, "9000000000000000000", transient, 365 * 24 * time.Hour},
		{503, "Fri, 31 Dec 1999 23:59:59 GMT", transient, 0}, {599, "", transient, 0},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.status, test.header), func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", test.header)
				w.WriteHeader(test.status)
			})
			causes := push(t, started(t, server.URL, nil), records(1, 2)...)
			if test.want == accepted {
				assert.Empty(t, causes)
				return
			}
			require.Len(t, causes, 2)
			for _, err := range causes {
				assert.Equal(t, test.want == permanent, record.IsPermanent(err))
				status, ok := errors.AsType[*httpoutlet.StatusError](err)
				require.True(t, ok)
				assert.Equal(t, test.status, status.Code)
				retry, ok := errors.AsType[*record.RetryAfterError](err)
				assert.Equal(t, test.after > 0, ok)
				if ok {
					assert.InDelta(t, test.after, retry.After, float64(5*time.Second))
				}
			}
		})
	}
}

func TestStatusHook(t *testing.T) {
	t.Parallel()
	code := 207
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Failed", "yes")
		answer(code, "0,2")(w, nil)
	})
	var result error
	var seen httpoutlet.Answer
	o := started(t, server.URL, &httpoutlet.Options{Headers: http.Header{"X-Key": {"confidential"}}, Status: func(a httpoutlet.Answer) error {
		seen = a
		if result == nil {
			return a.Err
		}
		return result
	}})
	rs := records("a", math.NaN(), "b", "c")

	assert.Len(t, push(t, o, rs...), 1, "what is no JSON")
	assert.Equal(t, "0,2", string(seen.Body))
	assert.Equal(t, "yes", seen.Header.Get("X-Failed"))
	assert.Equal(t, 3, seen.Records)

	result = &record.Partial{Failed: map[int]error{0: record.Permanent(errors.New("confidential")), 2: record.RetryAfter(time.Second, errors.New("c"))}}
	causes := push(t, o, rs...)
	assert.Len(t, causes, 3)
	require.EqualError(t, causes[0], "***")
	assert.True(t, record.IsPermanent(causes[0]))
	require.ErrorContains(t, causes[1], "unsupported value: NaN")
	_, ok := errors.AsType[*record.RetryAfterError](causes[3])
	assert.True(t, ok)

	result = &record.Partial{Failed: map[int]error{3: errors.New("out of range")}}
	causes = push(t, o, rs...)
	assert.Len(t, causes, 4)
	require.ErrorContains(t, causes[0], "Options.Status returned a Partial with the index 3, want 0 to 2")
	result = &record.Partial{Failed: map[int]error{1: nil}}
	require.ErrorContains(t, push(t, o, rs...)[0], "nil error")

	result = errors.New("none, says confidential")
	causes = push(t, o, rs...)
	assert.Len(t, causes, 4)
	require.EqualError(t, causes[2], "none, says ***")

	code, result = 404, nil
	assert.True(t, record.IsPermanent(push(t, o, rs...)[0]))
	require.Error(t, seen.Err)
}

// With a request a record, order is kept: what comes after a failure waits, but not
// behind a record that is refused for good.
func TestSingle(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Idempotency-Key") {
		case key("bad"):
			w.WriteHeader(http.StatusUnprocessableEntity)
		case key("late"):
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	o := started(t, server.URL, &httpoutlet.Options{Body: httpoutlet.Single, IdempotencyHeader: "Idempotency-Key"})
	id := func(id string) record.Record { return record.New(id).WithID(id) }
	causes := push(t, o, id("a"), id("bad"), record.New("no ID"), record.New(math.NaN()).WithID("x"), id("b"), id("late"), id("c"), id("d"))
	assert.Equal(t, []string{`"a"`, `"bad"`, `"b"`, `"late"`}, server.bodies())
	require.Len(t, causes, 6)
	for i, permanent := range map[int]bool{1: true, 2: true, 3: true, 5: false, 6: false, 7: false} {
		assert.Equal(t, permanent, record.IsPermanent(causes[i]), i)
		retry, ok := errors.AsType[*record.RetryAfterError](causes[i])
		assert.Equal(t, !permanent, ok)
		assert.True(t, !ok || retry.After == 9*time.Second)
	}
	require.ErrorContains(t, causes[2], "the record has no ID")
	require.EqualError(t, causes[7], "not sent, since record 5 failed: status 503 Service Unavailable (retry after 9s)")
}

func key(ids ...string) string {
	var rs []record.Record
	for _, id := range ids {
		rs = append(rs, record.New(nil).WithID(id))
	}
	k, _ := record.BatchKey(rs)
	return k
}

func TestIdempotencyKeyOfABatch(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	o := started(t, server.URL, &httpoutlet.Options{IdempotencyHeader: "idempotency-key"})
	rs := []record.Record{record.New(1).WithID("a"), record.New(2), record.New(3).WithID("b")}
	for range 2 {
		causes := push(t, o, rs...)
		require.Len(t, causes, 1)
		assert.True(t, record.IsPermanent(causes[1]))
	}
	for _, r := range server.requests() {
		assert.Equal(t, "[1,3]", r.Body)
		assert.Equal(t, key("a", "b"), r.Header.Get("Idempotency-Key"))
	}
	assert.Len(t, push(t, o, rs[1]), 1)
	assert.Len(t, server.requests(), 2, "nothing is sent when there is nothing to send")
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, own := range []*resty.Client{nil, resty.New()} {
		for status, followed := range map[int]bool{301: false, 302: false, 303: false, 307: true, 308: true} {
			end := serve(t, nil)
			start := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, end.URL+"/end", status) })
			o := started(t, start.URL, &httpoutlet.Options{Client: own, Bearer: "confidential", Headers: http.Header{"X-Key": {"confidential"}}})
			causes := push(t, o, records(1)...)
			if followed {
				assert.Empty(t, causes)
				require.Len(t, end.requests(), 1)
				assert.Equal(t, "[1]", end.requests()[0].Body)
				if own == nil { // one's own follows its own rules
					assert.Empty(t, end.requests()[0].Header["Authorization"])
					assert.Empty(t, end.requests()[0].Header["X-Key"])
				}
				continue
			}
			require.Len(t, causes, 1, "%d: the records are not in a GET", status)
			assert.True(t, record.IsPermanent(causes[0]))
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	o := started(t, hang.URL, &httpoutlet.Options{Timeout: 50 * time.Millisecond})
	require.ErrorContains(t, push(t, o, records(1)...)[0], "no complete answer within 50ms, the Timeout")
	assert.False(t, record.IsPermanent(push(t, o, records(1)...)[0]))

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	o = started(t, hang.URL, &httpoutlet.Options{Timeout: -1})
	require.ErrorIs(t, o.Push(ctx, records(1), record.Update{}), context.DeadlineExceeded)
	require.ErrorIs(t, o.Push(ctx, records(1), record.Update{}), context.DeadlineExceeded, "a context that has ended")

	gone := serve(t, nil)
	gone.Close()
	require.ErrorContains(t, push(t, started(t, gone.URL, nil), records(1)...)[0], "connection refused")

	abort := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	require.ErrorContains(t, push(t, started(t, abort.URL, nil), records(1)...)[0], "closed the connection without an answer")

	// A server that has said 2xx has the records, whatever comes after.
	cut := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "x")
	})
	assert.Empty(t, push(t, started(t, cut.URL, nil), records(1)...))
	large := serve(t, answer(200, strings.Repeat("x", 1<<16)))
	assert.Empty(t, push(t, started(t, large.URL, &httpoutlet.Options{MaxBody: 10}), records(1)...))
	large = serve(t, answer(500, strings.Repeat("x", 1<<16)))
	require.EqualError(t, push(t, started(t, large.URL, &httpoutlet.Options{MaxBody: 10}), records(1)...)[0],
		"status 500 Internal Server Error: the body has more than 10 bytes, the MaxBody")
}

type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("no JSON") }

func TestRecordsThatFail(t *testing.T) {
	t.Parallel()
	for _, body := range []httpoutlet.Body{httpoutlet.Array, httpoutlet.Lines, httpoutlet.Single} {
		server := serve(t, nil)
		o := started(t, server.URL, &httpoutlet.Options{Body: body})
		causes := push(t, o, records(func() {}, 1, panicky{}, 2, math.Inf(1))...)
		require.Len(t, causes, 3)
		for _, err := range causes {
			assert.True(t, record.IsPermanent(err))
		}
		require.ErrorContains(t, causes[2], "encoding the record panicked: no JSON")
		assert.Equal(t, map[httpoutlet.Body]string{httpoutlet.Array: "[1,2]", httpoutlet.Lines: "1\n2\n", httpoutlet.Single: "12"}[body], strings.Join(server.bodies(), ""))
		assert.Len(t, push(t, o, records(func() {})...), 1)
	}
}

func TestPrivateCA(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(answer(200, ""))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	assert.Empty(t, push(t, started(t, server.URL, &httpoutlet.Options{CACert: ca}), records(1)...))
	server.Config.ErrorLog = nil
	require.ErrorContains(t, push(t, started(t, server.URL, nil), records(1)...)[0], "certificate")
}

// A request that is redirected from https to http would show the records to everybody.
func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	plain := serve(t, nil)
	server := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	causes := push(t, started(t, server.URL, &httpoutlet.Options{CACert: ca}), records(1)...)
	require.ErrorContains(t, causes[0], "status 307")
	assert.Empty(t, plain.requests())
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	server := serve(t, nil)
	o := httpoutlet.New(server.URL+"/path?token=confidential", nil)
	require.ErrorContains(t, o.Push(t.Context(), records(1), record.Update{}), "not started")
	require.NoError(t, o.Shutdown(t.Context()), "before a start")
	for range 2 {
		require.NoError(t, o.Start(t.Context()))
		require.ErrorContains(t, o.Start(t.Context()), "already started")
		assert.Empty(t, push(t, o, records(1)...))
		require.NoError(t, o.Shutdown(t.Context()))
	}
	assert.True(t, o.ReadOnly())
	assert.Equal(t, "httpoutlet("+server.URL+"/path)", o.String())
	assert.Equal(t, "array lines single Body(9)", fmt.Sprint(httpoutlet.Array, " ", httpoutlet.Lines, " ", httpoutlet.Single, " ", httpoutlet.Body(9)))
}
