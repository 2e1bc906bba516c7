package pgxcopy_test

import (
	"database/sql"
	"log"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/databay-go/databay/outlet/sqloutlet"
	"github.com/databay-go/databay/outlet/sqloutlet/pgxcopy"
)

// The outlet writes by COPY, and by INSERT what COPY refuses.
func ExampleCopy() {
	db, err := sql.Open("pgx", "postgres://localhost/shop")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	quotes := sqloutlet.New(db, "quotes", &sqloutlet.Options{Copy: pgxcopy.Copy})
	_ = quotes // an outlet of a link
}
