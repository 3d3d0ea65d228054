package ctl

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Plain takes out of a text what a terminal would obey: what others have written
// stands in it.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Table writes rows under a header, each column as wide as its widest cell. Without a
// header there are rows alone.
func Table(out io.Writer, header []string, rows [][]string) error {
	var lines [][]string
	if header != nil {
		lines = append(lines, header)
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = Plain(cell); cells[i] == "" {
				cells[i] = "-"
			}
		}
		lines = append(lines, cells)
	}
	var widths []int
	for _, line := range lines {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		for i, cell := range line {
			b.WriteString(cell)
			if i < len(line)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-columns(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// columns is how many columns of a terminal a text takes (UAX #11): two for wide
// characters, none for those that stand upon the one before.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case isWide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func isWide(r rune) bool {
	k := width.LookupRune(r).Kind()
	return k == width.EastAsianWide || k == width.EastAsianFullwidth
}
