package web

import (
	"fmt"
	"html/template"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quiet is how many modules of white a camera needs around a code, ISO/IEC 18004
// section 9.1.
const quiet = 4

// qrCode returns a text as a picture that a camera reads. It is drawn dark on light
// whatever the page's colours are, because not every camera reads the contrary, and
// says in attributes what it looks like, since our policy takes no style in a page.
func qrCode(text string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("qr: %w", err)
	}
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		return x < size && code.At(x, y) == color.Black
	}
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			if !dark(x, y) {
				continue
			}
			from := x
			for dark(x+1, y) {
				x++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x+1-from, x+1-from)
		}
	}
	whole := size + 2*quiet
	//nolint:gosec // Nothing of the text stands in it: it is numbers of ours alone.
	return template.HTML(fmt.Sprintf(
		`<svg class="qr" viewBox="0 0 %d %d" aria-hidden="true" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dh-%dz"/><path fill="#000" d="%s"/></svg>`,
		whole, whole, whole, whole, whole, path.String(),
	)), nil
}
