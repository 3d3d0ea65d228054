// Command helm lints and renders a chart by Helm's own engine, without the rest of
// Helm: it knows no cluster, and no repository.
//
//	helm CHART [VALUES.yaml…]
//
// It prints the manifests, or says what is wrong and ends with 1. It is a module of
// its own, so that what Helm depends on is none of ours.
package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder string, files []string) error {
	values := chartutil.Values{}
	for _, file := range files {
		more, err := chartutil.ReadValuesFile(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		values = chartutil.CoalesceTables(more, values)
	}
	if err := check(folder, values); err != nil {
		return err
	}
	c, err := loader.Load(folder)
	if err != nil {
		return err
	}
	// It checks the values against the chart's schema.
	in, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "dex", Namespace: "login", IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return err
	}
	out, err := engine.Engine{Strict: true}.Render(c, in)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if text := strings.TrimSpace(out[name]); text != "" && path.Base(name) != "_helpers.tpl" {
			fmt.Printf("---\n# %s\n%s\n", name, text)
		}
	}
	return nil
}

// check is helm lint: all that is worse than a hint is an error.
func check(folder string, values chartutil.Values) error {
	found := lint.All(folder, values, "login", true)
	var wrong []string
	for _, m := range found.Messages {
		if m.Severity > support.InfoSev {
			wrong = append(wrong, m.Error())
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return nil
}
