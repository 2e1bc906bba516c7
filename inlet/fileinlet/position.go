package fileinlet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// memory is how many bytes at the beginning of a file, and before a position, tell
// it from others.
const memory = 1 << 10

// place is where an inlet stands: in which file, and how far.
type place struct {
	Generation int    `json:"generation"`         // how many files came before
	Inode      string `json:"inode,omitempty"`    // of the file
	ID         string `json:"id,omitempty"`       // of the file, in the IDs of records
	Offset     int64  `json:"offset"`             // of the next line
	Line       int64  `json:"line"`               // how many lines come before it
	Inside     bool   `json:"inside,omitempty"`   // the line at the offset is passed over
	Head       string `json:"head,omitempty"`     // digest of the beginning, up to the offset
	Tail       string `json:"tail,omitempty"`     // digest of what comes before the offset
	Modified   int64  `json:"modified,omitempty"` // when the file was written that far, at the latest
}

// version is what a whole file was like.
type version struct {
	Modified int64  `json:"modified"`
	Size     int64  `json:"size"`
	Digest   string `json:"digest"`
}

// position is what is stored. One of its fields is set.
type position struct {
	Lines *place   `json:"lines,omitempty"`
	Whole *version `json:"whole,omitempty"`
}

func (p position) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	return b
}

// decodePosition reads what encode has written for an inlet of lines or of whole
// files.
func decodePosition(b []byte, whole bool) (p position, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err = d.Decode(&p); err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something behind it")
		}
	}
	switch {
	case err != nil:
	case (p.Lines == nil) == (p.Whole == nil):
		err = errors.New("it has neither lines nor whole, or both")
	case whole && p.Whole == nil:
		err = errors.New("it is one of lines, and the options say Whole")
	case !whole && p.Lines == nil:
		err = errors.New("it is one of whole files, and the options do not say Whole")
	case p.Lines != nil && (p.Lines.Offset < 0 || p.Lines.Line < 0 || p.Lines.Generation < 0):
		err = errors.New("it has a negative number")
	}
	if err != nil {
		return position{}, fmt.Errorf("stored position %.200q cannot be read: %w", b, err)
	}
	return p, nil
}

// digest returns 16 hexadecimal digits, or none for nothing.
func digest(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
