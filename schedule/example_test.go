package schedule_test

import (
	"fmt"
	"time"

	"github.com/databay-go/databay/schedule"
)

func ExampleEvery() {
	start := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	every := schedule.Every(20*time.Second).(schedule.Binder).Bind("todos", start) // a planner does

	next := start
	for range 3 {
		next = every.Next(next)
		fmt.Println(next.Format(time.TimeOnly))
	}
	late := start.Add(65 * time.Second)
	fmt.Println("late:", every.Next(late).Format(time.TimeOnly))
	// Output:
	// 09:00:20
	// 09:00:40
	// 09:01:00
	// late: 09:01:20
}

func ExampleCounter() {
	start := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	every := schedule.Every(20*time.Second).(schedule.Binder).Bind("todos", start)
	fmt.Println(every.(schedule.Counter).Count(start, start.Add(time.Hour)), "in an hour")
	// Output: 180 in an hour
}

func ExampleValidator() {
	fmt.Println(schedule.Every(0).(schedule.Validator).Validate())
	// Output: schedule.Every: interval is 0s, want more than 0
}

// office is a Schedule of one's own: every hour from 9 to 17.
type office struct{}

func (office) Next(after time.Time) time.Time {
	next := after.Truncate(time.Hour).Add(time.Hour)
	for next.Hour() < 9 || next.Hour() > 17 {
		next = next.Add(time.Hour)
	}
	return next
}

func ExampleSchedule() {
	var s schedule.Schedule = office{}
	fmt.Println(s.Next(time.Date(2026, 1, 1, 16, 30, 0, 0, time.UTC)))
	fmt.Println(s.Next(time.Date(2026, 1, 1, 17, 0, 0, 0, time.UTC)))
	// Output:
	// 2026-01-01 17:00:00 +0000 UTC
	// 2026-01-02 09:00:00 +0000 UTC
}
