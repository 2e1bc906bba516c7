// Weather asks a weather service for the weather of a city every two seconds, and
// prints its description.
//
//	OPEN_WEATHER_MAP_API_KEY=… go run ./examples/weather -city Bangkok
//
// prints lines like this one until Ctrl-C:
//
//	bangkok_weather.0 light rain
//
// The service is that of OpenWeatherMap, or one that answers alike at -url. The test
// runs the program against a local server; it was not run against the real service.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/databay-go/databay/inlet"
	"github.com/databay-go/databay/inlet/httpinlet"
	"github.com/databay-go/databay/link"
	"github.com/databay-go/databay/outlet"
	"github.com/databay-go/databay/planner"
	"github.com/databay-go/databay/record"
	"github.com/databay-go/databay/schedule"
)

// Weather is the part of an answer that is used.
type Weather struct {
	Weather []struct{ Description string }
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Getenv("OPEN_WEATHER_MAP_API_KEY"), os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, key string, w io.Writer) error {
	flags := flag.NewFlagSet("weather", flag.ContinueOnError)
	service := flags.String("url", "https://api.openweathermap.org/data/2.5/weather", "the `URL` of the service")
	city := flags.String("city", "Bangkok", "the `name` of the city")
	every := flags.Duration("every", 2*time.Second, "how often")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if key == "" {
		return errors.New("OPEN_WEATHER_MAP_API_KEY is not set: want the key of an account")
	}

	weather := httpinlet.New(*service, &httpinlet.Options{
		Params: url.Values{"q": {*city}, "appid": {key}}, // parameters never show in an error
		Decode: httpinlet.JSON[Weather],
	})
	describe := record.Map(func(a Weather) (string, error) {
		if len(a.Weather) == 0 {
			return "", record.Permanent(errors.New("an answer without weather"))
		}
		return a.Weather[0].Description, nil
	})
	l, err := link.New(link.Config{
		Tags:       []string{strings.ToLower(*city) + "_weather"},
		Inlets:     []inlet.Inlet{weather},
		Processors: []record.Processor{describe},
		Outlets:    []outlet.Outlet{&outlet.Printer{W: w, OnlyPayload: true}},
		Schedule:   schedule.Every(*every),
		OnError: func(_ context.Context, err *link.Error) error {
			if err.Op == link.OpPull { // the service is away: so much for this time
				fmt.Fprintln(os.Stderr, err)
				return nil
			}
			return err
		},
	})
	if err != nil {
		return err
	}
	return planner.Run(ctx, l)
}
