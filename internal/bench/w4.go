//go:build !child

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/outlet/fileoutlet"
)

// nodes are the workloads of connectors.
var nodes = []workload{
	{"W4-csv", runW4CSV},
	{"W4-jsonl", runW4JSONLines},
	{"W4-mongo", runW4Mongo},
}

const (
	w4Page = 100 // objects of an answer
	w4Pull = 200 // transfers a round
)

// serve answers every request with a JSON array of objects until stop is called.
func serve() (url string, stop func() error, err error) {
	type row struct {
		ID     int     `json:"id"`
		Name   string  `json:"name"`
		Email  string  `json:"email"`
		Amount float64 `json:"amount"`
		Active bool    `json:"active"`
		City   string  `json:"city"`
	}
	var rows []row
	for i := range w4Page {
		rows = append(rows, row{i, "name " + strconv.Itoa(i), fmt.Sprintf("user%d@example.com", i), float64(i) * 1.25, i%2 == 0, "Reykjavík"})
	}
	body, err := json.Marshal(rows)
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // who asked is gone, and counts what came
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return "http://" + listener.Addr().String() + "/rows", func() error {
		err := server.Close()
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}

// fetch is the hand-written pull.
func fetch(ctx context.Context, client *http.Client, url string) (rows []map[string]any, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return rows, json.Unmarshal(body, &rows)
}

func runW4CSV(o amount) ([]result, error) {
	columns := []string{"active", "amount", "city", "email", "id", "name"}
	return runW4(o, "W4-csv",
		func(file string) outlet.Outlet { return csvoutlet.New(file, nil) },
		func(w io.Writer) func([]map[string]any) error {
			out := csv.NewWriter(w)
			_ = out.Write(columns) // Flush reports it
			row := make([]string, len(columns))
			return func(rows []map[string]any) error {
				for _, r := range rows {
					for i, c := range columns {
						switch v := r[c].(type) {
						case string:
							row[i] = v
						case float64:
							row[i] = strconv.FormatFloat(v, 'f', -1, 64)
						case bool:
							row[i] = strconv.FormatBool(v)
						default:
							return fmt.Errorf("column %s: %T", c, v)
						}
					}
					if err := out.Write(row); err != nil {
						return err
					}
				}
				out.Flush()
				return out.Error()
			}
		})
}

func runW4JSONLines(o amount) ([]result, error) {
	return runW4(o, "W4-jsonl",
		func(file string) outlet.Outlet {
			return fileoutlet.New(file, &fileoutlet.Options{Encode: fileoutlet.JSON})
		},
		func(w io.Writer) func([]map[string]any) error {
			out := bufio.NewWriterSize(w, 64<<10)
			enc := json.NewEncoder(out)
			enc.SetEscapeHTML(false)
			return func(rows []map[string]any) error {
				for _, r := range rows {
					if err := enc.Encode(r); err != nil {
						return err
					}
				}
				return out.Flush()
			}
		})
}

// runW4 measures HTTP to a file. ByHand returns the hand-written push of rows to w,
// which writes to the file at the end of each push, as the outlet does.
func runW4(o amount, name string, ours func(file string) outlet.Outlet, byHand func(w io.Writer) func([]map[string]any) error) (list []result, err error) {
	url, stopServer, err := serve()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stopServer()) }()
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	oursFile, handFile := filepath.Join(folder, "ours"), filepath.Join(folder, "hand")
	l, stop, err := started(link.Config{
		Name:    "w4",
		Inlets:  []inlet.Inlet{httpinlet.New(url, nil)},
		Outlets: []outlet.Outlet{ours(oursFile)},
	})
	if err != nil {
		return nil, err
	}
	file, err := os.Create(handFile)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	push, client := byHand(file), &http.Client{Transport: &http.Transport{}}
	c, err := compare(o, w4Page*w4Pull,
		func() error { return transfers(l, w4Pull) },
		func() error {
			for range w4Pull {
				rows, err := fetch(context.Background(), client, url)
				if err != nil {
					return err
				}
				if err := push(rows); err != nil {
					return err
				}
			}
			return nil
		})
	client.CloseIdleConnections()
	if err := errors.Join(err, stop(), file.Close()); err != nil {
		return nil, err
	}
	return c.results(name, 0.9, 0), sameLines(oursFile, handFile, (o.rounds+1)*w4Page*w4Pull)
}

// sameLines checks that both sides have written the same number of lines, a header
// aside n.
func sameLines(ours, hand string, n int) error {
	var counts [2]int64
	for i, name := range []string{ours, hand} {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		counts[i] = int64(bytes.Count(text, []byte("\n")))
	}
	return errors.Join(expect("lines", counts[0], counts[1]), expect("lines without a header", counts[0]-counts[0]%w4Page, int64(n)))
}
