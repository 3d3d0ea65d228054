package web

import (
	"image/color"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
)

func TestAPictureOfAnAddressHasEachModuleInItsPlace(t *testing.T) {
	const address = "https://dex.example.com/device?user_code=BCDF-GHJK"
	drawn, err := qrCode(address)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(address, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	size := code.Bounds().Dx()
	got := map[[2]int]bool{}
	for _, run := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(string(drawn), -1) {
		x, _ := strconv.Atoi(run[1])
		y, _ := strconv.Atoi(run[2])
		n, _ := strconv.Atoi(run[3])
		for i := range n {
			got[[2]int{x + i - quiet, y - quiet}] = true
		}
	}
	for y := -quiet; y < size+quiet; y++ {
		for x := -quiet; x < size+quiet; x++ {
			inside := x >= 0 && y >= 0 && x < size && y < size
			if want := inside && code.At(x, y) == color.Black; got[[2]int{x, y}] != want {
				t.Fatalf("the module %d, %d is dark: %v", x, y, !want)
			}
		}
	}
	if s := string(drawn); strings.Contains(s, "style") || strings.Contains(s, "dex.example") || !strings.Contains(s, `viewBox="0 0 `+strconv.Itoa(size+2*quiet)) {
		t.Errorf("it is drawn as %.120s", s)
	}
	if _, err := qrCode(strings.Repeat("x", 4000)); err == nil {
		t.Error("more than fits was drawn")
	}
}
