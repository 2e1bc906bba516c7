package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strconv"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/record"
)

// documents returns an inlet of a document a pull, with the IDs 1, 2 and so on.
func documents() inlet.Inlet {
	n := 0
	return inlet.Each(func(context.Context) (Document, error) {
		n++
		return Document{strconv.Itoa(n), sentences[n%len(sentences)]}, nil
	})
}

// Bulk is an outlet that indexes Documents with one request a push.
type Bulk struct {
	URL, Index string
	Skip       bool // documents that exist, instead of overwriting them
	Log        *log.Logger
}

func (b *Bulk) String() string { return "bulk(" + b.Index + ")" }

func (b *Bulk) ReadOnly() bool { return true }

func (b *Bulk) Validate() error {
	if u, err := url.Parse(b.URL); err != nil || u.Host == "" {
		return errors.New("bulk: URL is not one: want http://host:port")
	}
	return nil
}

// Start fails if the index does not exist.
func (b *Bulk) Start(ctx context.Context) error {
	if _, err := b.send(ctx, http.MethodHead, "/"+b.Index, nil); err != nil {
		return fmt.Errorf("index %s: %w", b.Index, err)
	}
	return nil
}

// Push fails for those documents that the cluster refuses.
func (b *Bulk) Push(ctx context.Context, records []record.Record, _ record.Update) error {
	var failed record.Failures
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	action := "index"
	if b.Skip {
		action = "create"
	}
	var sent []int // the index of each record that is part of the body
	for i, r := range records {
		d, err := record.As[Document](r)
		if err != nil {
			failed.Add(i, err)
			continue
		}
		err = errors.Join(enc.Encode(map[string]any{action: map[string]any{"_id": d.ID}}), enc.Encode(d))
		if err != nil {
			return err
		}
		sent = append(sent, i)
	}
	if len(sent) == 0 {
		return failed.Err()
	}
	answer, err := b.send(ctx, http.MethodPost, "/"+b.Index+"/_bulk", &body)
	if err != nil {
		return err
	}
	var parsed struct {
		Items []map[string]struct {
			ID     string          `json:"_id"`
			Status int             `json:"status"`
			Error  json.RawMessage `json:"error"`
		} `json:"items"`
	}
	if err := json.Unmarshal(answer, &parsed); err != nil || len(parsed.Items) != len(sent) {
		return fmt.Errorf("cannot read the answer for %d documents: %.200s (%w)", len(sent), answer, err)
	}
	for i, item := range parsed.Items {
		result := item[action]
		switch {
		case result.Status == http.StatusConflict && b.Skip:
			b.Log.Printf("document %s exists: skipped", result.ID)
		case result.Status == http.StatusTooManyRequests || result.Status >= 500: // offered again
			failed.Add(sent[i], fmt.Errorf("document %s: status %d: %s", result.ID, result.Status, result.Error))
		case result.Status >= 300:
			failed.Add(sent[i], record.Permanent(fmt.Errorf("document %s: status %d: %s", result.ID, result.Status, result.Error)))
		default:
			b.Log.Printf("document %s is indexed", result.ID)
		}
	}
	return failed.Err()
}

// send returns the body of an answer, whose status must be 200.
func (b *Bulk) send(ctx context.Context, method, path string, body io.Reader) (answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, b.URL+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s: %.200s", resp.Status, answer)
	}
	return answer, err
}
