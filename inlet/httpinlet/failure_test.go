package httpinlet_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/record"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		header string // Retry-After
		body   string
		want   string
		after  time.Duration
	}{
		{"not found", 404, "", `{"error":"no such quote"}`, `status 404 Not Found: "{\"error\":\"no such quote\"}"`, 0},
		{"redirected nowhere", 302, "", "moved", `status 302 Found: "moved"`, 0},
		{"no body", 500, "", "", "status 500 Internal Server Error", 0},
		{"status without a name", 599, "", "hm", `status 599: "hm"`, 0},
		{"long body", 502, "", strings.Repeat("ü", 5000), `status 502 Bad Gateway: "` + strings.Repeat("ü", 150) + `…"`, 0},
		{"asked to wait", 429, "7", "slowly", `status 429 Too Many Requests: "slowly" (retry after 7s)`, 7 * time.Second},
		{"unavailable", 503, "1", "", `status 503 Service Unavailable (retry after 1s)`, time.Second},
		{"wait of nothing", 503, "0", "", `status 503 Service Unavailable`, 0},
		{"negative wait", 429, "-5", "", `status 429 Too Many Requests`, 0},
		{"unreadable wait", 429, "soon", "", `status 429 Too Many Requests`, 0},
		{"wait that has passed", 503, "Fri, 31 Dec 1999 23:59:59 GMT", "", `status 503 Service Unavailable`, 0},
		{"endless wait", 503, "9000000000000000000", "", `status 503 Service Unavailable (retry after 8760h0m0s)`, 365 * 24 * time.Hour},
		{"wait of another status", 500, "7", "", "status 500 Internal Server Error", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				answer(test.status, test.body)(w, r)
			})
			got, err := pull(t.Context(), started(t, address, nil))
			require.EqualError(t, err, test.want)
			assert.Empty(t, got)
			status, ok := errors.AsType[*httpinlet.StatusError](err)
			require.True(t, ok)
			assert.Equal(t, test.status, status.Code)
			retry, ok := errors.AsType[*record.RetryAfterError](err)
			assert.Equal(t, test.after > 0, ok)
			if ok {
				assert.Equal(t, test.after, retry.After)
			}
			assert.False(t, record.IsPermanent(err))
		})
	}
}

func TestRetryAfterDate(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	_, err := pull(t.Context(), started(t, address, nil))
	retry, ok := errors.AsType[*record.RetryAfterError](err)
	require.True(t, ok, "%v", err)
	assert.InDelta(t, time.Hour, retry.After, float64(5*time.Second))
}

func TestUndecodableBody(t *testing.T) {
	t.Parallel()
	long := "[" + strings.Repeat("1,", 5000)
	tests := []struct {
		name   string
		decode httpinlet.Decoder
		body   string
		want   []string
	}{
		{"no JSON", nil, "<html>Sorry</html>", []string{"invalid character '<'", `"<html>Sorry</html>"`}},
		{"begins like JSON", nil, `{"a":1} extra`, []string{"invalid character 'e'", `"{\"a\":1} extra"`}},
		{"cut short", nil, `[{"a":1},`, []string{"unexpected end", `"[{\"a\":1},"`}},
		{"long", nil, long, []string{"unexpected end", "10001 bytes", "…"}},
		{"a line", httpinlet.JSONLines[quote], "{}\n\n{]", []string{"line 3: invalid character"}},
		{"field of no object", httpinlet.JSONField[quote]("a.b"), `{"a":[1]}`, []string{`no field "a.b"`, `"{\"a\":[1]}"`}},
		{"another type in a field", httpinlet.JSONField[quote]("a"), `{"a":[1]}`, []string{"cannot unmarshal number"}},
		{"another type", httpinlet.JSON[quote], `[{"symbol":1}]`, []string{"cannot unmarshal number", "symbol", `"[{\"symbol\":1}]"`}},
		{"scalar for a struct", httpinlet.JSON[quote], `"x"`, []string{"cannot unmarshal string"}},
		{"array for a list", httpinlet.JSON[[]int], `[1,2]`, []string{"cannot unmarshal number"}},
		{"gigantic number", httpinlet.JSON[int], strings.Repeat("9", 100_000), []string{"cannot unmarshal number", "100000 bytes"}},
		{"binary", nil, "\x00\xff\xfe", []string{`\x00`}},
		{"user's decoder", func([]byte) ([]record.Record, error) { return nil, io.ErrNoProgress }, "abc", []string{io.ErrNoProgress.Error(), `"abc"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := pull(t.Context(), started(t, serve(t, answer(200, test.body)), &httpinlet.Options{Decode: test.decode}))
			require.Error(t, err)
			assert.Empty(t, got)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Less(t, len(err.Error()), 2500)
		})
	}
	_, err := pull(t.Context(), started(t, serve(t, answer(200, `"x"`)), &httpinlet.Options{Decode: httpinlet.JSON[int]}))
	_, ok := errors.AsType[*json.UnmarshalTypeError](err)
	assert.True(t, ok, "the decoder's error is wrapped")
}

func TestMaxBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		limit int
		size  int
		fails bool
	}{
		{"exactly the limit", 1000, 1000, false},
		{"a byte more", 1000, 1001, true},
		{"default", 0, 10 << 20, false},
		{"default and a byte", 0, 10<<20 + 1, true},
		{"none", -1, 10<<20 + 1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := serve(t, answer(200, strings.Repeat("a", test.size)))
			got, err := pull(t.Context(), started(t, address, &httpinlet.Options{MaxBody: test.limit, Decode: httpinlet.Text}))
			if test.fails {
				require.ErrorContains(t, err, "bytes, the MaxBody")
				return
			}
			require.NoError(t, err)
			assert.Len(t, got[0], test.size)
		})
	}
}

// An endless body costs no more than the limit.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 500} {
		sent := make(chan int, 1)
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			n := 0
			for r.Context().Err() == nil && n < 100<<20 {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					break
				}
				n += 32 << 10
			}
			sent <- n
		})
		_, err := pull(t.Context(), started(t, address, &httpinlet.Options{MaxBody: 100_000}))
		require.ErrorContains(t, err, "the body has more than 100000 bytes, the MaxBody")
		if status == 500 {
			require.ErrorContains(t, err, "status 500")
		}
		assert.Less(t, <-sent, 50<<20, "bytes that the server got rid of, in buffers of the system mostly")
	}
}

// A body that is small on the wire and endless when it is decompressed costs no more
// than the limit either.
func TestDecompressionBomb(t *testing.T) {
	t.Parallel()
	sent := make(chan int, 1)
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		n := 0
		for zeros := make([]byte, 1<<20); r.Context().Err() == nil && n < 2<<30; n += len(zeros) {
			if _, err := z.Write(zeros); err != nil {
				break
			}
		}
		sent <- n
	})
	_, err := pull(t.Context(), started(t, address, &httpinlet.Options{MaxBody: 1 << 20}))
	require.ErrorContains(t, err, "the body has more than 1048576 bytes, the MaxBody")
	assert.Less(t, <-sent, 2<<30, "the server is hung up on")
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer string
		want   string
	}{
		{"shorter than announced", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,2", "the answer ends too early"},
		{"chunk cut off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1", "the answer ends too early"},
		{"nothing", "", "closed the connection without an answer"},
		{"no HTTP", "SSH-2.0-OpenSSH_9.6\r\n", "malformed HTTP"},
		{"failed, and shorter than announced", "HTTP/1.1 502 Bad\r\nContent-Length: 100\r\n\r\noops", "status 502 Bad Gateway: the answer ends too early"},
		{"location that is no URL", "HTTP/1.1 302 Found\r\nLocation: http://[::1/?token=theirs-confidential\r\nContent-Length: 0\r\n\r\n", "the Location that the server redirects to is no URL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { _ = listener.Close() }()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Read(make([]byte, 4096))
					_, _ = io.WriteString(conn, test.answer)
					_ = conn.Close()
				}
			}()
			in := started(t, "http://"+listener.Addr().String(), &httpinlet.Options{Params: url.Values{"token": {"confidential"}}})
			got, err := pull(t.Context(), in)
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "confidential")
			assert.Empty(t, got)
		})
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"before the headers", "inside the body"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if after == "inside the body" {
					_, _ = io.WriteString(w, "[1,")
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			})
			in := started(t, address, &httpinlet.Options{Timeout: 50 * time.Millisecond})
			began := time.Now()
			_, err := pull(t.Context(), in)
			require.ErrorContains(t, err, "no complete answer within 50ms, the Timeout")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Less(t, time.Since(began), 5*time.Second)
		})
	}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, -1} {
		reached := make(chan struct{}, 1)
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "[1,")
			w.(http.Flusher).Flush()
			reached <- struct{}{}
			<-r.Context().Done()
		})
		in := started(t, address, &httpinlet.Options{Timeout: timeout})

		ctx, cancel := context.WithCancelCause(t.Context())
		because := errors.New("the link stops")
		go func() {
			<-reached
			cancel(because)
		}()
		got, err := pull(ctx, in)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, because)
		assert.Empty(t, got)

		_, err = pull(ctx, in)
		require.ErrorIs(t, err, context.Canceled, "a context that has ended")
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, err = pull(t.Context(), started(t, "http://"+address, nil))
	require.ErrorContains(t, err, "connection refused")
}

// Whatever happens, and whatever the server repeats, secrets are not shown.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	secrets := []string{"ada.lovelace", "hunter22", "key+in/url", "t0ken&value", "head3r-value", "bearer-t0ken", "b0dy-value"}
	echo := func(w http.ResponseWriter, r *http.Request) string {
		user, password, _ := r.BasicAuth()
		return strings.Join([]string{"cannot GET", r.URL.String(), r.URL.Query().Get("key"), r.URL.Query().Get("token"), user, password,
			r.Header.Get("X-Key"), r.Header.Get("Proxy-Authorization"), r.Header.Get("Authorization"), sent(r)}, " ")
	}
	bodies := map[string]string{"": "", "JSON": `{"a":[{"password":"b0dy-value"}]}`, "form": "a=b&password=b0dy-value"}
	handlers := map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, echo(w, r))
		},
		"not JSON":     func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, echo(w, r)) },
		"another type": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `["hunter22"]`) },
		"hang up":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"bad redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "ftp://"+r.URL.RawQuery, http.StatusFound)
		},
		"redirect loop": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
		"dead redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/?"+r.URL.RawQuery, http.StatusFound)
		},
		"timeout": func(_ http.ResponseWriter, r *http.Request) {
			sent(r) // a server sees a client leave once it has read what that has sent
			<-r.Context().Done()
		},
		"repeats itself": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("hunter22", 100_000))
		},
	}
	for name, h := range handlers {
		for kind, body := range bodies {
			t.Run(name+kind, func(t *testing.T) {
				t.Parallel()
				raw := strings.Replace(serve(t, h), "//", "//ada.lovelace:hunter22@", 1) + "/path?key=key%2Bin%2Furl"
				in := started(t, raw, &httpinlet.Options{
					Params:  url.Values{"token": {"t0ken&value"}},
					Headers: http.Header{"X-Key": {"head3r-value"}, "Proxy-Authorization": {"Bearer bearer-t0ken"}},
					Timeout: 300 * time.Millisecond,
					Body:    body,
					Decode:  httpinlet.JSON[map[string]int],
				})
				_, err := pull(t.Context(), in)
				require.Error(t, err)
				for _, s := range secrets {
					for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s)} {
						assert.NotContains(t, err.Error(), form)
						assert.NotContains(t, in.String(), form)
					}
				}
				_, ok := errors.AsType[*url.Error](err)
				assert.False(t, ok, "the chain has no error that shows the URL")
				assert.Less(t, len(err.Error()), 2500)
			})
		}
	}
}

// sent returns the values in the body of a request.
func sent(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	return strings.NewReplacer(`"`, " ", "=", " ", "}", " ").Replace(string(body))
}
