package testkit

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/databay-go/databay/record"
)

// overwritten is the payload that the suite leaves in slices that it has given or
// got and that the other side may no longer look at.
type overwritten struct{}

// overwrite leaves its mark in all of a slice, the unused capacity too.
func overwrite(records []record.Record) {
	records = records[:cap(records)]
	for i := range records {
		records[i] = record.New(overwritten{})
	}
}

func isOverwritten(r record.Record) bool { return r.Payload == any(overwritten{}) }

// foreign is a payload that no node knows or can encode.
type foreign struct{ C chan struct{} }

// same reports whether two payloads are equal, NaNs too.
func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b)
}

// tallied counts payloads without comparing each with each, if it can.
type tallied struct {
	records []record.Record
	texts   map[string]int
}

func tally(records []record.Record) tallied {
	t := tallied{records, make(map[string]int)}
	for _, r := range records {
		t.texts[fmt.Sprintf("%#v", r.Payload)]++
	}
	return t
}

func (t tallied) count(payload any) int {
	if n := t.texts[fmt.Sprintf("%#v", payload)]; n > 0 {
		return n
	}
	return count(t.records, payload)
}

// show is a payload in a failure text.
func show(p any) string {
	s := fmt.Sprintf("%+v", p)
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return fmt.Sprintf("%s (%T)", s, p)
}

func payloads(records []record.Record) string {
	const shown = 12
	var parts []string
	for i, r := range records {
		if i == shown {
			parts = append(parts, fmt.Sprintf("… %d in all", len(records)))
			break
		}
		parts = append(parts, fmt.Sprintf("%+v", r.Payload))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// firstDifference compares payloads up to the end of the shorter list.
func firstDifference(got, want []record.Record) error {
	for i := range min(len(got), len(want)) {
		if !same(got[i].Payload, want[i].Payload) {
			return fmt.Errorf("record %d is %s, want %s; all are %s, want %s",
				i, show(got[i].Payload), show(want[i].Payload), payloads(got), payloads(want))
		}
	}
	return nil
}

// snapshot is a copy of what records were at a moment. Payloads that cannot be
// copied are not compared.
type snapshot struct {
	records []record.Record
	copied  []bool
}

func snap(records []record.Record) snapshot {
	var (
		copier record.Copier
		s      snapshot
	)
	for _, r := range records {
		p, err := copier.Payload(r.Payload)
		if err == nil {
			r = r.With(p)
		}
		s.records = append(s.records, r)
		s.copied = append(s.copied, err == nil)
	}
	return s
}

// changed says how records differ from the snapshot of them.
func (s snapshot) changed(now []record.Record) error {
	for i, was := range s.records {
		is := now[i]
		if s.copied[i] && !same(is.Payload, was.Payload) {
			return fmt.Errorf("the payload of record %d was %s and is now %s", i, show(was.Payload), show(is.Payload))
		}
		if is.ID() != was.ID() {
			return fmt.Errorf("the ID of record %d was %q and is now %q", i, was.ID(), is.ID())
		}
		if is.Metadata.String() != was.Metadata.String() {
			return fmt.Errorf("the metadata of record %d was %v and is now %v", i, was.Metadata, is.Metadata)
		}
	}
	return nil
}

// address returns where the memory behind a payload is, if it can be changed
// through it.
func address(p any) (where uintptr, ok bool) {
	v := reflect.ValueOf(p)
	switch v.Kind() {
	case reflect.Map:
		return v.Pointer(), !v.IsNil()
	case reflect.Slice:
		return v.Pointer(), v.Len() > 0 && v.Type().Elem().Size() > 0
	case reflect.Pointer:
		return v.Pointer(), !v.IsNil() && v.Type().Elem().Size() > 0
	}
	return 0, false
}

// count returns how many of records have the payload.
func count(records []record.Record, payload any) int {
	n := 0
	for _, r := range records {
		if same(r.Payload, payload) {
			n++
		}
	}
	return n
}

// identical reports whether a and b are the same record, whatever has become of
// what is behind their payload.
func identical(a, b record.Record) bool {
	if a.ID() != b.ID() || a.Metadata.String() != b.Metadata.String() {
		return false
	}
	where, ok := address(b.Payload)
	if !ok {
		return same(a.Payload, b.Payload)
	}
	is, _ := address(a.Payload)
	return is == where
}
