package sqlinlet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// position is the form in which a position is kept.
type position struct {
	Of string     `json:"of"` // the table
	By []string   `json:"by"` // cursor and key
	At [][]string `json:"at"` // kind and text of each
}

// Position returns where the inlet stands.
func (in *Inlet) Position() []byte {
	if in.at == nil {
		return nil
	}
	p := position{Of: in.table, By: in.order(), At: make([][]string, len(in.at))}
	for i, v := range in.at {
		p.At[i] = []string{string(v.kind), v.text}
	}
	text, _ := json.Marshal(p) // of strings: it cannot fail
	return text
}

// Seek sets the inlet to a position. One of another table, or by other columns, is an
// error.
func (in *Inlet) Seek(_ context.Context, pos []byte) error {
	if pos == nil {
		in.at, in.alone, in.horizon = nil, false, horizon{reached: true}
		return nil
	}
	var p position
	d := json.NewDecoder(bytes.NewReader(pos))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || d.InputOffset() != int64(len(pos)) {
		return fmt.Errorf("sqlinlet: the stored position %.100q is not one of a sqlinlet: %w", pos, orTrailing(err))
	}
	if p.Of != in.table || !slices.Equal(p.By, in.order()) {
		return fmt.Errorf("sqlinlet: the stored position is one in %q by %s, this inlet reads %q by %s",
			p.Of, strings.Join(p.By, ", "), in.table, strings.Join(in.order(), ", "))
	}
	if len(p.At) != len(p.By) {
		return fmt.Errorf("sqlinlet: the stored position %.100q has %d values for %d columns", pos, len(p.At), len(p.By))
	}
	at := make([]value, len(p.At))
	for i, v := range p.At {
		if len(v) != 2 {
			return fmt.Errorf("sqlinlet: the stored position %.100q: value %d has %d parts, want kind and text", pos, i, len(v))
		}
		var err error
		if at[i], err = parse(kind(v[0]), v[1]); err != nil {
			return fmt.Errorf("sqlinlet: the stored position %.100q: value of %s: %w", pos, p.By[i], err)
		}
	}
	in.at, in.alone, in.horizon = at, false, horizon{reached: true}
	return nil
}

func orTrailing(err error) error {
	if err == nil {
		err = errors.New("something follows it")
	}
	return err
}
