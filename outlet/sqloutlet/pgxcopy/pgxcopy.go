// Package pgxcopy writes rows to PostgreSQL by COPY, for programs whose *sql.DB was
// opened with pgx.
//
//	sqloutlet.New(db, "quotes", &sqloutlet.Options{Copy: pgxcopy.Copy})
//
// It is a package of its own, so that only programs that use it link pgx.
package pgxcopy

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Copy writes rows to a table, a name or schema.name, within the transaction of conn,
// if there is one. It is for [github.com/databay-go/databay/outlet/sqloutlet.Options].
// COPY knows the types of the columns and converts less than INSERT does: a text does
// not become a number.
func Copy(ctx context.Context, conn *sql.Conn, table string, columns []string, rows [][]any) error {
	return conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("pgxcopy: the connection is a %T, want one of pgx", driverConn)
		}
		_, err := c.Conn().CopyFrom(ctx, pgx.Identifier(strings.Split(table, ".")), columns, pgx.CopyFromRows(rows))
		return err
	})
}
