package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // a driver
	_ "modernc.org/sqlite"             // a driver

	"github.com/databay-go/databay/inlet/sqlinlet"
	"github.com/databay-go/databay/internal/testserver"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/outlet/sqloutlet/pgxcopy"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/state/sqlstate"
)

// database is one that rows are moved in, from the table source to the table sink.
type database struct {
	name    string
	driver  string
	dialect sqlstate.Dialect
	id      string                                         // the type of IDs
	server  func(*testserver.Program) *testserver.Database // nil: there is none
}

func sqlite() database {
	return database{name: "sqlite", driver: "sqlite", dialect: sqlstate.SQLite, id: "TEXT"}
}

func postgres() database {
	return database{"postgres", "pgx", sqlstate.PostgreSQL, "VARCHAR(100)", func(p *testserver.Program) *testserver.Database { return testserver.NewPostgres(p) }}
}

func mariaDB() database {
	return database{"mariadb", "mysql", sqlstate.MariaDB, "VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin", func(p *testserver.Program) *testserver.Database { return testserver.NewMariaDB(p) }}
}

// weight is less where every kill takes longer.
func (d database) weight() int {
	if d.server != nil {
		return 2
	}
	return 3
}

// open opens the database of the place.
func (d database) open(at place) (*sql.DB, error) {
	if d.server != nil {
		if err := mysql.SetLogger(new(mysql.NopLogger)); err != nil { // it tells of connections that break
			return nil, err
		}
		return sql.Open(d.driver, at.server)
	}
	file := filepath.Join(at.folder, "rows.db")
	return sql.Open(d.driver, "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_txlock=immediate")
}

func (d database) use(at place, f func(db *sql.DB) error) error {
	db, err := d.open(at)
	if err != nil {
		return err
	}
	return errors.Join(f(db), db.Close())
}

// prepare makes the tables and, where there is a server, starts it. Its fault is that
// it is killed and started again.
func (d database) prepare(ctx context.Context, p *testserver.Program, at *place) error {
	if d.server != nil {
		var server *testserver.Database
		if err := missing(p.Do(func() {
			server = d.server(p)
			server.Start(p)
		})); err != nil {
			return err
		}
		at.server = server.DSN
		at.fault = &fault{
			begin: func() error { server.Kill(); return nil },
			end:   func() error { return p.Do(func() { server.Start(p) }) },
			says:  regexp.MustCompile(`connection re(fused|set)|EOF|bad connection|invalid connection|broken pipe|terminating connection|starting up|in recovery mode`),
		}
	}
	return d.use(*at, func(db *sql.DB) error {
		for _, text := range []string{
			"CREATE TABLE source (n BIGINT PRIMARY KEY, text VARCHAR(100))",
			"CREATE TABLE sink (n BIGINT, text VARCHAR(100), id " + d.id + " UNIQUE)",
		} {
			if _, err := db.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// grow adds rows to the table source.
func (d database) grow(ctx context.Context, at place, from, until int64) error {
	var values []string
	for n := from; n <= until; n++ {
		values = append(values, fmt.Sprintf("(%d, '%s')", n, newRow(n).Text))
	}
	return d.use(at, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "INSERT INTO source VALUES "+strings.Join(values, ", "))
		return err
	})
}

// readSink reads the table sink.
func (s *snapshot) readSink(ctx context.Context, db *sql.DB) (err error) {
	rows, err := db.QueryContext(ctx, "SELECT n, text FROM sink")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.N, &r.Text); err != nil {
			return err
		}
		if err := s.count(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// inlet reads the table source.
func (d database) inlet(db *sql.DB) *sqlinlet.Inlet {
	return sqlinlet.New(db, "source", "n", &sqlinlet.Options{Limit: 7, Lag: -1, Decode: sqlinlet.Struct[row]()})
}

// once moves rows with the position in the same transaction. If held, a buffer holds
// rows back, so that only some transactions can have a position: then delivery is at
// least once.
func (d database) once(held bool) scenario {
	name := "table-" + d.name + "-once"
	if held {
		name = "table-" + d.name + "-held"
	}
	return scenario{
		name:       name,
		steps:      []string{beforePull, pulled, beforePush, writing, pushed, beforePut, put},
		idempotent: !held,
		weight:     d.weight(),
		prepare:    d.prepare,
		grow:       d.grow,
		open: func(_ context.Context, at place, _ int64, h *halt) (pipeline, error) {
			db, err := d.open(at)
			if err != nil {
				return pipeline{}, err
			}
			store := sqlstate.New(db, d.dialect, &sqlstate.Options{Create: true})
			s := haltingSQL{haltingStore{store, h}, store}
			o := &sqloutlet.Options{State: s, Columns: []string{"n", "text"}, Batch: 3}
			if d.driver == "pgx" {
				o.Copy = pgxcopy.Copy
			}
			p := pipeline{inlet: d.inlet(db), processors: []record.Processor{toSink(h)}, lane: link.Lane{Outlet: sqloutlet.New(db, "sink", o)}, store: s, idle: 2, close: db.Close}
			if held {
				p.processors = append(p.processors, hold())
			}
			return p, nil
		},
		read: func(ctx context.Context, at place, now *snapshot) error {
			return d.use(at, func(db *sql.DB) error {
				return errors.Join(now.commits(ctx, sqlstate.New(db, d.dialect, &sqlstate.Options{Create: true})), now.readSink(ctx, db))
			})
		},
	}
}

// byID moves rows through a buffer with their IDs, and the position in a file.
func (d database) byID() scenario {
	return scenario{
		name:       "table-" + d.name + "-by-id",
		steps:      []string{beforePull, pulled, beforePush, writing, pushed, beforePut, put},
		idempotent: true,
		weight:     d.weight(),
		prepare:    d.prepare,
		grow:       d.grow,
		open: func(_ context.Context, at place, _ int64, h *halt) (pipeline, error) {
			db, err := d.open(at)
			if err != nil {
				return pipeline{}, err
			}
			p, err := d.sinkByID(at, db, h)
			p.inlet, p.idle = d.inlet(db), 2
			return p, err
		},
		read: d.readByID,
	}
}

// sinkByID returns a pipeline that lacks an inlet.
func (d database) sinkByID(at place, db *sql.DB, h *halt) (pipeline, error) {
	store, err := openBolt(at)
	return pipeline{
		processors: []record.Processor{toSink(h), hold()},
		lane:       link.Lane{Outlet: sqloutlet.New(db, "sink", &sqloutlet.Options{IDColumn: "id", Batch: 3})},
		store:      store,
		close:      func() error { return errors.Join(db.Close(), store.Close()) },
	}, err
}

func (d database) readByID(ctx context.Context, at place, now *snapshot) error {
	return errors.Join(now.readBolt(ctx, at), d.use(at, func(db *sql.DB) error { return now.readSink(ctx, db) }))
}

// sinkRow is a row that halts while it is being written.
type sinkRow struct {
	N    int64    `db:"n"`
	Text sinkText `db:"text"`
}

type sinkText struct {
	text string
	h    *halt
}

// Value implements driver.Valuer.
func (t sinkText) Value() (driver.Value, error) {
	t.h.reach(writing)
	return t.text, nil
}

func toSink(h *halt) record.Processor {
	return record.Map(func(r row) (sinkRow, error) { return sinkRow{r.N, sinkText{r.Text, h}}, nil })
}
