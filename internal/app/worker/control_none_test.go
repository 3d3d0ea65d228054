//go:build !conformance

package worker_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

// What tests by others do to a running server is in no release: neither its code nor its
// routes.
func TestAReleaseHasNoControlForTests(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	for _, path := range []string{"/conformance/rotate", "/conformance/resource", "/conformance/decide"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if a := (call{method: method, path: path, form: values("x", "y")}).send(t, s); a.Status != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, a.Status)
			}
		}
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "dex/cmd/dex-worker", "dex/cmd/dex-overlord", "dex/cmd/dexctl")
	text, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	if deps := string(text); !strings.Contains(deps, "dex/internal/app/worker\n") || strings.Contains(deps, "dex/internal/app/control\n") {
		t.Error("the programs are built with the control for tests")
	}
}
