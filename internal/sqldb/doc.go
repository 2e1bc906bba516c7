// Package sqldb is what sqlinlet and sqloutlet share: how dialects of SQL differ,
// and which fields of a struct are columns.
package sqldb
