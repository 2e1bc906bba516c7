package sqloutlet

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/databay-go/databay/internal/sqldb"
	"github.com/databay-go/databay/record"
)

// plan is what a push is to write.
type plan struct {
	outlet  *Outlet
	dialect sqldb.Dialect
	tables  map[string]*table
	runs    []*run
}

// run is rows, one after the other, of one table with the same columns.
type run struct {
	table   string
	columns []string
	places  []int // of columns, in the table's
	rows    []row
	keys    map[string]bool // of the rows, where none may come twice
}

// row is a record as it is written.
type row struct {
	index  int // of the record
	values []any
}

// table is a table of which something is written.
type table struct {
	columns []string
	id      int // the place of IDColumn, or -1
	fresh   bool
	err     error // it cannot be written to
	layouts map[reflect.Type]*layout
}

// layout says which columns the fields of a struct are.
type layout struct {
	places []int   // of each column
	paths  [][]int // of each field
	err    error
}

func (o *Outlet) plan() (*plan, error) {
	d, err := o.opts.Dialect.Resolve(o.db)
	return &plan{outlet: o, dialect: d, tables: make(map[string]*table)}, err
}

// addAll plans all records. Those that cannot be written are noted as failures; an
// error means that nothing can be written at present.
func (p *plan) addAll(ctx context.Context, records []record.Record, failures *record.Failures) error {
	for i, r := range records {
		name := Table.Or(r, p.outlet.table)
		t, err := p.at(ctx, name)
		if err != nil {
			return err
		}
		refused := p.add(name, t, i, r)
		stranger, ok := errors.AsType[*strangerError](refused)
		if ok && len(p.outlet.opts.Columns) == 0 && !t.fresh { // the column may have come meanwhile
			if t, err = p.load(ctx, name); err != nil {
				return err
			}
			refused = p.add(name, t, i, r)
			stranger, ok = errors.AsType[*strangerError](refused)
		}
		if ok {
			refused = fmt.Errorf("%w: table %s is written with %s; want OtherColumns: Ignore to leave such out", stranger, name, quoted(t.written()))
		}
		failures.Add(i, record.Permanent(refused))
	}
	return nil
}

// at returns a table, as it is known.
func (p *plan) at(ctx context.Context, name string) (*table, error) {
	if t := p.tables[name]; t != nil {
		return t, nil
	}
	if err := sqldb.CheckTable(name); err != nil {
		t := &table{err: fmt.Errorf("%s %w", Table.Name(), err)}
		p.tables[name] = t
		return t, nil
	}
	o := p.outlet
	o.mu.Lock()
	columns, ok := o.known[name]
	o.mu.Unlock()
	if chosen := o.opts.chosen(); len(chosen) > 0 {
		columns, ok = chosen, true
	}
	if !ok {
		return p.load(ctx, name)
	}
	return p.keep(name, columns, false), nil
}

// load asks the database for the columns of a table.
func (p *plan) load(ctx context.Context, name string) (*table, error) {
	o := p.outlet
	wanted := "*"
	if chosen := o.opts.chosen(); len(chosen) > 0 {
		wanted = list(p.dialect, chosen)
	}
	rows, err := sqldb.Query(ctx, o.db, "SELECT "+wanted+" FROM "+p.dialect.Table(name)+" WHERE 1 = 0")
	var columns []string
	if err == nil {
		columns, err = rows.Columns()
		rows.Next()
		err = errors.Join(err, rows.Err(), rows.Close())
	}
	if err != nil {
		if ctx.Err() == nil && faultOf(p.dialect, err) == ofStatement {
			t := &table{err: fmt.Errorf("table %s: %w", name, err), fresh: true}
			p.tables[name] = t
			return t, nil
		}
		return nil, err
	}
	o.mu.Lock()
	o.known[name] = columns
	o.mu.Unlock()
	return p.keep(name, columns, true), nil
}

func (p *plan) keep(name string, columns []string, fresh bool) *table {
	t := &table{columns: columns, id: -1, fresh: fresh, layouts: make(map[reflect.Type]*layout)}
	if id := p.outlet.opts.IDColumn; id != "" {
		if t.id = slices.Index(columns, id); t.id < 0 {
			t.err = fmt.Errorf("table %s has no column %q, which is the IDColumn", name, id)
		}
	}
	p.tables[name] = t
	return t
}

// add plans a record.
func (p *plan) add(name string, t *table, index int, r record.Record) error {
	o := &p.outlet.opts
	if t.err != nil {
		return t.err
	}
	places, values, err := t.encode(r.Payload, o.OtherColumns)
	if err != nil {
		return err
	}
	if t.id >= 0 {
		if r.ID() == "" {
			return fmt.Errorf("the record has no ID for the column %q, want an inlet that gives IDs", o.IDColumn)
		}
		places, values = append(places[:len(places):len(places)], t.id), append(values, r.ID())
	}
	if len(places) == 0 {
		return errors.New("the payload has no columns")
	}
	var keys []any
	for _, k := range o.Key {
		_, at := sqldb.Find(k, len(places), func(i int) string { return t.columns[places[i]] })
		if at < 0 {
			return fmt.Errorf("the payload has no column %q, which is one of Key", k)
		}
		keys = append(keys, values[at])
	}
	key := keyOf(keys)
	var last *run
	if n := len(p.runs); n > 0 {
		last = p.runs[n-1]
	}
	alone := o.Mode == Upsert && p.dialect == sqldb.PostgreSQL // a statement updates no row twice
	if last == nil || last.table != name || !slices.Equal(last.places, places) || alone && last.keys[key] {
		last = &run{table: name, places: places}
		for _, at := range places {
			last.columns = append(last.columns, t.columns[at])
		}
		if alone {
			last.keys = make(map[string]bool)
		}
		p.runs = append(p.runs, last)
	}
	if alone {
		last.keys[key] = true
	}
	last.rows = append(last.rows, row{index, values})
	return nil
}

// written returns the columns that records fill.
func (t *table) written() []string {
	if t.id < 0 {
		return t.columns
	}
	return slices.Delete(slices.Clone(t.columns), t.id, t.id+1)
}

// place returns which column a name means, or -1.
func (t *table) place(name string) int {
	if name == "" {
		return -1
	}
	_, at := sqldb.Find(name, len(t.columns), func(i int) string {
		if i == t.id {
			return ""
		}
		return t.columns[i]
	})
	return at
}

// list returns columns, quoted, with commas in between.
func list(d sqldb.Dialect, columns []string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = d.Quote(c)
	}
	return strings.Join(parts, ", ")
}

// quoted returns names for people.
func quoted(names []string) string {
	const shown = 20
	more := ""
	if len(names) > shown {
		more = fmt.Sprintf(" and %d more", len(names)-shown)
		names = names[:shown]
	}
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = fmt.Sprintf("%.100q", n)
	}
	return strings.Join(parts, ", ") + more
}
