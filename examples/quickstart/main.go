// Quickstart pulls earthquakes from a web service every second, and writes those
// that are strong enough to a CSV file and, in short, to the terminal.
//
//	go run ./examples/quickstart -for 10s
//
// It needs no network: the web service is part of it, and replays a week of 2018.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/databay-go/databay/buffer"
	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/outlet/csvoutlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/planner/gocronplanner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// Quake is an earthquake, as the web service has it and as a row of the file.
type Quake struct {
	ID        string    `json:"id" csv:"id"`
	Time      time.Time `json:"time" csv:"time"`
	Magnitude float64   `json:"magnitude" csv:"magnitude"`
	Place     string    `json:"place" csv:"place"`
	Depth     float64   `json:"depth" csv:"depth_km"`
	Longitude float64   `json:"longitude" csv:"longitude"`
	Latitude  float64   `json:"latitude" csv:"latitude"`
}

// Band is the magnitude as a whole number.
func (q Quake) Band() int { return int(q.Magnitude) }

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn) // warnings and errors only
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ExitOnError)
	var (
		out   = flags.String("out", ".", "write quakes.csv into this `folder`")
		lasts = flags.Duration("for", 0, "stop after this `time`, as 10s or 1m; 0: at Ctrl-C or when the week is over")
		least = flags.Float64("min", 1, "leave out what is weaker than this `magnitude`")
		by    = flags.String("planner", "ticker", "what calls the link: `ticker or gocron`")
	)
	_ = flags.Parse(args) // exits
	if *lasts < 0 {
		return fmt.Errorf("-for is %v, want 0 or more", *lasts)
	}

	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if *lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *lasts)
		defer cancel()
	}

	feed, err := newFeed(week, stop)
	if err != nil {
		return err
	}
	if err := feed.listen(); err != nil {
		return err
	}
	defer feed.close()

	file := filepath.Join(*out, "quakes.csv")
	quakes, err := link.New(link.Config{
		Name:   "quakes",
		Inlets: []inlet.Inlet{httpinlet.New(feed.address, &httpinlet.Options{Decode: httpinlet.JSON[Quake]})},
		Processors: []record.Processor{
			record.Filter(func(q Quake) bool { return q.Magnitude >= *least }),
			buffer.New(&buffer.Options{Count: 30, MaxAge: 3 * time.Second}),
		},
		Groupers: []record.Grouper{record.By(Quake.Band)},
		Outlets: []outlet.Outlet{
			csvoutlet.New(file, &csvoutlet.Options{Truncate: true}),
			newSummary(stdout),
		},
		Schedule: schedule.Every(time.Second),
	})
	if err != nil {
		return err
	}
	var p *planner.Planner
	switch *by {
	case "ticker":
		p, err = planner.New(nil, quakes)
	case "gocron":
		p, err = gocronplanner.New(nil, quakes)
	default:
		return fmt.Errorf("-planner is %q, want ticker or gocron", *by)
	}
	if err != nil {
		return err
	}

	fmt.Fprintf(stdout, "Earthquakes of a week, %g hours a second, from %s into %s\n", speed.Hours(), feed.address, file)
	if err := p.Run(ctx); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%v\n", quakes.Account())
	return quakes.Account().Balance()
}
