package link_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
	"github.com/databay-go/databay/state"
)

// strange has the capabilities that its tests are about, and a mistake.
type (
	seeker    struct{ pump }
	committer struct{ pump }
	nameless  struct{ feed }
	invalid   struct {
		tank
		f func() error
	}
	shy     struct{ tank }
	wrap    struct{ outlet.Outlet } // a decorator without a Validate
	both    struct{ pump }          // an inlet, an outlet, a processor and a grouper
	single  struct{}                // without a size
	uneven  struct{ _ func() }      // cannot be compared
	ticks   map[string]time.Time
	vaulted struct {
		tank
		store any
	}
	bag struct { // a store that cannot be compared
		state.Store
		_ []int
	}
)

func (*seeker) Seek(context.Context, []byte) error      { return nil }
func (*committer) Commit(context.Context, []byte) error { return nil }
func (*nameless) String() string                        { return "" }
func (*nameless) Position() []byte                      { return nil }
func (i *invalid) Validate() error                      { return i.f() }
func (*shy) String() string                             { panic("shy") }
func (w *wrap) Unwrap() outlet.Outlet                   { return w.Outlet }
func (a *vaulted) Store() any                           { return a.store }
func (*both) Push(context.Context, []record.Record, record.Update) error {
	return nil
}
func (*both) Process(_ context.Context, r []record.Record) ([]record.Record, error) { return r, nil }
func (*both) Group(_ context.Context, b [][]record.Record) ([][]record.Record, error) {
	return b, nil
}
func (single) Pull(context.Context, record.Update) ([]record.Record, error) { return nil, nil }
func (single) Push(context.Context, []record.Record, record.Update) error   { return nil }
func (uneven) Pull(context.Context, record.Update) ([]record.Record, error) { return nil, nil }
func (uneven) Push(context.Context, []record.Record, record.Update) error   { return nil }
func (uneven) Process(_ context.Context, r []record.Record) ([]record.Record, error) {
	return r, nil
}
func (ticks) Next(time.Time) time.Time { return time.Time{} }

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	in, out, p, g := &pump{life: life{name: "in"}}, &tank{life: life{name: "out"}}, &pipe{life: life{name: "p"}}, &cutter{life: life{name: "g"}}
	all := &both{pump{life: life{name: "all"}}}
	hold := &keeper{name: "hold"}
	var noPump *pump
	var noTank *tank
	var noPipe *pipe
	var noCutter *cutter
	var noStore *state.Memory
	tests := []struct {
		name string
		c    link.Config
		want []string
		is   error
	}{
		{"nothing", link.Config{}, []string{
			"Inlets is empty, want at least one",
			"Outlets and Lanes are empty, want at least one outlet",
		}, nil},
		{"nil nodes", link.Config{
			Inlets: inlets(nil), Processors: []record.Processor{nil}, Groupers: []record.Grouper{nil},
			Outlets: outlets(nil, out), Lanes: []link.Lane{{}, {Outlet: &tank{}, Processors: []record.Processor{p, nil}}},
		}, []string{
			"Inlets[0] is nil", "Processors[0] is nil", "Groupers[0] is nil", "Outlets[0] is nil",
			"Lanes[0].Outlet is nil", "Lanes[1].Processors[1] is nil",
		}, nil},
		{"nil pointers and functions", link.Config{
			Inlets:     inlets(noPump, inlet.Func(nil)),
			Processors: []record.Processor{noPipe, record.ProcessorFunc(nil)},
			Groupers:   []record.Grouper{noCutter, record.GrouperFunc(nil)},
			Outlets:    outlets(noTank, outlet.Func(nil)),
			Schedule:   (*timetable)(nil),
			Name:       "x", State: noStore,
		}, []string{
			"Inlets[0] is nil", "Inlets[1] is nil", "Processors[0] is nil", "Processors[1] is nil", "Groupers[0] is nil", "Groupers[1] is nil",
			"Outlets[0] is nil", "Outlets[1] is nil", "Schedule is a nil *link_test.timetable", "State is a nil *state.Memory",
		}, nil},
		{"decorators of nil", link.Config{
			Inlets:  inlets(inlet.Named("a", nil), inlet.WithMetadata(noPump)),
			Outlets: outlets(outlet.Named("b", nil), outlet.ReadOnly(nil), &wrap{}, &wrap{noTank}),
		}, []string{
			"Inlets[0]: ", "Inlets[1]: ", "Outlets[0]: ", "Outlets[1]: ",
			"Outlets[2]: *link_test.wrap decorates nil", "Outlets[3]: *link_test.wrap decorates nil",
		}, nil},
		{"functions that are nil", link.Config{
			Inlets:  inlets(inlet.Of[int](nil), inlet.Each[int](nil), inlet.Since[int, int]("n", nil), counting("", 1, 1), inlet.RandomInt(2, 1)),
			Outlets: outlets(outlet.Of[int](nil), outlet.Each[int](nil)),
		}, []string{"Inlets[0]: inlet.Of", "Inlets[1]: inlet.Each", "Inlets[2]: inlet.Since", "Inlets[3]: inlet.Since: the name is empty", "Inlets[4]: inlet.RandomInt", "Outlets[0]: outlet.Of", "Outlets[1]: outlet.Each"}, nil},
		{"numbers", link.Config{
			Inlets: inlets(in), InletConcurrency: -2, MaxUncommitted: -2, ShutdownTimeout: -2 * time.Second, Isolation: 3,
			Lanes: []link.Lane{{Outlet: out, Timeout: -time.Second, Pending: -5}},
		}, []string{
			"InletConcurrency is -2, want", "MaxUncommitted is -2, want", "ShutdownTimeout is -2s, want", "Isolation is 3, want",
			"Lanes[0].Timeout is -1s, want", "Lanes[0].Pending is -5, want",
		}, nil},
		{"names", link.Config{
			Tags: []string{"a", ""}, State: new(state.Memory), Inlets: inlets(in),
			Lanes: []link.Lane{{Outlet: out, Name: "x"}, {Outlet: &tank{}, Name: "x"}},
		}, []string{
			"Name is empty, want one that stays the same over restarts, since State is set", "Tags[1] is empty",
			`Lanes[1].Name is "x", which is that of another lane`,
		}, nil},
		{"schedule", link.Config{Inlets: inlets(in), Outlets: outlets(out), Schedule: schedule.Every(0)}, []string{
			"Schedule: schedule.Every: interval is 0s, want more than 0",
		}, nil},
		{"positions", link.Config{
			Inlets:  inlets(&seeker{*in}, &committer{*in}, &nameless{}, &plain{}),
			Outlets: outlets(out),
		}, []string{
			"Inlets[0]: in has Seek and no Position", "Inlets[1]: in has Commit and no Position",
			"Inlets[2]: *link_test.nameless has a position and no name to keep it under: wrap it with inlet.Named",
			"Inlets[3]: *link_test.plain has a position and no name to keep it under: wrap it with inlet.Named",
		}, nil},
		{"positions under one name", link.Config{
			Inlets:  inlets(in, counting("in", 1, 1), inlet.Named("b", counting("c", 1, 1)), counting("b", 1, 1)),
			Outlets: outlets(out),
		}, []string{
			`Inlets[1]: another inlet has the name "in": one with a position needs one of its own`,
			`Inlets[3]: another inlet has the name "b": one with a position needs one of its own`,
		}, nil},
		{"the nodes' own mistakes", link.Config{
			Inlets:   inlets(in),
			Groupers: []record.Grouper{record.Chunk(0)},
			Outlets: outlets(
				&invalid{f: func() error { return errDown }},
				outlet.Named("n", &invalid{f: func() error { return errDown }}),
				&wrap{&invalid{f: func() error { panic("hot") }}},
				&invalid{f: func() error { runtime.Goexit(); return nil }},
			),
		}, []string{
			"Groupers[0]: record.Chunk: n is 0, want at least 1", "Outlets[0]: 503", "Outlets[1]: 503", "Outlets[2]: panic: hot",
			"Outlets[3]: runtime.Goexit was called",
		}, errDown},
		{"nodes twice", link.Config{
			Inlets:     inlets(in, inlet.Named("another", in)),
			Processors: []record.Processor{p, hold, p},
			Groupers:   []record.Grouper{g, g},
			Lanes: []link.Lane{
				{Outlet: out, Processors: []record.Processor{hold}},
				{Outlet: &wrap{outlet.ReadOnly(out)}},
			},
			Outlets: outlets(&wrap{out}),
		}, []string{
			"Inlets[1]: another is Inlets[0] already: link: the node is already in use",
			"Processors[2]: p is Processors[0] already",
			"Groupers[1]: g is Groupers[0] already",
			"Lanes[0].Processors[0]: hold is Processors[1] already",
			"Lanes[0].Outlet: out is Outlets[0] already",
			"Lanes[1].Outlet: out is Outlets[0] already",
		}, link.ErrDuplicateNode},
		{"one node in all roles", link.Config{
			Inlets: inlets(all), Processors: []record.Processor{all}, Groupers: []record.Grouper{all}, Outlets: outlets(all),
		}, []string{
			"Processors[0]: all is Inlets[0] already", "Groupers[0]: all is Inlets[0] already", "Outlets[0]: all is Inlets[0] already",
		}, link.ErrDuplicateNode},
		{"all kinds at once", link.Config{
			Inlets: inlets(in, in, nil), MaxUncommitted: -2, Schedule: schedule.Every(-1),
			Lanes: []link.Lane{{Outlet: out, Name: "x"}, {Outlet: out, Name: "x"}},
		}, []string{
			"Inlets[1]: in is Inlets[0] already", "Inlets[2] is nil", "MaxUncommitted is -2", "Schedule: ",
			"Lanes[1].Outlet: out is Lanes[0].Outlet already", "Lanes[1].Name is",
		}, link.ErrDuplicateNode},
		{"a name that panics", link.Config{Inlets: inlets(in), Outlets: outlets(&shy{}), Isolation: 9}, []string{"Isolation is 9"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := link.New(tt.c)
			assert.Nil(t, l)
			require.Error(t, err)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			} else {
				require.NotErrorIs(t, err, link.ErrDuplicateNode)
			}
			lines := strings.Split(err.Error(), "\n")
			for _, want := range tt.want {
				assert.Contains(t, err.Error(), want)
			}
			assert.Len(t, lines, len(tt.want), "%v", err)
			assert.True(t, strings.HasPrefix(lines[0], "link "), lines[0])
		})
	}
}

// plain is a resumable inlet without a name.
type plain struct{ tape0 }

type tape0 struct{}

func (tape0) Pull(context.Context, record.Update) ([]record.Record, error) { return nil, nil }
func (tape0) Position() []byte                                             { return nil }
func (tape0) Seek(context.Context, []byte) error                           { return nil }

type timetable struct{}

func (timetable) Next(time.Time) time.Time { return time.Time{} }

func TestNewAccepts(t *testing.T) {
	t.Parallel()
	in, out := &pump{}, &tank{}
	f := inlet.Func(func(context.Context, record.Update) ([]record.Record, error) { return nil, nil })
	push := outlet.Func(func(context.Context, []record.Record, record.Update) error { return nil })
	process := record.ProcessorFunc(func(_ context.Context, r []record.Record) ([]record.Record, error) { return r, nil })
	group := record.GrouperFunc(func(_ context.Context, b [][]record.Record) ([][]record.Record, error) { return b, nil })
	one := new(single)
	tests := []struct {
		name string
		c    link.Config
	}{
		{"the least", link.Config{Inlets: inlets(in), Outlets: outlets(out)}},
		{"no bounds", link.Config{
			Inlets: inlets(in), InletConcurrency: -1, MaxUncommitted: -1, ShutdownTimeout: -1,
			Lanes: []link.Lane{{Outlet: out, Timeout: -1, Pending: -1}},
		}},
		{"functions twice", link.Config{
			Inlets: inlets(f, f), Processors: []record.Processor{process, process}, Groupers: []record.Grouper{group, group},
			Outlets: outlets(push, push, outlet.ReadOnly(push)),
		}},
		{"what cannot be compared", link.Config{
			Inlets: inlets(uneven{}, uneven{}), Processors: []record.Processor{uneven{}, uneven{}}, Outlets: outlets(uneven{}, uneven{}),
		}},
		{"what has no size", link.Config{
			Inlets: inlets(single{}, single{}, &single{}, &single{}, one), Outlets: outlets(single{}, &single{}, one),
		}},
		{"equal groupers", link.Config{Inlets: inlets(in), Outlets: outlets(out), Groupers: []record.Grouper{record.Chunk(3), record.Chunk(3)}}},
		{"a map", link.Config{Inlets: inlets(in), Outlets: outlets(out), Schedule: ticks{}}},
		{"names that are given and taken", link.Config{
			Inlets: inlets(&pump{life: life{name: "x"}}, &pump{life: life{name: "x"}}),
			Lanes:  []link.Lane{{Outlet: &tank{life: life{name: "x"}}}, {Outlet: &tank{}, Name: "x"}},
		}},
		{"a name that panics", link.Config{Inlets: inlets(in), Outlets: outlets(&shy{})}},
		{"stores that cannot be compared", link.Config{
			Name: "x", State: bag{Store: new(state.Memory)}, Inlets: inlets(counting("n", 1, 1)), Outlets: outlets(&vaulted{store: bag{Store: new(state.Memory)}}),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := link.New(tt.c)
			require.NoError(t, err)
			_, err = l.Once(t.Context())
			require.NoError(t, err)
		})
	}
}

// A Config is copied: what becomes of it later is nothing to the link.
func TestNewCopies(t *testing.T) {
	t.Parallel()
	out := &tank{}
	c := link.Config{
		Tags:       []string{"a", "b"},
		Inlets:     inlets(&pump{onPull: once(1)}),
		Processors: []record.Processor{record.Map(func(n int) (int, error) { return n + 1, nil })},
		Lanes:      []link.Lane{{Outlet: out, Processors: []record.Processor{record.Map(func(n int) (int, error) { return n * 10, nil })}}},
		Schedule:   schedule.Every(time.Second), SkipImmediate: true,
	}
	l, err := link.New(c)
	require.NoError(t, err)
	c.Tags[0], c.Inlets[0], c.Processors[0], c.Lanes[0].Processors[0], c.Lanes[0].Outlet = "", nil, nil, nil, nil
	_, err = l.Once(t.Context())
	require.NoError(t, err)
	assert.Equal(t, list(20), out.content())
	assert.Equal(t, "a.b", l.Name())
	assert.Equal(t, "a.b", l.String())
	assert.Equal(t, []string{"a", "b"}, l.Tags())
	assert.Equal(t, schedule.Every(time.Second), l.Schedule())
	assert.True(t, l.SkipImmediate())
	assert.Equal(t, []outlet.Outlet{out}, l.Outlets())
	assert.Len(t, l.Inlets(), 1)
}

func TestNames(t *testing.T) {
	t.Parallel()
	names := func(c link.Config) (inlets []string, lanes []string) {
		seen := make(map[string]bool)
		c.OnReport = func(_ context.Context, r link.Report) {
			if !seen[r.Link] {
				seen[r.Link] = true
				for _, lane := range r.Lanes {
					lanes = append(lanes, lane.Name)
				}
			}
		}
		c.Processors = []record.Processor{&pipe{onProcess: func(_ context.Context, records []record.Record) ([]record.Record, error) {
			for _, r := range records {
				inlets = append(inlets, r.Inlet())
			}
			return records, nil
		}}}
		l, err := link.New(c)
		require.NoError(t, err)
		_, err = l.Once(t.Context())
		require.NoError(t, err)
		return inlets, lanes
	}
	push := outlet.Func(func(context.Context, []record.Record, record.Update) error { return nil })
	in, lanes := names(link.Config{
		Inlets:  inlets(&pump{life: life{name: "a"}, onPull: once(1)}, &pump{life: life{name: "a"}, onPull: once(1)}, &pump{onPull: once(1)}, inlet.Values(1)),
		Outlets: outlets(push, &tank{life: life{name: "b"}}, push, &shy{}, &tank{life: life{name: "b"}}),
		Lanes:   []link.Lane{{Outlet: &tank{life: life{name: "c"}}}, {Outlet: &tank{}, Name: "b"}, {Outlet: &tank{}, Name: "c"}},
	})
	assert.Equal(t, []string{"a", "a#2", "*link_test.pump"}, in[:3])
	assert.Equal(t, []string{"c#2", "b", "c", "outlet.Func", "b#2", "outlet.Func#2", "*link_test.shy", "b#3"}, lanes)

	l, err := link.New(link.Config{Inlets: inlets(inlet.Null()), Outlets: outlets(push)})
	require.NoError(t, err)
	assert.Equal(t, "link", l.Name())
	assert.Nil(t, l.Schedule())
}

// A node's own mistakes are found through decorators of all kinds, once each.
func TestNewAsksOnce(t *testing.T) {
	t.Parallel()
	n := 0
	count := &invalid{f: func() error { n++; return errors.New("bad") }}
	_, err := link.New(link.Config{Inlets: inlets(inlet.Null()), Outlets: outlets(&wrap{&wrap{count}})})
	require.ErrorContains(t, err, "Outlets[0]: bad")
	assert.Equal(t, 1, n)
}
