package httpclient

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Passing reports whether an answer, or an error without one, may be another one soon.
func Passing(a *Answer, err error) bool {
	if a != nil && (err == nil || a.Code >= 300) {
		return PassingStatus(a.Code)
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !untrusted && !errors.Is(err, errTooLarge) && !errors.Is(err, errNotStarted)
}

// PassingStatus reports whether the same request may have another status soon.
func PassingStatus(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return code >= 500
}

// refuses reports whether a HEAD with this status has not reached what it is there for.
// Many servers know no HEAD where they know other methods: they answer with a 404, a 405
// or a 501.
func refuses(code int, found bool) bool {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return true
	case http.StatusNotFound, http.StatusGone:
		return found
	}
	return code >= 500 && code != http.StatusNotImplemented
}

// StatusText returns the text of an error of a status: its name and, if there is no
// error in reading the body, the beginning of that.
func StatusText(code int, body string, err error) string {
	s := "status " + strconv.Itoa(code)
	if text := http.StatusText(code); text != "" {
		s += " " + text
	}
	switch {
	case err != nil:
		return s + ": " + err.Error()
	case body == "":
		return s
	}
	return s + ": " + strconv.Quote(body)
}

// RetryAfter returns how long a server asks to wait, or 0.
func RetryAfter(h http.Header) time.Duration {
	header := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		const most = int64(365 * 24 * time.Hour / time.Second)
		return time.Duration(min(max(seconds, 0), most)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
