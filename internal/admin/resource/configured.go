package resource

import (
	"bytes"
	"encoding/json"
	"time"

	"dex/internal/admin/declare"
)

// Kept is what is told of a part of the configuration beside what is declared of it.
type Kept struct {
	ManagedBy  string    `json:"managed_by" doc:"Who declares it: file (the configuration of the servers), apply (files that are planned and applied), api, or registration (a client that has registered itself)."`
	DisabledBy string    `json:"disabled_by,omitempty" doc:"Who has disabled it: operator, or whoever manages it."`
	Version    int64     `json:"version"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// Client is an application that people log in to, as it is declared in files, and what
// is known of it beside.
type Client struct {
	_        struct{}       `additionalProperties:"true"`
	Declared declare.Client `json:"-"`
	ID       string         `json:"id" doc:"The client_id. Beside these members stand those of a client in files: see docs/operate/resources.md."`
	Kept
	SecretNotes []SecretNote `json:"secret_notes,omitempty" doc:"What is known of its secrets."`
	Secret      string       `json:"secret,omitempty" doc:"The secret that was made for it: shown once, when the client is created."`
}

// SecretNote is what is known of a client's secret.
type SecretNote struct {
	ID        string    `json:"id"`
	Hint      string    `json:"hint,omitempty" doc:"Its last characters, if it was made here."`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// NewSecret is a secret of a client, shown once.
type NewSecret struct {
	SecretNote
	ClientID string `json:"client_id"`
	Secret   string `json:"secret" doc:"Shown once, and never again."`
}

// Connector is a way to find out who somebody is, as it is declared in files, and what
// is known of it beside.
type Connector struct {
	_        struct{}          `additionalProperties:"true"`
	Declared declare.Connector `json:"-"`
	ID       string            `json:"id" doc:"Beside these members stand those of a connector in files: see docs/operate/resources.md."`
	Kept
}

// ConnectorTest is what came of a test.
type ConnectorTest struct {
	Works   bool   `json:"works"`
	Tested  bool   `json:"tested" doc:"Whether its kind can be tested without anybody logging in."`
	Problem string `json:"problem,omitempty" doc:"What is wrong."`
}

// Use is who has used something lately.
type Use struct {
	People int `json:"people" doc:"How many people have logged in with it."`
	Days   int `json:"days" doc:"In how many days until now."`
}

// Tenant is an issuer with all that is its own.
type Tenant struct {
	ID        string    `json:"id"`
	Issuer    string    `json:"issuer"`
	Name      string    `json:"name,omitempty"`
	Disabled  bool      `json:"disabled,omitempty"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
}

// MarshalJSON puts what is declared and what is known beside into one object.
func (c Client) MarshalJSON() ([]byte, error) {
	type rest Client
	return joined(c.Declared, rest(c))
}

// UnmarshalJSON takes apart what [Client.MarshalJSON] has put together.
func (c *Client) UnmarshalJSON(text []byte) error {
	type rest Client
	if err := json.Unmarshal(text, (*rest)(c)); err != nil {
		return err
	}
	return json.Unmarshal(text, &c.Declared)
}

// MarshalJSON puts what is declared and what is known beside into one object.
func (c Connector) MarshalJSON() ([]byte, error) {
	type rest Connector
	return joined(c.Declared, rest(c))
}

// UnmarshalJSON takes apart what [Connector.MarshalJSON] has put together.
func (c *Connector) UnmarshalJSON(text []byte) error {
	type rest Connector
	if err := json.Unmarshal(text, (*rest)(c)); err != nil {
		return err
	}
	return json.Unmarshal(text, &c.Declared)
}

// joined writes two objects as one. The id stands in both.
func joined(declared, rest any) ([]byte, error) {
	first, err := json.Marshal(declared)
	if err != nil {
		return nil, err
	}
	second, err := json.Marshal(rest)
	if err != nil {
		return nil, err
	}
	var known map[string]json.RawMessage
	if err := json.Unmarshal(first, &known); err != nil {
		return nil, err
	}
	if id, ok := known["id"]; ok {
		second = bytes.TrimPrefix(second, append([]byte(`{"id":`), id...))
		second = bytes.TrimPrefix(second, []byte(","))
	} else {
		second = bytes.TrimPrefix(second, []byte("{"))
	}
	first = bytes.TrimSuffix(first, []byte("}"))
	if len(known) > 0 && !bytes.Equal(second, []byte("}")) {
		first = append(first, ',')
	}
	return append(first, second...), nil
}
