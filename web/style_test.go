package web

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	rootBlock = regexp.MustCompile(`(?s)(@media [^{]*\{\s*)?:root \{(.*?)\}`)
	colour    = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
)

// schemes reads the colours of the style sheet as they apply in turn: on a wide
// screen and on a phone, light and dark.
func schemes(t testing.TB, css string) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{"light": {}, "dark": {}, "light phone": {}, "dark phone": {}}
	for _, block := range rootBlock.FindAllStringSubmatch(css, -1) {
		dark, narrow := strings.Contains(block[1], "dark"), strings.Contains(block[1], "max-width")
		for _, c := range colour.FindAllStringSubmatch(block[2], -1) {
			for name, scheme := range all {
				if (!dark || strings.HasPrefix(name, "dark")) && (!narrow || strings.HasSuffix(name, "phone")) {
					scheme[c[1]] = c[2]
				}
			}
		}
	}
	return all
}

// luminance is WCAG 2.2's relative luminance of "#rrggbb".
func luminance(t testing.TB, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil {
		t.Fatalf("the colour %q: %v", hex, err)
	}
	linear := func(c uint64) float64 {
		s := float64(c&0xff) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func contrast(t testing.TB, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestEveryTextCanBeReadOnItsGround(t *testing.T) {
	css, err := embedded.ReadFile("static/dex.css")
	if err != nil {
		t.Fatal(err)
	}
	if got := contrast(t, "#000000", "#ffffff"); math.Abs(got-21) > 0.01 {
		t.Fatalf("black on white has a contrast of %f", got)
	}
	const text, shape = 4.5, 3 // WCAG 2.2, 1.4.3 and 1.4.11
	pairs := []struct {
		front, back string
		least       float64
	}{
		{"ink", "ground", text}, {"ink", "card", text}, {"ink", "tint", text},
		{"soft", "ground", text}, {"soft", "card", text}, {"soft", "tint", text},
		{"accent", "ground", text}, {"accent", "card", text}, {"accent", "tint", text},
		{"accent-strong", "card", text},
		{"on-accent", "accent", text}, {"on-accent", "accent-strong", text},
		{"alert", "alert-tint", text}, {"alert", "card", text},
		{"edge", "card", shape}, {"edge", "ground", shape},
	}
	for name, scheme := range schemes(t, string(css)) {
		for _, p := range pairs {
			if got := contrast(t, scheme[p.front], scheme[p.back]); got < p.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, less than %.1f", name, p.front, p.back, got, p.least)
			}
		}
	}
}

func TestTheDarkSchemeNamesEveryColour(t *testing.T) {
	css, err := embedded.ReadFile("static/dex.css")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []map[string]string
	for _, block := range rootBlock.FindAllStringSubmatch(string(css), -1) {
		own := map[string]string{}
		for _, c := range colour.FindAllStringSubmatch(block[2], -1) {
			own[c[1]] = c[2]
		}
		blocks = append(blocks, own)
	}
	light, dark := slices.Sorted(maps.Keys(blocks[0])), slices.Sorted(maps.Keys(blocks[1]))
	if len(light) < 10 || !slices.Equal(light, dark) {
		t.Errorf("light has %v, dark has %v", light, dark)
	}
}

func TestTheStyleIsSmallAndLoadsNothing(t *testing.T) {
	css, err := embedded.ReadFile("static/dex.css")
	if err != nil {
		t.Fatal(err)
	}
	if len(css) >= 12<<10 {
		t.Errorf("it has %d bytes", len(css))
	}
	for _, loads := range []string{"url(", "@import", "@font-face"} {
		if strings.Contains(string(css), loads) {
			t.Errorf("it has %s", loads)
		}
	}
}
