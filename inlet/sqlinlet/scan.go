package sqlinlet

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databay-go/databay/internal/sqldb"
)

// scanner scans rows, whose last columns are their place.
type scanner struct {
	rows    *sql.Rows
	dialect sqldb.Dialect
	names   []string // of the columns of the place
	columns []string // of the payload
	types   []string // of all columns
	raw     []any    // the values of the place
}

func newScanner(rows *sql.Rows, q *query) (*scanner, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	s := &scanner{rows: rows, dialect: q.dialect, names: q.names, raw: make([]any, len(q.names))}
	for i, t := range types {
		s.types = append(s.types, t.DatabaseTypeName())
		if i < len(types)-len(q.names) {
			s.columns = append(s.columns, t.Name())
		}
	}
	return s, nil
}

// row returns the payload and the place of the row at hand. An error names the place
// as far as it is known.
func (s *scanner) row(decode Decoder) (payload any, at []value, err error) {
	payload, err = decodeSafely(decode, s.columns, s.scan)
	if err != nil {
		if at, wrong := s.placeAlone(); wrong == nil {
			err = fmt.Errorf("the row with %s: %w", describe(s.names, at), err)
		}
		return nil, nil, err
	}
	at, err = s.values()
	return payload, at, err
}

// scan scans the columns of the payload into dest, and the others for the place.
func (s *scanner) scan(dest ...any) error {
	if len(dest) != len(s.columns) {
		return fmt.Errorf("%d destinations for %d columns", len(dest), len(s.columns))
	}
	all := append(dest[:len(dest):len(dest)], s.destinations()...)
	if err := s.rows.Scan(all...); err != nil {
		return err
	}
	if s.dialect != sqldb.MariaDB {
		return nil
	}
	for i, d := range dest { // its driver gives texts as bytes
		if p, ok := d.(*any); ok {
			if b, ok := (*p).([]byte); ok && !isBinary(s.types[i]) {
				*p = string(b)
			}
		}
	}
	return nil
}

func (s *scanner) destinations() []any {
	dest := make([]any, len(s.raw))
	for i := range s.raw {
		s.raw[i] = nil
		dest[i] = &s.raw[i]
	}
	return dest
}

// placeAlone returns the place of the row at hand, whatever its other columns have.
func (s *scanner) placeAlone() ([]value, error) {
	dest := make([]any, len(s.columns), len(s.types))
	for i := range dest {
		dest[i] = new(sql.RawBytes)
	}
	if err := s.rows.Scan(append(dest, s.destinations()...)...); err != nil {
		return nil, err
	}
	return s.values()
}

// values returns what was scanned last as a place.
func (s *scanner) values() ([]value, error) {
	at := make([]value, len(s.raw))
	for i, v := range s.raw {
		var err error
		if s.dialect == sqldb.MariaDB {
			err = steady(v)
		}
		if err == nil {
			at[i], err = valueOf(v, s.types[len(s.columns)+i])
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", s.names[i], err)
		}
	}
	return at, nil
}

// steady returns an error if v is a time on a clock that is put forward and back.
// MariaDB has times without a zone, of which such a clock lacks some.
func steady(v any) error {
	t, ok := v.(time.Time)
	if !ok {
		return nil
	}
	_, winter := time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, t.Location()).Zone()
	_, summer := time.Date(t.Year(), time.July, 1, 0, 0, 0, 0, t.Location()).Zone()
	if winter == summer {
		return nil
	}
	return fmt.Errorf("the driver gives times in %v, where clocks are put forward and back: want loc=UTC in the data source name", t.Location())
}

// describe returns a place as text.
func describe(names []string, at []value) string {
	parts := make([]string, len(at))
	for i, v := range at {
		parts[i] = fmt.Sprintf("%s = %s", names[i], v)
	}
	return strings.Join(parts, ", ")
}

// decodeSafely decodes. A panic is an error.
func decodeSafely(decode Decoder, columns []string, scan func(dest ...any) error) (payload any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the Decode panicked: %v", p)
		}
	}()
	scanned := false
	payload, err = decode(columns, func(dest ...any) error {
		scanned = true
		return scan(dest...)
	})
	switch {
	case err != nil:
	case !scanned:
		err = errors.New("the Decode did not call scan")
	case payload == nil:
		err = errors.New("the Decode returned nil, want a payload")
	}
	return payload, err
}
