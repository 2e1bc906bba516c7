package link

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stored is the value of a link in its store, a JSON object. It is written and read
// by hand: every transfer writes one, and encoding/json's decoder, which nothing else
// in the core needs, would be a thirtieth of a small program.
type stored struct {
	Link   string                 // "link"
	Writer string                 // "writer"
	Number int64                  // "number"
	Due    time.Time              // "due", Unix time in nanoseconds; may be absent
	Inlets map[string]storedInlet // "inlets"
}

type storedInlet struct {
	Type     string    // "type", of the position; may be absent
	Position []byte    // "position", base64; may be absent
	From     time.Time // "from", as "due"; may be absent
}

// decodeStored reads what [journal.encode] writes, with the members in any order, and
// with space between tokens.
func decodeStored(value []byte) (s stored, err error) {
	r := storedReader{rest: string(value)}
	r.object(func(key string) {
		switch key {
		case "link":
			s.Link = r.text()
		case "writer":
			s.Writer = r.text()
		case "number":
			s.Number = r.number()
		case "due":
			s.Due = r.time()
		case "inlets":
			s.Inlets = make(map[string]storedInlet)
			r.object(func(name string) { s.Inlets[name] = r.inlet() })
		default:
			r.fail(fmt.Errorf("member %q is not known", key))
		}
	})
	if r.space(); r.rest != "" {
		r.fail(errors.New("there is more behind the object"))
	}
	if r.err == nil && (s.Link == "" || s.Writer == "" || s.Number < 0) {
		r.fail(fmt.Errorf("link is %q, writer is %q and number is %d, want names and 0 or more", s.Link, s.Writer, s.Number))
	}
	return s, r.err
}

// storedReader reads a stored from rest. It keeps the first error, after which
// nothing that it returns means anything.
type storedReader struct {
	rest string
	err  error
}

func (r *storedReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = ""
}

func (r *storedReader) space() { r.rest = strings.TrimLeft(r.rest, " \t\r\n") }

// next reports whether token comes next, and passes it.
func (r *storedReader) next(token string) bool {
	r.space()
	rest, ok := strings.CutPrefix(r.rest, token)
	r.rest = rest
	return ok
}

func (r *storedReader) expect(token string) {
	if !r.next(token) {
		r.fail(fmt.Errorf("want %s before %.20q", token, r.rest))
	}
}

// object reads an object. The function is called for every key, and reads the value.
func (r *storedReader) object(member func(key string)) {
	r.expect("{")
	if r.next("}") {
		return
	}
	for r.err == nil {
		key := r.text()
		r.expect(":")
		if r.err == nil {
			member(key)
		}
		if !r.next(",") {
			break
		}
	}
	r.expect("}")
}

func (r *storedReader) inlet() (in storedInlet) {
	r.object(func(key string) {
		switch key {
		case "type":
			in.Type = r.text()
		case "position":
			var err error
			if in.Position, err = base64.StdEncoding.DecodeString(r.text()); err != nil {
				r.fail(fmt.Errorf("position: %w", err))
			}
		case "from":
			in.From = r.time()
		default:
			r.fail(fmt.Errorf("member %q of an inlet is not known", key))
		}
	})
	return in
}

// text reads a string as encoding/json writes it.
func (r *storedReader) text() string {
	r.space()
	quoted, err := strconv.QuotedPrefix(r.rest)
	if err != nil || quoted[0] != '"' {
		r.fail(fmt.Errorf("want a string before %.20q", r.rest))
		return ""
	}
	r.rest = r.rest[len(quoted):]
	s, err := strconv.Unquote(quoted)
	if err == nil && strings.ContainsFunc(quoted, func(c rune) bool { return c < ' ' }) {
		err = fmt.Errorf("a control character in the string %q", s)
	}
	if err != nil {
		r.fail(err)
	}
	return s
}

func (r *storedReader) number() int64 {
	r.space()
	digits := r.rest[:len(r.rest)-len(strings.TrimLeft(r.rest, "-0123456789"))]
	r.rest = r.rest[len(digits):]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err == nil && strconv.FormatInt(n, 10) != digits {
		err = fmt.Errorf("want %d for %s", n, digits)
	}
	if err != nil {
		r.fail(err)
	}
	return n
}

func (r *storedReader) time() time.Time { return time.Unix(0, r.number()) }

// quoted returns a string as JSON.
func quoted(s string) string {
	text, _ := json.Marshal(s) // of a string it cannot fail
	return string(text)
}

// encode returns the value that commits b: see [stored].
func (j *journal) encode(b *barrier) []byte {
	v := make([]byte, 0, max(128, len(j.value)+16))
	v = append(v, j.head...)
	v = strconv.AppendInt(v, b.number, 10)
	if !b.due.IsZero() {
		v = strconv.AppendInt(append(v, `,"due":`...), b.due.UnixNano(), 10)
	}
	v = append(v, `,"inlets":{`...)
	first := true
	for _, p := range b.points {
		v = p.append(v, j.kinds[p.name], &first)
	}
	if len(j.points) > len(b.points) || !b.names(j.points) { // inlets that are not there at present
		for name, p := range j.points {
			if !slices.ContainsFunc(b.points, func(p point) bool { return p.name == name }) {
				v = p.append(v, j.kinds[name], &first)
			}
		}
	}
	return append(v, `}}`...)
}

func (b *barrier) names(points map[string]point) bool {
	n := 0
	for _, p := range b.points {
		if _, ok := points[p.name]; ok {
			n++
		}
	}
	return n == len(points)
}

func (p point) append(v []byte, k kind, first *bool) []byte {
	if !*first {
		v = append(v, ',')
	}
	*first = false
	v = append(append(v, quoted(p.name)...), `:{`...)
	begin := len(v)
	if k.name != "" {
		v = append(append(append(v, `"type":`...), k.json...), ',')
	}
	if len(p.position) > 0 {
		v = append(v, `"position":"`...)
		v = base64.StdEncoding.AppendEncode(v, p.position)
		v = append(v, `",`...)
	}
	if !p.from.IsZero() {
		v = append(strconv.AppendInt(append(v, `"from":`...), p.from.UnixNano(), 10), ',')
	}
	if len(v) > begin {
		v = v[:len(v)-1] // the last comma
	}
	return append(v, '}')
}
