// Package appendfile is what outlets that append lines to files have in common: [Files]
// is what they are between Start and Shutdown, with a [Set] of files that are kept open,
// of which each [File] takes back what was written of a push that failed.
package appendfile
