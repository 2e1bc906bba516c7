// Package appendfile is what outlets that append lines to files have in common: a
// [Set] of files that are kept open, and a [File] that takes back what was written
// of a push that failed.
//
// Nothing here is safe for concurrent use: an outlet holds its lock.
package appendfile
