package sqloutlet_test

import (
	"context"
	"database/sql/driver"
)

// lossyConnector opens connections that lose the answer of every third COMMIT, every
// other time without having done it.
type lossyConnector struct {
	driver  driver.Driver
	dsn     string
	commits int
	lost    int
}

func (c *lossyConnector) Driver() driver.Driver { return c.driver }

func (c *lossyConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &lossyConn{conn, c}, nil
}

type lossyConn struct {
	driver.Conn
	c *lossyConnector
}

func (l *lossyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return l.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (l *lossyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return l.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (l *lossyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := l.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &lossyTx{tx, l.c}, nil
}

type lossyTx struct {
	driver.Tx
	c *lossyConnector
}

func (l *lossyTx) Commit() error {
	l.c.commits++ // of one goroutine, that of the lane
	if l.c.commits%3 != 0 {
		return l.Tx.Commit()
	}
	l.c.lost++
	if l.c.commits%2 == 0 {
		_ = l.Tx.Commit()
	} else {
		_ = l.Rollback()
	}
	return driver.ErrBadConn
}
