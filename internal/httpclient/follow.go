package httpclient

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// redirect lets a request be redirected 10 times, and keeps what the user has set
// from other hosts.
func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	if c.opts.NoRedirects {
		return http.ErrUseLastResponse
	}
	const most = 10
	if len(via) >= most {
		return fmt.Errorf("redirected more than %d times", most)
	}
	first := via[0].URL
	downgraded := first.Scheme == "https" && req.URL.Scheme == "http"
	left := downgraded || req.URL.Host != first.Host
	if c.opts.KeepHost && left {
		return http.ErrUseLastResponse
	}
	if c.opts.KeepMethod && (req.Method != via[0].Method || downgraded) {
		return http.ErrUseLastResponse
	}
	if left {
		for name := range c.opts.Headers {
			req.Header.Del(name)
		}
		req.Header.Del("Authorization")
		req.Header.Del("Referer") // it has the query
	}
	return nil
}

// Resolve returns the URL that a page of the answer refers to. It must be where the
// client's headers may be sent: on the client's host, and not http if that is https.
func (c *Client) Resolve(a *Answer, ref string) (*url.URL, error) {
	u, err := url.Parse(ref)
	if err != nil { // its text may have secrets
		return nil, errors.New("the reference to the next page is no URL")
	}
	if a.URL != nil {
		u = a.URL.ResolveReference(u)
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	u.RawQuery = spaceless(u.RawQuery)
	switch {
	case !strings.EqualFold(u.Host, c.url.Host) || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the next page is on %.100q, want it on %q, the only one that Headers and credentials are for",
			u.Scheme+"://"+u.Host, c.url.Scheme+"://"+c.url.Host)
	case c.url.Scheme == "https" && u.Scheme == "http":
		return nil, fmt.Errorf("the next page is on %.100q, want https: Headers and credentials would be seen by everybody", "http://"+u.Host)
	}
	return u, nil
}

// URL returns the client's URL with its Params, without the user.
func (c *Client) URL() *url.URL {
	u := *c.url
	u.User = nil
	return &u
}

// withParams returns u with further parameters in its query.
func withParams(u *url.URL, params url.Values) *url.URL {
	c := *u
	c.RawQuery = spaceless(c.RawQuery)
	if more := params.Encode(); c.RawQuery == "" {
		c.RawQuery = more
	} else if more != "" {
		c.RawQuery += "&" + more
	}
	return &c
}

// spaceless returns a query without spaces, which would end the URL in the request.
func spaceless(query string) string { return strings.ReplaceAll(query, " ", "%20") }
