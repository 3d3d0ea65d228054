package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"

	"dex/internal/connector"
	"dex/internal/protocol/jose"
)

// maxCode is the length of the longest code that is passed on, in bytes.
const maxCode = 4 << 10

// response is what the browser brought back.
type response struct {
	code    string
	idToken string
}

// response reads what the browser brought back: all that was asked for, and from this
// provider. RFC 6749, section 4.1.2; RFC 9207, section 2.4.
func (p *provider) response(ctx context.Context, form url.Values, state string, m metadata) (response, error) {
	form, err := p.unwrap(ctx, form)
	if err != nil {
		return response{}, err
	}
	for _, name := range []string{"state", "iss", "error", "code", "id_token"} {
		if len(form[name]) > 1 {
			return response{}, fmt.Errorf("oidc: the answer says %s twice", name)
		}
	}
	if subtle.ConstantTimeCompare([]byte(form.Get("state")), []byte(state)) != 1 {
		return response{}, errors.New("oidc: the answer belongs to another login (state)")
	}
	if issuer := form["iss"]; len(issuer) == 1 && issuer[0] != p.Issuer || len(issuer) == 0 && m.SendsIssuer {
		return response{}, errors.New("oidc: the answer comes from another provider (iss)")
	}
	if code := form.Get("error"); code != "" {
		return response{}, refusal(code)
	}
	r := response{code: form.Get("code"), idToken: form.Get("id_token")}
	if p.ResponseType != typeIDToken && (!visible(r.code) || len(r.code) > maxCode) {
		return response{}, errors.New("oidc: the answer has no code")
	}
	if p.ResponseType != typeCode && r.idToken == "" {
		return response{}, errors.New("oidc: the answer has no ID token")
	}
	return r, nil
}

// unwrap returns the parameters of an answer, out of the token that they stand in if
// that was asked for. JWT Secured Authorization Response Mode, section 2.4: the
// issuer, the audience, and that it has not expired; then the signature, and only
// then what it says.
func (p *provider) unwrap(ctx context.Context, form url.Values) (url.Values, error) {
	if p.ResponseMode != modeQueryJWT && p.ResponseMode != modeFormPostJWT {
		return form, nil
	}
	if len(form["response"]) != 1 {
		return nil, errors.New("oidc: the answer is not signed, and was to be (response)")
	}
	payload, _, err := p.verify(ctx, form.Get("response"), "", jose.TypeJWT)
	if err != nil {
		return nil, fmt.Errorf("oidc: the signed answer: %w", err)
	}
	var c jose.Claims
	if err := jose.Unmarshal(payload, &c); err != nil {
		return nil, fmt.Errorf("oidc: the signed answer: %w", err)
	}
	if err := c.Validate(p.env.Clock.Now(), p.Issuer, p.ClientID, skew); err != nil {
		return nil, fmt.Errorf("oidc: the signed answer: %w", err)
	}
	all, err := decode(payload)
	if err != nil {
		return nil, fmt.Errorf("oidc: the signed answer: %w", err)
	}
	plain := url.Values{}
	for name, value := range all {
		if text, ok := value.(string); ok {
			plain.Set(name, text)
		}
	}
	return plain, nil
}

// readFront reads the ID token that came through the browser, if one was to. It
// vouches for the code beside it, so a code that somebody has put in is found
// before it is shown to anybody. OpenID Connect Core, sections 3.2.2.11 and 3.3.2.11.
func (p *provider) readFront(ctx context.Context, r response, j journey) (idToken, error) {
	if p.ResponseType == typeCode {
		return idToken{}, nil
	}
	id, err := p.readIDToken(ctx, r.idToken)
	if err != nil {
		return idToken{}, err
	}
	if err := id.belongs(j); err != nil {
		return idToken{}, err
	}
	if p.ResponseType == typeHybrid && (id.CodeHash == nil || *id.CodeHash != jose.HalfHash(id.alg, r.code)) {
		return idToken{}, errors.New("oidc: the ID token belongs to another code (c_hash)")
	}
	return id, nil
}

// refusal says what an error of the authorization endpoint means. Those of the
// person's making are nobody's failure. RFC 6749, section 4.1.2.1; OpenID Connect
// Core, section 3.1.2.6.
func refusal(code string) error {
	switch code {
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required":
		return fmt.Errorf("%w: the provider says %s", connector.ErrRefused, code)
	default:
		return fmt.Errorf("oidc: the provider says %.64q", code)
	}
}
