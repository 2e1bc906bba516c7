package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// A week of earthquakes as the USGS saw it; data/SOURCE.md says where it is from.
//
//go:embed data/earthquakes.json
var week []byte

// speed is how much time passes in the replay in a second.
const speed = 2 * time.Hour

// feed is a web service that replays a week of earthquakes:
//
//	GET /quakes/new    those that have happened since the last request, as a JSON array
//
// Each is given out once. It stands for the API that a real program pulls from.
type feed struct {
	address string
	server  *http.Server
	over    func() // called when the last one is given out

	mu    sync.Mutex
	rows  []json.RawMessage // not given out yet
	times []time.Time       // of rows
	start time.Time         // of the replay
	first time.Time         // earthquake of the week
}

// newFeed returns a feed of rows, a JSON array of objects in the order of their
// times, that starts now.
func newFeed(rows []byte, over func()) (*feed, error) {
	f := &feed{over: over, start: time.Now()}
	if err := json.Unmarshal(rows, &f.rows); err != nil {
		return nil, fmt.Errorf("the data: %w", err)
	}
	for i, row := range f.rows {
		var event struct{ Time time.Time }
		if err := json.Unmarshal(row, &event); err != nil {
			return nil, fmt.Errorf("the data: row %d: %w", i, err)
		}
		f.times = append(f.times, event.Time)
	}
	if len(f.rows) > 0 {
		f.first = f.times[0]
	}
	return f, nil
}

// listen serves the feed at an address of this machine that nobody else uses.
func (f *feed) listen() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /quakes/new", f)
	f.address = "http://" + listener.Addr().String() + "/quakes/new"
	f.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go f.server.Serve(listener) //nolint:errcheck // it ends with Close
	return nil
}

func (f *feed) close() { _ = f.server.Close() }

// ServeHTTP answers with what is new.
func (f *feed) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	rows, last := f.take()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(rows)
	if last {
		f.over()
	}
}

// take returns what is new, and whether the last one is among it.
func (f *feed) take() (rows []json.RawMessage, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.first.Add(time.Duration(time.Since(f.start).Seconds() * float64(speed)))
	n := 0
	for n < len(f.times) && !f.times[n].After(now) {
		n++
	}
	rows = append([]json.RawMessage{}, f.rows[:n]...)
	f.rows, f.times = f.rows[n:], f.times[n:]
	return rows, n > 0 && len(f.rows) == 0
}
