package oauth

import "strings"

// Prompt is how much a client wants the person to be asked (OpenID Connect Core,
// section 3.1.2.1).
type Prompt struct {
	None          bool // show nothing at all
	Login         bool // ask who it is, even of one who is signed in
	Consent       bool // ask for consent, even if it was given
	SelectAccount bool // let the person choose another account
}

// ParsePrompt reads a prompt parameter. A value that we do not know is an error:
// whoever sends it counts on it.
func ParsePrompt(text string) (Prompt, error) {
	var p Prompt
	for value := range strings.SplitSeq(text, " ") {
		switch value {
		case "":
		case "none":
			p.None = true
		case "login":
			p.Login = true
		case "consent":
			p.Consent = true
		case "select_account":
			p.SelectAccount = true
		default:
			return Prompt{}, Errorf(InvalidRequest, "The prompt has a value that is not supported.")
		}
	}
	if p.None && (p.Login || p.Consent || p.SelectAccount) {
		return Prompt{}, Errorf(InvalidRequest, "The prompt none cannot be combined with another.")
	}
	return p, nil
}

// String returns the prompt as it stands in a parameter.
func (p Prompt) String() string {
	var values []string
	for _, v := range []struct {
		is   bool
		name string
	}{{p.None, "none"}, {p.Login, "login"}, {p.Consent, "consent"}, {p.SelectAccount, "select_account"}} {
		if v.is {
			values = append(values, v.name)
		}
	}
	return strings.Join(values, " ")
}

// MarshalText implements [encoding.TextMarshaler], so that a prompt travels as
// the short text that it came as.
func (p Prompt) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Prompt) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrompt(string(text))
	return err
}
