package link_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/record"
)

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &feed{name: "in", script: func(context.Context, int) ([]record.Record, error) {
			time.Sleep(time.Second)
			return of(1, 2, 3), nil
		}}
		out := &taker{name: "out", script: func(_ context.Context, n int, _ []record.Record) error {
			time.Sleep(time.Second)
			return nil
		}}
		var reports []link.Report
		l := started(t, link.Config{
			Name: "l", Tags: []string{"a", "b"}, Inlets: inlets(in), Outlets: outlets(out),
			Processors: []record.Processor{record.Filter(func(n int) bool { return n > 1 }), record.FlatMap(func(n int) ([]int, error) { return []int{n, n}, nil })},
			OnReport:   func(_ context.Context, r link.Report) { reports = append(reports, r) },
		})
		began := time.Now()
		due := began.Add(-time.Minute)
		r, err := l.Transfer(t.Context(), link.Tick{Due: due, Reason: record.Scheduled})
		require.NoError(t, err)
		assert.Equal(t, []link.Report{r}, reports, "it is made when the transfer is settled")
		assert.True(t, due.Equal(r.Due))
		r.Due = time.Time{}
		assert.Equal(t, link.Report{
			Link: "l", Tags: []string{"a", "b"}, Number: 0, Reason: record.Scheduled, Began: began, Took: 2 * time.Second, Outcome: link.Ran,
			Account: link.Account{
				Pulled: 3, Filtered: 1, Produced: 2, Handed: 4,
				Lanes: []link.LaneAccount{{Name: "out", Offered: 4, Delivered: 4}},
			},
		}, r)
	})
}

// Reports that somebody keeps do not change when the link goes on, whether the next
// transfers do the same, something else, or are not made.
func TestReportsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := []int{1, 1, 1, 2, 0, 1, 3, 3}
		in := &feed{name: "in", script: func(_ context.Context, n int) ([]record.Record, error) {
			return of(make([]any, counts[n-1])...), nil
		}}
		l := started(t, link.Config{Name: "l", Inlets: inlets(in), Outlets: outlets(&taker{name: "out"})})
		start := time.Now()
		var reports []link.Report
		for i := range counts {
			time.Sleep(time.Second)
			r, err := l.Transfer(t.Context(), link.Tick{Due: time.Now(), Reason: record.Scheduled})
			require.NoError(t, err)
			reports = append(reports, r)
			if i%3 > 0 {
				continue
			}
			r, err = l.Transfer(t.Context(), link.Tick{Due: start, Reason: record.Scheduled})
			require.NoError(t, err)
			assert.Equal(t, link.Coalesced, r.Outcome)
			assert.Equal(t, link.Account{}, r.Account, "transfer %d", i)
		}
		for i, n := range counts {
			n := int64(n)
			assert.Equal(t, link.Account{Pulled: n, Handed: n, Lanes: []link.LaneAccount{{Name: "out", Offered: n, Delivered: n}}}, reports[i].Account, "transfer %d", i)
			assert.Equal(t, int64(i), reports[i].Number)
		}
	})
}

// Reports are made once for every transfer, in order and one at a time; their
// changes add up to the account.
func TestReportsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside, most atomic.Int64
		var mu sync.Mutex
		var reports []link.Report
		h := new(host)
		flaky := &taker{name: "flaky", script: func(_ context.Context, n int, r []record.Record) error {
			time.Sleep(70 * time.Millisecond)
			if n%3 != 0 {
				return &record.Partial{Failed: map[int]error{len(r) - 1: errDown}}
			}
			return nil
		}}
		l, err := link.New(link.Config{
			Inlets:     inlets(counting("n", 5, 200), &feed{name: "bad", script: func(_ context.Context, n int) ([]record.Record, error) { return nil, []error{nil, errDown}[n%2] }}),
			Processors: []record.Processor{record.Filter(func(n int) bool { return n%10 != 0 }), &keeper{name: "k", size: 3, key: func(n any) any { return n.(int) % 4 }}},
			Groupers:   []record.Grouper{record.Chunk(2)},
			Lanes: []link.Lane{
				{Outlet: &taker{name: "fast"}},
				{Outlet: flaky, Processors: []record.Processor{&keeper{name: "k", size: 2}}},
				{Outlet: &taker{name: "slower", script: slow(90 * time.Millisecond)}, Processors: []record.Processor{record.FlatMap(func(n int) ([]int, error) { return []int{n, n}, nil })}},
			},
			OnReport: func(_ context.Context, r link.Report) {
				most.Store(max(most.Load(), inside.Add(1)))
				defer inside.Add(-1)
				time.Sleep(30 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				reports = append(reports, r)
			},
		})
		require.NoError(t, err)
		require.NoError(t, l.Attach(h, new(link.Nodes)))
		require.NoError(t, l.Start(t.Context()))
		for i := range 60 {
			go l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
			time.Sleep(time.Duration(i%7) * 20 * time.Millisecond)
			assert.NoError(t, l.Account().Balance())
		}
		time.Sleep(time.Minute)
		r, _ := shut(t, l)
		synctest.Wait()
		require.Len(t, reports, 61)
		var sum link.Account
		for i, r := range reports {
			assert.Equal(t, int64(i), r.Number)
			assert.NoError(t, r.Balance())
			sum = sum.Add(r.Account)
		}
		assert.Equal(t, r, reports[60], "that of Shutdown is the last")
		assert.Equal(t, l.Account(), sum)
		assert.Equal(t, reports, h.reports)
		assert.Equal(t, int64(1), most.Load())
		assert.Equal(t, int64(200), sum.Pulled)
		assert.Equal(t, int64(180), sum.Lanes[0].Delivered)
		assert.Equal(t, int64(360), sum.Lanes[2].Delivered)
	})
}

// A report is made when no lane is working any more, at the latest at the next
// hand-over; what a lane does later is in a later one.
func TestReportsAreMadeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		type made struct {
			at        time.Duration
			number    int64
			delivered string
		}
		var reports []made
		l := started(t, link.Config{
			Inlets: inlets(counting("n", 1, 100)), Outlets: outlets(&taker{name: "fast", script: slow(100 * time.Millisecond)}, &taker{name: "slower", script: slow(1500 * time.Millisecond)}),
			OnReport: func(_ context.Context, r link.Report) {
				reports = append(reports, made{time.Since(start), r.Number, fmt.Sprint(r.Lanes[0].Delivered, r.Lanes[1].Delivered)})
			},
		})
		for range 3 {
			go l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
			time.Sleep(time.Second)
		}
		time.Sleep(7 * time.Second)
		go l.Transfer(t.Context(), link.Tick{Reason: record.Forced})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, []made{
			{1000 * time.Millisecond, 0, "1 0"},
			{2000 * time.Millisecond, 1, "1 1"},
			{4500 * time.Millisecond, 2, "1 2"},
			{11500 * time.Millisecond, 3, "1 1"},
		}, reports)
	})
}

func TestAccountString(t *testing.T) {
	lane := func(name string, offered, filtered, pending, delivered int64) link.LaneAccount {
		return link.LaneAccount{Name: name, Offered: offered, Filtered: filtered, Pending: pending, Delivered: delivered}
	}
	tests := map[string]link.Account{
		"pulled 0 filtered 0 held 0 pending 0 delivered 0 dropped 0 balanced":             {},
		"pulled 5 filtered 1 held 0 pending 0 delivered 4 dropped 0 balanced":             {Pulled: 5, Filtered: 1, Handed: 4, Lanes: []link.LaneAccount{lane("a", 4, 0, 0, 4)}},
		"pulled 5 filtered 1 held 0 pending 0 delivered 4 dropped 0 NOT BALANCED":         {Pulled: 5, Handed: 4, Filtered: 1, Lanes: []link.LaneAccount{lane("a", 5, 0, 0, 4)}},
		"pulled 9 filtered 4 held 0 pending 0 delivered 5 dropped 0 balanced":             {Pulled: 9, Filtered: 4, Handed: 5, Lanes: []link.LaneAccount{lane("a", 5, 0, 0, 5), lane("b", 5, 0, 0, 5)}},
		"pulled 5 filtered a=1 b=2 held 0 pending a=1 b=0 delivered 3 dropped 0 balanced": {Pulled: 5, Handed: 5, Lanes: []link.LaneAccount{lane("a", 5, 1, 1, 3), lane("b", 5, 2, 0, 3)}},
		"pulled 5 produced 2 filtered 1 failed 1 held 3 pending 0 delivered 0 dropped 0 abandoned 2 lost 1 balanced": {
			Pulled: 5, Produced: 2, Filtered: 1, Failed: 1, Held: 3, Abandoned: 2, Lost: 1, Lanes: []link.LaneAccount{lane("a", 0, 0, 0, 0)},
		},
		"pulled 5 filtered 0 held 0 pending 0 delivered 0 dropped a=5 b=0 abandoned a=0 b=5 lost a=0 b=5 balanced": {
			Pulled: 5, Handed: 5, Lanes: []link.LaneAccount{{Name: "a", Offered: 5, Dropped: 5}, {Name: "b", Offered: 5, Abandoned: 5, Lost: 5}},
		},
	}
	for want, a := range tests {
		assert.Equal(t, want, a.String())
	}
}

func TestAccountBalance(t *testing.T) {
	a := link.Account{Pulled: 5, Produced: 3, Filtered: 2, Held: 1, Failed: 1, Abandoned: 1, Handed: 3, Lanes: []link.LaneAccount{
		{Name: "a", Offered: 3, Produced: 5, Filtered: 1, Held: 1, Pending: 1, Delivered: 2, Dropped: 1, Abandoned: 2},
	}}
	require.NoError(t, a.Balance())
	a.Handed++
	a.Lanes[0].Delivered++
	err := a.Balance()
	require.ErrorIs(t, err, link.ErrUnbalanced)
	assert.ErrorContains(t, err, "pulled 5 + produced 3")
	assert.ErrorContains(t, err, "lane a")
}

func TestAccountAdd(t *testing.T) {
	a := link.Account{Pulled: 1, Lanes: []link.LaneAccount{{Name: "a", Offered: 1}, {Name: "b", Offered: 2}}}
	b := link.Account{Pulled: 2, Produced: 3, Filtered: 4, Held: 5, Failed: 6, Handed: 7, Abandoned: 8, Lost: 9, Lanes: []link.LaneAccount{
		{Name: "b", Offered: 1, Produced: 2, Filtered: 3, Held: 4, Pending: 5, Delivered: 6, Dropped: 7, Abandoned: 8, Lost: 9}, {Name: "c", Offered: 4},
	}}
	assert.Equal(t, link.Account{Pulled: 3, Produced: 3, Filtered: 4, Held: 5, Failed: 6, Handed: 7, Abandoned: 8, Lost: 9, Lanes: []link.LaneAccount{
		{Name: "a", Offered: 1}, {Name: "b", Offered: 3, Produced: 2, Filtered: 3, Held: 4, Pending: 5, Delivered: 6, Dropped: 7, Abandoned: 8, Lost: 9}, {Name: "c", Offered: 4},
	}}, a.Add(b))
	assert.Equal(t, int64(2), a.Lanes[1].Offered, "neither is changed")
}

func TestOutcomeString(t *testing.T) {
	for o, want := range map[link.Outcome]string{
		link.Running: "running", link.Ran: "ran", link.Failed: "failed", link.Blocked: "blocked",
		link.Coalesced: "coalesced", link.Interrupted: "interrupted", 77: "Outcome(77)",
	} {
		assert.Equal(t, want, o.String())
	}
}

// What is lost of what was abandoned is that of the link, also if another link of the
// same host, with an outlet of the same name, has abandoned as much just before.
func TestReportLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := new(link.Nodes)
		var links []*link.Link
		for i, in := range inlets(&pump{life: life{name: "once"}, onPull: func(context.Context, record.Update) ([]record.Record, error) { return of(1), nil }},
			&tape{pump: pump{life: life{name: "again"}}, values: []any{1}, per: 1}) {
			l, err := link.New(link.Config{
				Name: fmt.Sprint(i), Inlets: inlets(in),
				Outlets: outlets(&tank{life: life{name: "out"}, onPush: func(context.Context, []record.Record, record.Update) error { return errDown }}),
			})
			require.NoError(t, err)
			require.NoError(t, l.Attach(new(host), nodes))
			require.NoError(t, l.Start(t.Context()))
			_, err = l.Transfer(t.Context(), link.Tick{})
			require.Error(t, err)
			links = append(links, l)
		}
		for i, lost := range []int64{1, 0} {
			report, err := links[i].Shutdown(t.Context())
			require.Error(t, err)
			assert.Equal(t, []link.LaneAccount{{Name: "out", Pending: -1, Abandoned: 1, Lost: lost}}, report.Lanes)
		}
	})
}
