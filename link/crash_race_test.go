//go:build race

package link_test

// crashRaced says that the race detector is on, which makes the crash test many
// times slower.
const crashRaced = true
