package testserver

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
)

// OpenSearch starts a node of OpenSearch with no data, and returns its URL.
func OpenSearch(t testing.TB) (url string) {
	t.Helper()
	Require(t, "OpenSearch")
	addr, port := Addr(t)
	_, transport := Addr(t)
	url = "http://" + addr
	Start(t, java(t, "opensearch", []string{"-Xmx512m"}, "Launcher.java", t.TempDir(), strconv.Itoa(port), strconv.Itoa(transport)), func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/_cluster/health?wait_for_status=yellow&timeout=30s", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		_ = resp.Body.Close() // nothing of it is needed
		return err
	})
	return url
}
