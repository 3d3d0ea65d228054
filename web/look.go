package web

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

//go:embed templates static messages icons mail
var embedded embed.FS

// layers are folders that lie on one another: the first that has a file is asked
// for it.
type layers []fs.FS

// read returns a file's content.
func (l layers) read(name string) ([]byte, error) {
	for _, layer := range l {
		data, err := fs.ReadFile(layer, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// list returns the paths of all files below dir in any layer, sorted. Hidden
// files are left out: editors and file managers leave them lying about.
func (l layers) list(dir string) ([]string, error) {
	var files []string
	for _, layer := range l {
		err := fs.WalkDir(layer, dir, func(file string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && file == dir:
				return nil
			case err != nil:
				return err
			case !d.IsDir() && !strings.HasPrefix(path.Base(file), "."):
				files = append(files, file)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// look is everything that was read from the files.
type look struct {
	tongues []*tongue
	matcher language.Matcher // answers with an index of tongues
	statics statics
	icons   map[string]template.HTML
}

// load reads all files.
func load(o Options) (*look, error) {
	files := layers{embedded}
	if o.Theme != nil {
		files = layers{o.Theme, embedded}
	}
	l := &look{}
	var err error
	if l.statics, err = loadStatics(files, o.Path); err != nil {
		return nil, err
	}
	if l.icons, err = loadIcons(files); err != nil {
		return nil, err
	}
	if l.tongues, err = loadTongues(files); err != nil {
		return nil, err
	}
	var tags []language.Tag
	for _, t := range l.tongues {
		tags = append(tags, t.tag)
	}
	l.matcher = language.NewMatcher(tags)

	pages, err := parsePages(files, l.tongues[0].funcs(l, o))
	if err != nil {
		return nil, err
	}
	for _, t := range l.tongues {
		if err := t.draw(pages, t.funcs(l, o), l.statics.url); err != nil {
			return nil, err
		}
	}
	return l, loadLetters(files, l, o)
}

// choose picks the language that comes closest to what is asked for.
func (l *look) choose(locales []string, accept string) *tongue {
	_, i, _ := l.matcher.Match(wishes(locales, accept)...)
	return l.tongues[i]
}

// loadIcons reads the pictures that stand in the page itself, so that they take
// its colours.
func loadIcons(files layers) (map[string]template.HTML, error) {
	names, err := files.list("icons")
	if err != nil {
		return nil, err
	}
	icons := map[string]template.HTML{}
	for _, name := range names {
		data, err := files.read(name)
		if err != nil {
			return nil, err
		}
		// They come from the program or from its operator, never from a request.
		kind := strings.TrimSuffix(path.Base(name), ".svg")
		icons[kind] = template.HTML(strings.TrimSpace(string(data))) //nolint:gosec // see above
	}
	return icons, nil
}

// parsePages parses the layout and, onto a copy of it, each page.
func parsePages(files layers, funcs template.FuncMap) (map[string]*template.Template, error) {
	const dir, layout = "templates", "templates/layout.html"
	ours, err := layers{embedded}.list(dir)
	if err != nil {
		return nil, err
	}
	all, err := files.list(dir)
	if err != nil {
		return nil, err
	}
	base, err := parseFile(template.New("").Funcs(funcs), files, layout)
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, file := range all {
		switch {
		case file == layout:
			continue
		case !slices.Contains(ours, file):
			return nil, fmt.Errorf("%s: no page has this template", file)
		}
		set, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if set, err = parseFile(set, files, file); err != nil {
			return nil, err
		}
		for _, name := range []string{"layout", "title", "main"} {
			if set.Lookup(name) == nil {
				return nil, fmt.Errorf("%s: the template %q is not defined", file, name)
			}
		}
		pages[strings.TrimPrefix(file, dir+"/")] = set
	}
	return pages, nil
}

// parseFile adds a file to a set of templates, under its path, so that errors
// name it.
func parseFile(set *template.Template, files layers, name string) (*template.Template, error) {
	data, err := files.read(name)
	if err != nil {
		return nil, err
	}
	return set.New(name).Parse(string(data))
}

// draw makes the language's own copy of every page.
func (t *tongue) draw(pages map[string]*template.Template, funcs template.FuncMap, assets func(string) (string, error)) error {
	t.pages = map[string]*template.Template{}
	b := baker{messages: t.messages, asset: assets}
	for name, page := range pages {
		own, err := page.Clone()
		if err != nil {
			return err
		}
		for _, part := range own.Funcs(funcs).Templates() {
			if err := b.bake(part.Tree); err != nil {
				return err
			}
		}
		t.pages[name] = own.Lookup("layout")
		// A template is escaped when it is first executed. There is no page to draw
		// yet, so this fails in any case; but one that cannot be escaped is found.
		var bad *template.Error
		if err := t.pages[name].Execute(io.Discard, nil); errors.As(err, &bad) {
			return fmt.Errorf("templates/%s: %w", name, err)
		}
	}
	return nil
}
