//go:build !linux

package main

import "time"

// cpuTime returns 0: the CPU time is measured on Linux only.
func cpuTime() time.Duration { return 0 }

// peakRSS returns 0: the memory is measured on Linux only.
func peakRSS() int64 { return 0 }
