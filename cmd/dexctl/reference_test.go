package main

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dex/internal/app/ctl"
)

// Where the reference goes, as seen from here.
const (
	referencePage = "../../docs/operate/dexctl-reference.md"
	manFolder     = "../../docs/man"
)

// The reference and the man pages are the commands' own words. They are written anew by
// make gen.
func TestTheReferenceIsFresh(t *testing.T) {
	pages := reference((&tool{World: ctl.World{Getenv: func(string) string { return "" }}}).command())
	if *update {
		if err := os.MkdirAll(manFolder, 0o755); err != nil {
			t.Fatal(err)
		}
		old, _ := filepath.Glob(filepath.Join(manFolder, "dexctl*.1"))
		for _, file := range old {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	for file, want := range pages {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale (%v): run make gen, and look at what it changes", file, err)
		}
	}
	there, err := filepath.Glob(filepath.Join(manFolder, "dexctl*.1"))
	if err != nil || len(there) != len(pages)-1 {
		t.Errorf("there are %d man pages, want %d: %v", len(there), len(pages)-1, err)
	}
}

// reference returns every page, by the file it goes to.
func reference(root *cobra.Command) map[string][]byte {
	var whole strings.Builder
	whole.WriteString("# dexctl, command by command\n\n<!-- Written by make gen from cmd/dexctl. -->\n\n")
	whole.WriteString(root.Long + "\n\nHow to begin is told in [dexctl.md](dexctl.md).\n\n## Flags of every command\n\n")
	whole.WriteString(fenced(root.PersistentFlags()))
	pages := map[string][]byte{}
	intro := "## COMMANDS\n\n"
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			continue
		}
		whole.WriteString("\n" + section(c, "##"))
		if c.IsAdditionalHelpTopicCommand() {
			continue
		}
		intro += fmt.Sprintf("**dexctl-%s(1)** %s\n\n", c.Name(), c.Short)
		pages[manPage("dexctl-"+c.Name())] = man("dexctl-"+c.Name(), c.Short, section(c, "##"))
	}
	about := root.Long + "\n\n" + intro + "## FLAGS OF EVERY COMMAND\n\n" + fenced(root.PersistentFlags())
	for _, topic := range topics() {
		about += "\n" + section(topic, "##")
	}
	pages[manPage("dexctl")] = man("dexctl", root.Short, about)
	pages[referencePage] = []byte(whole.String())
	return pages
}

func manPage(name string) string { return filepath.Join(manFolder, name+".1") }

// man turns Markdown into a man page.
func man(name, short, text string) []byte {
	head := fmt.Sprintf("%% %q \"1\" \"\" \"dex\" \"dex manual\"\n\n# NAME\n\n%s - %s\n\n# DESCRIPTION\n\n", strings.ToUpper(name), name, short)
	page := md2man.Render([]byte(head + text))
	return append(bytes.TrimRight(page, "\n"), '\n')
}

// section tells of a command and those below it.
func section(c *cobra.Command, level string) string {
	var b strings.Builder
	title := c.CommandPath()
	if c.IsAdditionalHelpTopicCommand() {
		title = c.Short
	}
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	fmt.Fprintf(&b, "%s %s\n\n%s\n", level, title, about)
	if c.Runnable() && len(c.Commands()) == 0 {
		fmt.Fprintf(&b, "\n```\n%s\n```\n", c.UseLine())
	}
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		b.WriteString("\n" + fenced(flags))
	}
	if c.Example != "" {
		fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.TrimRight(c.Example, "\n"))
	}
	for _, below := range c.Commands() {
		if below.Name() != "help" {
			b.WriteString("\n" + section(below, level+"#"))
		}
	}
	return b.String()
}

func fenced(flags *pflag.FlagSet) string {
	usages := flags.FlagUsages()
	var lines []string
	for line := range strings.Lines(usages) {
		if !strings.Contains(line, "--help") {
			lines = append(lines, strings.TrimRight(line, " \n"))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "```\n" + strings.Join(lines, "\n") + "\n```\n"
}

// The pictures in the guide are the transcripts, as a terminal shows them.
func TestThePicturesAreFresh(t *testing.T) {
	for name, from := range map[string]struct{ file, command string }{
		"dexctl-doctor":  {"doctor.txt", "$ dexctl doctor --config dex.yaml\n"},
		"dexctl-explain": {"refused.txt", "$ dexctl explain $CODE\n"},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", from.file))
		if err != nil {
			t.Fatal(err)
		}
		_, after, ok := strings.Cut(string(text), from.command)
		if !ok {
			t.Fatalf("%s does not hold %q", from.file, from.command)
		}
		shown, _, _ := strings.Cut(after, "\n$ ")
		shown = strings.TrimSuffix(strings.TrimRight(shown, "\n"), "\n[3]")
		typed := strings.ReplaceAll(from.command, "$CODE", "K7QX-9WDM-3T")
		want := picture(typed + shown)
		file := filepath.Join("../../docs/images", name+".svg")
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale (%v): run make gen", file, err)
		}
	}
}

// picture draws a text as a terminal shows it.
func picture(text string) []byte {
	const height, perColumn, margin = 19, 8.43, 18
	var lines []string
	widest := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if len([]rune(line)) > 100 { // as a terminal does it, but between words
			line = strings.TrimRight(wrap(line, ""), "\n")
		}
		for part := range strings.SplitSeq(line, "\n") {
			lines, widest = append(lines, part), max(widest, len([]rune(part)))
		}
	}
	w, h := int(float64(widest)*perColumn)+2*margin, len(lines)*height+2*margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#14181e"/>`+"\n", w, h)
	b.WriteString(`<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#e8ebef">` + "\n")
	colours := map[string]string{"BROKEN": "#ff8a80", "UNSAFE": "#ff8a80", "WEAK": "#ffd180", "NOTE": "#80d8ff", "$": "#9be8b0"}
	for i, line := range lines {
		first, _, _ := strings.Cut(line, " ")
		fill := ""
		if c := colours[first]; c != "" {
			fill = fmt.Sprintf(" fill=%q", c)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d"%s>%s</text>`+"\n", margin, margin+(i+1)*height-5, fill, strings.ReplaceAll(html.EscapeString(line), " ", "\u00a0")) // others fold spaces
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// Every command says what it does, and nothing of it is too wide to be read.
func TestEveryCommandIsDescribed(t *testing.T) {
	root := (&tool{World: ctl.World{Getenv: func(string) string { return "" }}}).command()
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its short help is %q", c.CommandPath(), c.Short)
		}
		for line := range strings.Lines(c.Long) {
			if len([]rune(line)) > lineWidth+4 {
				t.Errorf("%s: a line of %d characters: %s", c.CommandPath(), len([]rune(line)), line)
			}
		}
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s says nothing", c.CommandPath(), f.Name)
			}
		})
		for _, below := range c.Commands() {
			look(below)
		}
	}
	look(root)
}

// What a cure tells people to type, there is.
func TestTheDoctorsCuresCanBeTyped(t *testing.T) {
	root := (&tool{World: ctl.World{Getenv: func(string) string { return "" }}}).command()
	typed := regexp.MustCompile(`dexctl ([a-z-]+ [a-z-]+)`)
	files, err := filepath.Glob("../../internal/app/doctor/*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range typed.FindAllStringSubmatch(string(source), -1) {
			n++
			if c, _, err := root.Find(strings.Fields(found[1])); err != nil || c.CommandPath() != "dexctl "+found[1] {
				t.Errorf("%s tells people to type %q, which is no command", file, found[0])
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d commands were seen", n)
	}
}

func TestEachShellGetsItsCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out bytes.Buffer
		tool := &tool{Out: &out, World: ctl.World{Getenv: func(string) string { return "" }, Err: &out}}
		if status := tool.run(t.Context(), tool.command(), []string{"completion", shell}); status != ctl.Done || !strings.Contains(out.String(), "__complete") {
			t.Errorf("%s: status %d, %.80s", shell, status, out.String())
		}
	}
}
