package main

// order is the record of the larger workloads, as a struct and as a map.
type order struct {
	ID     int
	Name   string
	Price  float64
	Active bool
}

var names = [...]string{"anvil", "balloon", "catapult", "dynamite", "earplugs", "feather", "glue", "hammer"}

func newOrder(i int) order {
	return order{ID: i + 1000, Name: names[i%len(names)], Price: float64(i) * 1.19, Active: i%2 == 0}
}

func orderMap(i int) map[string]any {
	o := newOrder(i)
	return map[string]any{"id": o.ID, "name": o.Name, "price": o.Price, "active": o.Active}
}

func activeMap(m map[string]any) bool {
	active, _ := m["active"].(bool)
	return active
}

func activeOrder(o order) bool { return o.Active }
