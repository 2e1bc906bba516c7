package link

import "slices"

// Busy returns the names of the nodes that are being called at this moment, "store",
// "OnError" and "OnReport" among them, and of those whose calls were given up and
// have not returned.
func (l *Link) Busy() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy()
}

func (l *Link) busy() []string {
	names := l.calls()
	for _, name := range l.handling() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// handling returns the names of the handlers that are being called. l.mu is held.
func (l *Link) handling() (names []string) {
	if l.judging {
		names = append(names, "OnError")
	}
	if l.delivering != nil {
		names = append(names, "OnReport")
	}
	return names
}

// culprit returns the name of what a transfer or a lane waits for that calls no node.
// l.mu is held.
func (l *Link) culprit() string {
	switch {
	case l.judging:
		return "OnError"
	case l.delivering != nil:
		return "OnReport"
	case l.journal != nil && l.journal.calling != "":
		return l.journal.calling
	}
	return "store"
}

// calls returns the names of the nodes that are being called. l.mu is held.
func (l *Link) calls() (names []string) {
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, z := range l.departed().zombies {
		if z.running() {
			add(z.name)
		}
	}
	if l.front != nil {
		for _, name := range l.front.calling() {
			add(name)
		}
	}
	for _, ln := range l.allLanes() {
		if !ln.dead {
			add(ln.call())
		}
	}
	for _, b := range l.letterboxes(l.allLanes()) {
		if b.calls.Load() {
			add(b.name)
		}
	}
	if l.journal != nil && l.journal.running {
		add(l.journal.calling)
	}
	return names
}
