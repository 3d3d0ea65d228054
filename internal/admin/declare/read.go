package declare

import (
	"reflect"

	"dex/internal/base/strict"
	"dex/internal/domain/client"
)

// Source is a document, and what it is called.
type Source struct {
	Name string
	Data []byte
	// Expand fills in what a value refers to, as in a configuration file; nil leaves
	// it as it stands.
	Expand func(string) (string, error)
}

// ReadClient reads one client, in YAML or JSON. The error is of type
// [strict.Mistakes].
func (r Rules) ReadClient(doc []byte) (Client, error) {
	return read(r, doc, func(c Client) *Resources { return &Resources{Clients: []Client{c}} }, func(all *Resources) Client { return all.Clients[0] })
}

// ReadConnector reads one connector.
func (r Rules) ReadConnector(doc []byte) (Connector, error) {
	return read(r, doc, func(c Connector) *Resources { return &Resources{Connectors: []Connector{c}} }, func(all *Resources) Connector { return all.Connectors[0] })
}

// ReadUser reads one user.
func (r Rules) ReadUser(doc []byte) (User, error) {
	return read(r, doc, func(u User) *Resources { return &Resources{Users: []User{u}} }, func(all *Resources) User { return all.Users[0] })
}

// ReadGroup reads one group.
func (r Rules) ReadGroup(doc []byte) (Group, error) {
	return read(r, doc, func(g Group) *Resources { return &Resources{Groups: []Group{g}} }, func(all *Resources) Group { return all.Groups[0] })
}

// read reads one thing, and checks it as if it stood alone among the resources.
func read[T any](r Rules, doc []byte, in func(T) *Resources, out func(*Resources) T) (T, error) {
	var none, one T
	d := strict.Decoder{Findings: strict.NewFindings()}
	strict.SetDefaults(reflect.ValueOf(&one).Elem())
	d.Decode(doc, &one)
	if d.Flawed("") {
		return none, d.Err()
	}
	all := in(one)
	r.check(&part{Resources: all, Findings: d.Findings, alone: true})
	if err := d.Err(); err != nil {
		return none, err
	}
	return out(all), nil
}

// ReadFiles reads the sections of several documents as if they were one. What stands
// in two of them is a mistake that names both places.
func (r Rules) ReadFiles(sources ...Source) (Resources, error) {
	parts := make([]*part, 0, len(sources))
	var unreadable strict.Mistakes
	for _, s := range sources {
		p := &part{Resources: new(Resources), Findings: strict.NewFindings()}
		d := strict.Decoder{Findings: p.Findings, Name: s.Name, Expand: s.Expand}
		if d.Decode(s.Data, p.Resources) {
			parts = append(parts, p)
		} else {
			unreadable = append(unreadable, p.Mistakes()...)
		}
	}
	r.check(parts...)
	var all Resources
	var mistakes strict.Mistakes
	for _, p := range parts {
		mistakes = append(mistakes, p.Mistakes()...)
		all.Clients = append(all.Clients, p.Clients...)
		all.Connectors = append(all.Connectors, p.Connectors...)
		all.Users = append(all.Users, p.Users...)
		all.Groups = append(all.Groups, p.Groups...)
	}
	if mistakes = append(unreadable, mistakes...); len(mistakes) > 0 {
		return Resources{}, mistakes
	}
	return all, nil
}

// ReadFiles reads files by the rules of the administrators' API.
func ReadFiles(sources ...Source) (Resources, error) { return Rules{}.ReadFiles(sources...) }

// YAML writes resources as a file that [ReadFiles] reads. Secrets are left out, and
// a comment says where there is one.
func (r Resources) YAML() ([]byte, error) { return strict.Show{}.YAML(r) }

// Handover writes resources as JSON with the secrets that they hold, for the server
// that keeps them.
func (r Resources) Handover() ([]byte, error) { return strict.Show{Secrets: true}.JSON(r) }

// hear reads what a server has told.
func hear(data []byte, v any) error {
	d := strict.Decoder{Findings: strict.NewFindings(), Lenient: true}
	strict.SetDefaults(reflect.ValueOf(v).Elem())
	d.Decode(data, v)
	return d.Err()
}

// Setting is a setting of a client that has one value, or a list of them, each of which
// is a word: what can be said in a flag.
type Setting struct {
	Name, Is    string
	List, Truth bool
}

// ClientSettings are those of the table of what is known of clients.
func ClientSettings() []Setting {
	types := map[string]reflect.Type{}
	for field := range reflect.TypeFor[Client]().Fields() {
		types[field.Tag.Get("yaml")] = field.Type
	}
	var all []Setting
	for _, m := range client.Metadata {
		t := types[m.Setting]
		switch {
		case t == nil:
		case t.Kind() == reflect.String, t.Kind() == reflect.Bool, t == reflect.TypeFor[*bool]():
			all = append(all, Setting{Name: m.Setting, Is: m.Is, Truth: t.Kind() != reflect.String})
		case t == reflect.TypeFor[[]string]():
			all = append(all, Setting{Name: m.Setting, Is: m.Is, List: true})
		}
	}
	return all
}
