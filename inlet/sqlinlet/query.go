package sqlinlet

import (
	"strconv"
	"strings"

	"github.com/databay-go/databay/internal/sqldb"
)

// query makes the statements of one pull.
type query struct {
	dialect sqldb.Dialect
	places  []string // cursor and key, quoted
	names   []string // the same as they are called
	from    string   // SELECT … FROM … and a space
	newest  string   // the same of the places alone
	args    []any    // of what is selected from
}

// query validates the inlet and returns its statements.
func (in *Inlet) query() (*query, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	d, err := in.opts.Dialect.Resolve(in.db)
	if err != nil {
		return nil, err
	}
	q := &query{dialect: d, names: in.order(), args: in.opts.Args[:len(in.opts.Args):len(in.opts.Args)]}
	source := d.Table(in.table)
	if in.opts.Query != "" {
		source = "(" + in.opts.Query + "\n)" // a line of its own ends a comment
	}
	columns := []string{"q.*"}
	if len(in.opts.Columns) > 0 {
		columns = nil
		for _, c := range in.opts.Columns {
			columns = append(columns, "q."+d.Quote(c))
		}
	}
	var places []string
	for i, name := range q.names {
		place := "q." + d.Quote(name)
		q.places = append(q.places, place)
		if d == sqldb.SQLite {
			place = "+" + place // as stored: drivers make times of what is declared as such
		}
		places = append(places, place+" AS databay_"+strconv.Itoa(i))
	}
	source = " FROM " + source + " q "
	q.from = "SELECT " + strings.Join(append(columns, places...), ", ") + source
	q.newest = "SELECT " + strings.Join(places, ", ") + source
	return q, nil
}

// none returns the statement that finds nothing.
func (q *query) none() string { return q.from + "WHERE 1 = 0" }

// nulls returns the statement that finds a row without a place.
func (q *query) nulls() string {
	return q.newest + "WHERE " + strings.Join(q.places, " IS NULL OR ") + " IS NULL LIMIT 1"
}

// last returns the statement that finds the last row behind a place.
func (q *query) last(at []value) (string, []any) {
	c := q.where()
	c.behind(at)
	return q.newest + c.String() + q.orderBy(" DESC") + " LIMIT 1", c.args
}

// page returns the statement that finds the next rows behind a place, up to a value
// of the cursor.
func (q *query) page(at []value, upTo value, limit int) (string, []any) {
	c := q.where()
	c.behind(at)
	c.and(q.places[0], " <= ", upTo)
	return q.from + c.String() + q.orderBy("") + " LIMIT " + strconv.Itoa(limit), c.args
}

// same returns the statement that finds two rows at a place, as the database compares.
func (q *query) same(at []value) (string, []any) {
	c := q.where()
	for i, v := range at {
		c.and(q.places[i], " = ", v)
	}
	return q.newest + c.String() + " LIMIT 2", c.args
}

func (q *query) orderBy(direction string) string {
	return " ORDER BY " + strings.Join(q.places, direction+", ") + direction
}

// condition is a WHERE that is being written.
type condition struct {
	*query
	text []byte
	args []any
}

// where begins a condition: nulls have no place in any order.
func (q *query) where() *condition {
	text := "WHERE " + strings.Join(q.places, " IS NOT NULL AND ") + " IS NOT NULL"
	return &condition{query: q, args: q.args, text: []byte(text)}
}

func (c *condition) String() string { return string(c.text) }

func (c *condition) and(place, operator string, v value) {
	c.text = append(c.text, " AND "...)
	c.compare(place, operator, v)
}

func (c *condition) compare(place, operator string, v value) {
	c.text = append(append(c.text, place...), operator...)
	c.args = append(c.args, v.arg())
	if c.dialect == sqldb.MariaDB && v.kind == kindDecimal { // else both are compared as floats
		const mostDigits, mostScale = 65, 38
		_, fraction, _ := strings.Cut(v.text, ".")
		c.text = append(c.dialect.Append(append(c.text, "CAST("...), len(c.args)), " AS DECIMAL("+strconv.Itoa(mostDigits)+","...)
		c.text = append(strconv.AppendInt(c.text, int64(min(len(fraction), mostScale)), 10), "))"...)
		return
	}
	c.text = c.dialect.Append(c.text, len(c.args))
}

// behind adds that a row comes behind a place, written so that every database uses
// an index: a >= 1 AND (a > 1 OR (a = 1 AND (b > 2))).
func (c *condition) behind(at []value) {
	if at == nil {
		return
	}
	c.and(c.places[0], " >= ", at[0])
	c.text = append(c.text, " AND "...)
	for i, v := range at {
		c.text = append(c.text, '(')
		c.compare(c.places[i], " > ", v)
		if i < len(at)-1 {
			c.text = append(c.text, " OR ("...)
			c.compare(c.places[i], " = ", v)
			c.text = append(c.text, " AND "...)
		}
	}
	for range 2*len(at) - 1 {
		c.text = append(c.text, ')')
	}
}
