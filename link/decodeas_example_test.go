package link_test

import (
	"fmt"

	"github.com/databay-go/databay/link"
)

// The payloads of dead letters are JSON; DecodeAs makes values of the program's type of
// them again, whatever type they had.
func ExampleDecodeAs() {
	decode := link.DecodeAs[Order]
	payload, err := decode("main.Order", []byte(`{"Customer":"ada","Total":5}`))
	fmt.Printf("%+v %v\n", payload, err)
	_, err = decode("main.Order", []byte(`{"Customer":7}`))
	fmt.Println(err)
	// Output:
	// {Customer:ada Total:5} <nil>
	// payload: json: cannot unmarshal number into Go struct field Order.Customer of type string
}
