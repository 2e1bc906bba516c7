package httpclient

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/go-resty/resty/v2"
)

// Auth is what a request shows to be let in. At most one of its ways is used.
type Auth struct {
	User, Password string
	Bearer         string
	Token          func(ctx context.Context) (string, error) // kept until it is refused
}

func (a *Auth) ways() (ways []string) {
	if a.User != "" || a.Password != "" {
		ways = append(ways, "User")
	}
	if a.Bearer != "" {
		ways = append(ways, "Bearer")
	}
	if a.Token != nil {
		ways = append(ways, "Token")
	}
	return ways
}

// authorize adds what lets the request in, and returns the token that comes from the
// source of tokens, if there is one.
func (c *Client) authorize(ctx context.Context, s *session, req *resty.Request) (*token, error) {
	a := &c.opts.Auth
	switch {
	case a.User != "" || a.Password != "":
		req.SetBasicAuth(a.User, a.Password)
	case a.Bearer != "":
		req.Header.Set("Authorization", "Bearer "+a.Bearer)
	case a.Token != nil:
		token, err := s.tokens.get(ctx)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token.text)
		return token, nil
	case c.url.User != nil:
		password, _ := c.url.User.Password()
		req.SetBasicAuth(c.url.User.Username(), password)
	}
	return nil, nil
}

// tokens keeps the token of a source until it is refused. The source is called once
// for all requests that wait for a token.
type tokens struct {
	c       *Client
	turn    chan struct{} // has one while the source is called
	current atomic.Pointer[token]
}

type token struct{ text string }

func newTokens(c *Client) *tokens { return &tokens{c: c, turn: make(chan struct{}, 1)} }

func (t *tokens) get(ctx context.Context) (*token, error) {
	if current := t.current.Load(); current != nil {
		return current, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if current := t.current.Load(); current != nil {
		return current, nil
	}
	text, err := t.c.opts.Auth.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: no token: %w", t.c.pkg, t.c.secrets.Clean(err))
	}
	if text == "" || !validValue(text) {
		return nil, fmt.Errorf("%s: Token returned one that is empty or has a control character, want text of one line", t.c.pkg)
	}
	fresh := &token{text}
	t.current.Store(fresh)
	return fresh, nil
}

// refuse gives up a token. Another one that has come meanwhile stays.
func (t *tokens) refuse(refused *token) { t.current.CompareAndSwap(refused, nil) }
