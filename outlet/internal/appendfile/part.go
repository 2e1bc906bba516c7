package appendfile

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/databay-go/databay/record"
)

// Part is the records that go to one file.
type Part struct {
	Path    string
	Indices []int // ascending
}

// Parts sorts records by the files that they go to.
type Parts struct {
	// Key is that of the path of a record's file.
	Key record.Key[string]

	// Default is the path of the file of all others.
	Default string

	all []int // 0, 1, 2, …
}

// Of returns the files that records go to, in the order in which they first appear.
// It adds those that name no proper path to the failures.
func (p *Parts) Of(records []record.Record, failures *record.Failures) []Part {
	for len(p.all) < len(records) {
		p.all = append(p.all, len(p.all))
	}
	path := filepath.Clean(p.Default)
	elsewhere := 0
	for elsewhere < len(records) && records[elsewhere].Metadata.Len() == 0 {
		elsewhere++
	}
	if elsewhere == len(records) {
		return []Part{{path, p.all[:len(records)]}}
	}
	var parts []Part
	place := make(map[string]int)
	for i, r := range records {
		to := path
		if v, ok := r.Metadata.Get(p.Key.Name()); ok {
			s, _ := v.(string)
			if s == "" {
				failures.Add(i, record.Permanent(fmt.Errorf("metadata %s is %#v, want the path of a file", p.Key.Name(), v)))
				continue
			}
			to = filepath.Clean(s)
		}
		at, ok := place[to]
		if !ok {
			at = len(parts)
			place[to] = at
			parts = append(parts, Part{Path: to})
		}
		parts[at].Indices = append(parts[at].Indices, i)
	}
	return parts
}

// Flag returns what the metadata of r say, and otherwise if they say nothing.
func Flag(r record.Record, key record.Key[bool], otherwise bool) (bool, error) {
	v, ok := r.Metadata.Get(key.Name())
	if !ok {
		return otherwise, nil
	}
	says, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("metadata %s is a %T, want true or false", key.Name(), v)
	}
	return says, nil
}

// Each calls write for one part after another until ctx ends. Write answers how
// many of the part's records it is done with, and the error of the rest.
func Each(ctx context.Context, parts []Part, failures *record.Failures, write func(Part) (int, error)) {
	for _, p := range parts {
		done, err := 0, context.Cause(ctx)
		if err == nil {
			done, err = write(p)
		}
		if err != nil {
			for _, i := range p.Indices[done:] {
				failures.Add(i, err)
			}
		}
	}
}
