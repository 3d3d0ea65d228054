package process

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal returns where a person looks; nil if what is written there goes into a file
// or a pipe, where a secret would stay.
func Terminal(out io.Writer) io.Writer {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return out
	}
	return nil
}
