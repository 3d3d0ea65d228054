package connectortest

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dex/internal/protocol/jose"
)

// Demands are what a strict provider insists on. Whoever leaves out one of them, or
// does it wrongly, gets the error that the standard has for it.
type Demands struct {
	Auth        string             // client_secret_jwt or private_key_jwt; empty: the secret itself
	ClientKeys  []jose.Key         // that the client signs with
	Audience    string             // of the client's assertions, one text; the issuer if it is empty
	Push        bool               // RFC 9126: no request that was not pushed
	Object      bool               // RFC 9101: no request that is not signed
	DPoP        bool               // RFC 9449: no token that is not bound
	Nonce       string             // that the proof of a key has to repeat
	EncryptTo   jose.EncryptionKey // the client's, for ID tokens
	TokenInBody bool               // of a request to the userinfo endpoint
}

// Demand makes the provider strict.
func (p *Provider) Demand(d Demands) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.demands = d
}

func (d Demands) announce(issuer string, m Claims) {
	if d.Push {
		m["pushed_authorization_request_endpoint"] = issuer + PushPath
		m["require_pushed_authorization_requests"] = true
	}
}

func (d Demands) tokenType() string {
	if d.DPoP {
		return "DPoP"
	}
	return "Bearer"
}

// byClient finds the client's keys.
func (p *Provider) byClient(kid string, _ jose.Algorithm) (found []crypto.PublicKey) {
	for _, k := range p.demands.ClientKeys {
		if k.KID == kid {
			found = append(found, k.Public)
		}
	}
	return found
}

var clientAlgs = []jose.Algorithm{jose.ES256, jose.RS256, jose.EdDSA}

// once reports whether something is shown for the first time.
func (p *Provider) once(jti string) bool {
	if jti == "" || p.shown[jti] {
		return false
	}
	p.shown[jti] = true
	return true
}

// knowsAssertion reports whether the client has proven who it is by a token.
func (p *Provider) knowsAssertion(r *http.Request) bool {
	if r.PostForm.Has("client_secret") || r.Header.Get("Authorization") != "" || r.PostForm.Get("client_id") != p.ClientID ||
		r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return false
	}
	var payload []byte
	var err error
	assertion, types := r.PostForm.Get("client_assertion"), []string{jose.TypeJWT}
	if p.demands.Auth == "client_secret_jwt" {
		payload, _, err = jose.VerifySecret(assertion, types, []byte(p.ClientSecret))
	} else {
		payload, _, err = jose.Verify(assertion, clientAlgs, types, p.byClient)
	}
	if err != nil {
		return false
	}
	audience := p.demands.Audience
	if audience == "" {
		audience = p.Issuer
	}
	var c jose.Claims
	one, single := jose.SingleAudience(payload)
	return jose.Unmarshal(payload, &c) == nil && single && one == audience && c.Subject == p.ClientID &&
		c.Validate(p.clock.Now(), p.ClientID, audience, 0) == nil && p.once(c.ID)
}

// asked returns what a request asks for: what was pushed, or stands in its object, and
// nothing of what is beside it.
func (p *Provider) asked(q url.Values) (url.Values, error) {
	if uri := q.Get("request_uri"); uri != "" || p.demands.Push {
		all, known := p.pushed[uri]
		delete(p.pushed, uri)
		if !known || all.Get("client_id") != q.Get("client_id") {
			return nil, errors.New("the request was not pushed")
		}
		q = all
	}
	if object := q.Get("request"); object != "" || p.demands.Object {
		return p.inside(object, q.Get("client_id"))
	}
	return q, nil
}

// inside reads a request object. RFC 9101, section 6; FAPI 2.0 Message Signing,
// section 5.3.1.
func (p *Provider) inside(object, clientID string) (url.Values, error) {
	payload, _, err := jose.Verify(object, clientAlgs, []string{"oauth-authz-req+jwt"}, p.byClient)
	if err != nil {
		return nil, err
	}
	var c jose.Claims
	if err := jose.Unmarshal(payload, &c); err != nil {
		return nil, err
	}
	if err := c.Validate(p.clock.Now(), clientID, p.Issuer, 0); err != nil {
		return nil, err
	}
	if c.NotBefore == 0 || c.Expiry.Time().Sub(c.NotBefore.Time()) > time.Hour || !p.once(c.ID) {
		return nil, errors.New("the request object is good for too long, or comes again")
	}
	var all map[string]any
	if err := jose.Unmarshal(payload, &all); err != nil {
		return nil, err
	}
	q := url.Values{}
	for name, value := range all {
		q.Set(name, fmt.Sprint(value))
	}
	return q, nil
}

// servePush takes a request. RFC 9126, section 2.
func (p *Provider) servePush(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || !p.knows(r) {
		answerJSON(w, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	}
	if r.PostForm.Has("request_uri") {
		answerJSON(w, http.StatusBadRequest, Claims{"error": "invalid_request"})
		return
	}
	form := r.PostForm
	form.Set("client_id", p.ClientID)
	uri := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	p.pushed[uri] = form
	answerJSON(w, http.StatusCreated, Claims{"request_uri": uri, "expires_in": 60})
}

// signedResponse puts a response into a token. JWT Secured Authorization Response
// Mode, section 2.1.
func (p *Provider) signedResponse(response url.Values) url.Values {
	now := p.clock.Now()
	c := Claims{"iss": p.Issuer, "aud": p.ClientID, "exp": now.Add(time.Minute).Unix()}
	for name := range response {
		if name != "iss" {
			c[name] = response.Get(name)
		}
	}
	turn(p.knobs.Signed, c)
	return url.Values{"response": {p.SignAs(c)}}
}

// encrypted encrypts a token to the client, if that was agreed on.
func (p *Provider) encrypted(token string) string {
	if p.demands.EncryptTo.Public == nil {
		return token
	}
	sealed, err := jose.Encrypt([]byte(token), "JWT", p.demands.EncryptTo, jose.A256GCM)
	if err != nil {
		p.t.Error(err)
	}
	return sealed
}

// shownToken returns the access token of a request, which has to be where it was
// agreed on.
func (p *Provider) shownToken(r *http.Request) (string, bool) {
	if p.demands.TokenInBody {
		return r.PostFormValue("access_token"), r.Method == http.MethodPost && r.Header.Get("Authorization") == ""
	}
	return strings.CutPrefix(r.Header.Get("Authorization"), p.demands.tokenType()+" ")
}

// proven returns the key that a request proves to have. If it was to and does not, the
// request is answered. RFC 9449, section 4.3.
func (p *Provider) proven(w http.ResponseWriter, r *http.Request, accessToken string) (jkt string, ok bool) {
	if !p.demands.DPoP {
		return "", true
	}
	refuse := func(code string) (string, bool) {
		if p.demands.Nonce != "" {
			w.Header().Set("DPoP-Nonce", p.demands.Nonce)
		}
		if accessToken != "" {
			w.Header().Set("WWW-Authenticate", `DPoP error="`+code+`"`)
			w.WriteHeader(http.StatusUnauthorized)
		} else {
			answerJSON(w, http.StatusBadRequest, Claims{"error": code})
		}
		return "", false
	}
	payload, key, err := jose.VerifyEmbedded(r.Header.Get("DPoP"), clientAlgs, []string{"dpop+jwt"})
	if err != nil {
		return refuse("invalid_dpop_proof")
	}
	var c struct {
		ID       string           `json:"jti"`
		IssuedAt jose.NumericDate `json:"iat"`
		Method   string           `json:"htm"`
		URL      string           `json:"htu"`
		Hash     string           `json:"ath"`
		Nonce    string           `json:"nonce"`
	}
	if err := jose.Unmarshal(payload, &c); err != nil {
		return refuse("invalid_dpop_proof")
	}
	if c.Nonce != p.demands.Nonce {
		return refuse("use_dpop_nonce")
	}
	hash := ""
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		hash = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if c.Method != r.Method || c.URL != p.Issuer+r.URL.Path || c.Hash != hash || !p.once(c.ID) ||
		!slices.Contains([]int64{0, 1}, p.clock.Now().Unix()-int64(c.IssuedAt)) {
		return refuse("invalid_dpop_proof")
	}
	jkt, err = jose.Thumbprint(key)
	return jkt, err == nil
}
