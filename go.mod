module github.com/databay-go/databay

go 1.26
