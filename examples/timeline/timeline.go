package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Post is an entry of a timeline. Later ones have higher IDs.
type Post struct {
	ID   int64  `json:"id"`
	User string `json:"user"`
	Text string `json:"text"`
}

// fetch returns posts behind the one with the ID since, the oldest first.
func fetch(ctx context.Context, timeline string, since int64) (posts []Post, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, timeline+"?since_id="+strconv.FormatInt(since, 10), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the timeline answers %s", resp.Status)
	}
	return posts, json.NewDecoder(resp.Body).Decode(&posts)
}

// serve is the local timeline: every second of the clock is a post, and its ID. It
// answers with the first 20 posts behind the ID asked for, or with the last three if
// that is 0.
func serve() (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Unix()
		since, err := strconv.ParseInt(r.FormValue("since_id"), 10, 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if since == 0 {
			since = now - 3
		}
		posts := []Post{}
		for id := since + 1; id <= min(now, since+20); id++ {
			posts = append(posts, Post{id, []string{"ada", "grace", "alan"}[id%3], "it is " + time.Unix(id, 0).UTC().Format(time.TimeOnly)})
		}
		_ = json.NewEncoder(w).Encode(posts) // whoever asked is gone
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // it returns when it is closed
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close()
		<-ended
	}, nil
}
