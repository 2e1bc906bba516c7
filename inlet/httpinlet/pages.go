package httpinlet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Page is one answer, for a [Finder].
type Page struct {
	URL     *url.URL // that was asked for, without the user
	Header  http.Header
	Body    []byte
	Records int // in it
}

// Finder finds in a page what leads on: as [Options].Next the URL of the next page,
// absolute or relative to that of the page; for [Cursor] and [NewFeed] a cursor. It
// returns "" if there is none. It must not change the page, and is called side by
// side if pulls are.
type Finder func(p Page) (string, error)

var errSamePage = errors.New("the next page is the page itself")

// LinkHeader is a [Finder] of the URL in a Link header whose relation is "next", as
// RFC 8288 has it.
func LinkHeader(p Page) (string, error) {
	return nextLink(p.Header.Values("Link")), nil
}

// PageNumber returns a [Finder] of URLs in whose query the parameter counts, from
// what it is in the first URL, or from 1. The last page is the first one without
// records. Without a parameter it fails.
func PageNumber(param string) Finder {
	if param == "" {
		return failing(errors.New("httpinlet.PageNumber: param is empty, want the name of the parameter that counts"))
	}
	return func(p Page) (string, error) {
		if p.Records == 0 {
			return "", nil
		}
		number := 1
		if text := p.URL.Query().Get(param); text != "" {
			var err error
			if number, err = strconv.Atoi(text); err != nil {
				return "", fmt.Errorf("the parameter %q is not a number", param)
			}
		}
		return withParam(p.URL, param, strconv.Itoa(number+1)).String(), nil
	}
}

// Cursor returns a [Finder] of URLs in whose query the parameter is the cursor that
// find finds. The last page is the one without a cursor. Without a parameter or a find it
// fails.
func Cursor(param string, find Finder) Finder {
	var errs []error
	if param == "" {
		errs = append(errs, errors.New("httpinlet.Cursor: param is empty, want the name of the parameter that the cursor is"))
	}
	if find == nil {
		errs = append(errs, errors.New("httpinlet.Cursor: find is nil, want what finds the cursor, Field for instance"))
	}
	if errs != nil {
		return failing(errors.Join(errs...))
	}
	return func(p Page) (string, error) {
		cursor, err := find(p)
		if err != nil || cursor == "" {
			return "", err
		}
		return withParam(p.URL, param, cursor).String(), nil
	}
}

// Field returns a [Finder] of a string or a number in a JSON body. The path has the
// names of the fields on the way to it, with dots between them: "meta.next". A field
// that is missing or null is "". Without a path it fails.
func Field(path string) Finder {
	if path == "" {
		return failing(errors.New("httpinlet.Field: path is empty, want that of a field"))
	}
	return func(p Page) (string, error) {
		value, err := at(p.Body, path)
		if err != nil || value == nil {
			return "", err
		}
		var text string
		if json.Unmarshal(value, &text) == nil {
			return text, nil
		}
		var number json.Number
		if json.Unmarshal(value, &number) == nil {
			return number.String(), nil
		}
		return "", fmt.Errorf("the field %q is neither a string nor a number", path)
	}
}

// failing returns the Finder of a constructor that was given mistakes.
func failing(err error) Finder {
	return func(Page) (string, error) { return "", err }
}

// at returns the JSON at a path in a body, or nil if it is missing or null.
func at(body []byte, path string) (json.RawMessage, error) {
	value := json.RawMessage(trim(body))
	for name := range strings.SplitSeq(path, ".") {
		if len(value) == 0 {
			return nil, nil
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(value, &fields); err != nil {
			return nil, fmt.Errorf("no field %q: %w", path, err)
		}
		value = fields[name]
	}
	if string(value) == "null" {
		return nil, nil
	}
	return value, nil
}

// withParam returns u with a parameter that is value, once, behind all others. Those stay
// as they are: a url.Values has none of a pair that has a semicolon or a bad escape.
func withParam(u *url.URL, param, value string) *url.URL {
	pairs := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		return pair == "" || err == nil && name == param
	})
	c := *u
	c.RawQuery = strings.Join(append(pairs, url.QueryEscape(param)+"="+url.QueryEscape(value)), "&")
	return &c
}
