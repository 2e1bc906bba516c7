// Sqlcopy copies what is new in a table of one SQLite file to another file, again and
// again, and can be killed at any moment. Make some orders, kill the copy as often as
// you like, let it end, and see that every order was copied once:
//
//	go build -o sqlcopy ./examples/sqlcopy
//	./sqlcopy -fill 100000 source.db
//	./sqlcopy source.db target.db & sleep 0.5; kill -9 $!
//	./sqlcopy source.db target.db & sleep 0.5; kill -9 $!
//	./sqlcopy -once source.db target.db
//	./sqlcopy -compare source.db target.db
//
// The last one prints
//
//	orders 100000 copied 100000 missing 0 twice 0
//
// The target's table has no key that could refuse a row for the second time: rows and
// position are written in one transaction.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"os/signal"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/sqlinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/state/sqlstate"
)

// Order is a row.
type Order struct {
	ID       int64  `db:"id"`
	Customer string `db:"customer"`
	Cents    int64  `db:"cents"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, w io.Writer) (err error) {
	flags := flag.NewFlagSet("sqlcopy", flag.ContinueOnError)
	fill := flags.Int("fill", 0, "add so `many` orders to the source, and copy nothing")
	once := flags.Bool("once", false, "end when all is copied")
	compare := flags.Bool("compare", false, "compare the files, and copy nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	source, err := open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := createOrders(ctx, source, "id INTEGER PRIMARY KEY"); err != nil {
		return err
	}
	if *fill > 0 {
		return fillOrders(ctx, source, *fill)
	}

	target, err := open(flags.Arg(1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := createOrders(ctx, target, "id INTEGER"); err != nil {
		return err
	}
	if *compare {
		return compareOrders(ctx, source, target, w)
	}

	store := sqlstate.New(target, sqlstate.SQLite, &sqlstate.Options{Create: true})
	orders, err := link.New(link.Config{
		Name: "orders",
		Inlets: []inlet.Inlet{sqlinlet.New(source, "orders", "id", &sqlinlet.Options{
			Decode: sqlinlet.Struct[Order](),
			Limit:  500,
			Lag:    -1, // IDs of SQLite are committed in their order
		})},
		Outlets:  []outlet.Outlet{sqloutlet.New(target, "orders", &sqloutlet.Options{State: store})},
		State:    store,
		Schedule: schedule.Every(10 * time.Millisecond),
	})
	if err != nil {
		return err
	}
	if !*once {
		return planner.Run(ctx, orders)
	}
	for {
		report, err := orders.Once(ctx)
		if err != nil || report.Lanes[0].Delivered == 0 {
			return err
		}
	}
}

// open opens a file whose writers wait for each other.
func open(file string) (*sql.DB, error) {
	if file == "" {
		return nil, errors.New("want the names of a source and, to copy, of a target")
	}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_txlock=immediate")
}

func createOrders(ctx context.Context, db *sql.DB, id string) error {
	_, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS orders ("+id+", customer TEXT NOT NULL, cents INTEGER NOT NULL)")
	return err
}

func fillOrders(ctx context.Context, db *sql.DB, n int) error {
	_, err := db.ExecContext(ctx, `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO orders (customer, cents) SELECT 'customer ' || (n % 97), n * 7 % 10007 FROM numbers`, n)
	return err
}

// compareOrders prints how many orders there are, and how many of them not once.
func compareOrders(ctx context.Context, source, target *sql.DB, w io.Writer) error {
	var orders, copied, distinct int
	if err := source.QueryRowContext(ctx, "SELECT COUNT(*) FROM orders").Scan(&orders); err != nil {
		return err
	}
	if err := target.QueryRowContext(ctx, "SELECT COUNT(*), COUNT(DISTINCT id) FROM orders").Scan(&copied, &distinct); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "orders %d copied %d missing %d twice %d\n", orders, copied, orders-distinct, copied-distinct)
	return err
}
