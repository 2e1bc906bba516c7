package sqloutlet

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"

	"github.com/databay-go/databay/internal/sqldb"
)

// fault says what is to blame for an error of the database.
type fault uint8

const (
	ofRow       fault = iota // a row or, of errors that are not known, who knows
	ofStatement              // whatever its rows are: the table, a column, a right
	ofMoment                 // it passes: locks, the connection, the server
)

// faultOf returns what is to blame for err.
func faultOf(d sqldb.Dialect, err error) fault {
	if err == nil {
		return ofRow
	}
	var network net.Error
	for _, gone := range []error{driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, gone) {
			return ofMoment
		}
	}
	if errors.As(err, &network) {
		return ofMoment
	}
	switch d {
	case sqldb.PostgreSQL:
		if s, ok := errors.AsType[interface {
			error
			SQLState() string
		}](err); ok {
			return ofState(s.SQLState())
		}
	case sqldb.MariaDB:
		if n, ok := number(err, "Number"); ok {
			return ofMariaDB(n)
		}
	case sqldb.SQLite:
		if c, ok := errors.AsType[interface {
			error
			Code() int
		}](err); ok {
			return ofSQLite(c.Code())
		}
		if n, ok := number(err, "Code"); ok {
			return ofSQLite(n)
		}
	}
	return ofRow
}

// number returns the number in a field of an error that err is or wraps. Not all
// drivers have a method for it.
func number(err error, field string) (int, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct {
			continue
		}
		switch f := v.FieldByName(field); {
		case !f.IsValid():
		case f.CanInt():
			return int(f.Int()), true
		case f.CanUint():
			return int(f.Uint()), true
		}
	}
	return 0, false
}

// ofState judges by the SQLSTATE of PostgreSQL.
func ofState(code string) fault {
	if len(code) != 5 {
		return ofRow
	}
	if code == "42P05" { // as 26: a pooler does not keep prepared statements apart
		return ofMoment
	}
	switch code[:2] {
	case "08", "25", "26", "28", "40", "53", "55", "57", "58", "XX": // connection, transaction, prepared statement, login, rollback, resources, locks, operator, system, internal
		return ofMoment
	case "0A", "3D", "3F", "42": // not supported, no database, no schema, no table or column or right
		return ofStatement
	}
	return ofRow
}

// ofMariaDB judges by the error numbers of MariaDB and MySQL.
func ofMariaDB(n int) fault {
	moment := []int{
		1020, 1021, 1030, 1036, 1037, 1038, 1040, 1041, 1047, 1053, 1077, 1079, 1114, 1129, 1158, 1159, 1160, 1161, 1180,
		1194, 1195, 1203, 1205, 1206, 1213, 1226, 1243, 1290, 1317, 1412, 1461, 1615, 1637, 1792, 1836, 1927, 1969,
		2006, 2013, 3024, 4031,
	}
	statement := []int{1044, 1045, 1046, 1049, 1051, 1054, 1064, 1103, 1110, 1136, 1142, 1143, 1146, 1227, 1288, 1356, 1364}
	switch {
	case slices.Contains(moment, n):
		return ofMoment
	case slices.Contains(statement, n):
		return ofStatement
	}
	return ofRow
}

// ofSQLite judges by the result codes of SQLite.
func ofSQLite(code int) fault {
	switch code & 0xff {
	case 18, 19, 20: // too big, constraint, mismatch
		return ofRow
	case 1, 25: // no such table or column, and what has no code of its own
		return ofStatement
	}
	return ofMoment // busy, locked, full, input or output, …
}
