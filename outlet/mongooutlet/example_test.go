package mongooutlet_test

import (
	"context"
	"fmt"
	"net/url"

	"github.com/databay-go/databay/outlet/mongooutlet"
	"github.com/databay-go/databay/record"
)

// A record that is offered again, after a crash for instance, is written once.
func ExampleNew() {
	login := url.UserPassword("databay", "p@ss/word").String()
	out := mongooutlet.New("mongodb://"+login+"@db.example.com:27017/?tls=true", "shop", "orders", &mongooutlet.Options{UseID: true})
	fmt.Println(out, out.Validate())
	// Output: mongooutlet(mongodb://db.example.com:27017/shop.orders) <nil>
}

// All mistakes are reported, before anything connects.
func ExampleOutlet_Validate() {
	out := mongooutlet.New("db.example.com", "my shop", "orders", &mongooutlet.Options{Merge: true})
	fmt.Println(out.Validate())
	// Output:
	// mongooutlet: URI has another scheme, want one like mongodb://host:27017 or mongodb+srv://host
	// mongooutlet: database is "my shop", want 1 to 63 bytes without any of /\. "$*<>:|?
	// mongooutlet: Merge is true, want false without Key or UseID, which say with what
}

// Records go to the collection that their metadata name, here one a kind of animal.
func ExampleCollection() {
	cat := record.New(map[string]any{"name": "Tom"}, mongooutlet.Collection.Of("cats"))
	dog := record.New(map[string]any{"name": "Rex"}, mongooutlet.Collection.Of("dogs"), mongooutlet.Database.Of("yard"))
	for _, r := range []record.Record{cat, dog} {
		fmt.Println(mongooutlet.Database.Or(r, "zoo"), mongooutlet.Collection.Or(r, "animals"))
	}
	// Output:
	// zoo cats
	// yard dogs
}

// Products are replaced by their number, so that prices are those of the last push; a
// product that cannot be found again is refused for good, alone.
func ExampleOptions() {
	out := mongooutlet.New("mongodb://localhost:27017", "shop", "products", &mongooutlet.Options{Key: []string{"number"}})
	ctx := context.Background()
	if err := out.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer out.Shutdown(ctx)
	err := out.Push(ctx, []record.Record{
		record.New(map[string]any{"number": 7, "price": 12.5}),
		record.New(map[string]any{"price": 3}),
	}, record.Update{})
	fmt.Println(err) // 1 failed: record 1: payload has no field "number", which is in Options.Key
}
