package fault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What is the same for all.
const (
	callback = "https://app.example.com/cb"
	password = "correct horse battery"
)

// person is somebody who uses the application all the time, strictly by the rules: of
// a code there is one try more when its answer is lost, and a refresh is asked for
// again with the last token until there is an answer.
type person struct {
	site   *site
	name   string
	chance *rand.Rand
	kept   []*family
}

// tokens is an answer of the token endpoint.
type tokens struct {
	status       int
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

// send posts to an endpoint as the application.
func (s *site) send(ctx context.Context, path string, form url.Values) (*answer, error) {
	basic := base64.StdEncoding.EncodeToString([]byte("app:app-secret"))
	return s.browser().do(ctx, http.MethodPost, s.url+path, form, "Authorization", "Basic "+basic)
}

func (s *site) token(ctx context.Context, form url.Values) (tokens, error) {
	a, err := s.send(ctx, "/token", form)
	if err != nil {
		return tokens{}, err
	}
	t := tokens{status: a.status}
	return t, json.Unmarshal([]byte(a.body), &t)
}

// claim reads a claim of a JWT.
func claim(token, name string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	claims := map[string]any{}
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	text, _ := claims[name].(string)
	if err != nil {
		return ""
	}
	return text
}

// live goes on until ctx is done.
func (p *person) live(ctx context.Context) {
	b := p.site.browser()
	for ctx.Err() == nil {
		if p.chance.IntN(3) == 0 {
			b = p.site.browser() // a stranger again
		}
		if !p.once(ctx, b) {
			pause(ctx, 30*time.Millisecond)
		}
	}
}

// once goes from a login to whatever becomes of it.
func (p *person) once(ctx context.Context, b *browser) bool {
	r := p.site.request()
	code, err := b.code(ctx, r, p.name)
	if err != nil {
		p.gaveUp(ctx, "a login", err)
		return false
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {r.verifier}}
	t, ok := p.redeem(ctx, form)
	if !ok {
		return false
	}
	f := &family{id: claim(t.AccessToken, "gid"), token: t.RefreshToken, access: t.AccessToken, generation: 1}
	p.site.ledger.redeemed(code, f)
	for range p.chance.IntN(4) {
		if !p.refresh(ctx, f) {
			return false
		}
	}
	switch n := p.chance.IntN(20); {
	case n < 5:
		p.revoke(ctx, f)
	case n < 8:
		p.replay(ctx, f, form)
	case n < 11:
		p.logOut(ctx, b, t.IDToken)
	default:
		p.kept = append(p.kept, f)
	}
	if len(p.kept) > 0 {
		p.refresh(ctx, p.kept[p.chance.IntN(len(p.kept))])
	}
	return true
}

// gaveUp notes why something was not gone on with.
func (p *person) gaveUp(ctx context.Context, what string, err error) {
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, errAway):
		p.site.ledger.count(what + " was given up")
	default:
		p.site.ledger.wrongly("%v", err)
	}
}

// redeem exchanges a code, and once more if nobody knows what came of it.
func (p *person) redeem(ctx context.Context, form url.Values) (tokens, bool) {
	unknown := false
	for range 2 {
		t, err := p.site.token(ctx, form)
		switch {
		case err == nil && t.status == http.StatusOK:
			return t, true
		case err == nil && unknown && t.Error == "invalid_grant":
			p.site.ledger.count("codes spent by a lost answer")
			return t, false
		case err == nil:
			p.site.ledger.wrongly("a fresh code: %d %s %s", t.status, t.Error, t.Description)
			return t, false
		}
		unknown = true
		pause(ctx, 50*time.Millisecond)
	}
	p.site.ledger.count("codes given up")
	return tokens{}, false
}

// refresh asks for new tokens until there is an answer. Promise 2: with the last token
// that it was given, a client never loses its session.
func (p *person) refresh(ctx context.Context, f *family) bool {
	for ctx.Err() == nil {
		t, err := p.site.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {f.token}})
		switch {
		case err != nil:
			pause(ctx, 50*time.Millisecond)
		case t.status == http.StatusOK:
			if f.token != t.RefreshToken {
				f.token, f.access = t.RefreshToken, t.AccessToken
				f.generation++
			}
			p.site.ledger.count("refreshes")
			return true
		default:
			p.site.ledger.wrongly("a client has lost its session: %d %s %s", t.status, t.Error, t.Description)
			return false
		}
	}
	return false
}

// revoke revokes a family, and tells nobody before there is an answer.
func (p *person) revoke(ctx context.Context, f *family) {
	for ctx.Err() == nil {
		a, err := p.site.send(ctx, "/revoke", url.Values{"token": {f.token}})
		switch {
		case err == nil && a.status == http.StatusOK:
			f.revoked = true
			p.site.ledger.count("revocations")
			p.site.gone(ctx, f)
			return
		case err == nil:
			p.site.ledger.wrongly("a revocation: %d %s", a.status, a.body)
			return
		}
		f.uncertain = true
		pause(ctx, 50*time.Millisecond)
	}
}

// replay presents a used code once more, as a thief would who has seen all of it. What
// came of the code is over then.
func (p *person) replay(ctx context.Context, f *family, form url.Values) {
	for ctx.Err() == nil {
		f.uncertain = true
		t, err := p.site.token(ctx, form)
		switch {
		case err == nil && t.Error == "invalid_grant":
			f.revoked = true
			p.site.ledger.count("replays refused")
			p.site.gone(ctx, f)
			return
		case err == nil && t.status == http.StatusOK:
			p.site.ledger.wrongly("a code was redeemed twice")
			return
		case err == nil:
			p.site.ledger.wrongly("a replay: %d %s", t.status, t.Error)
			return
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// gone makes sure that nobody honours a family any more, if anybody can be reached.
func (s *site) gone(ctx context.Context, f *family) {
	t, err := s.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {f.token}})
	if err == nil && t.Error != "invalid_grant" {
		s.ledger.wrongly("a refresh token that was revoked: %d %s", t.status, t.Error)
	}
	a, err := s.send(ctx, "/introspect", url.Values{"token": {f.access}})
	if err == nil && (a.status != http.StatusOK || strings.Contains(a.body, `"active":true`)) {
		s.ledger.wrongly("an access token that was revoked: %d %s", a.status, a.body)
	}
}

// logOut ends the session of a browser.
func (p *person) logOut(ctx context.Context, b *browser, idToken string) {
	session, had := claim(idToken, "sid"), b.cookies()
	for ctx.Err() == nil {
		a, err := b.do(ctx, http.MethodGet, p.site.url+"/logout?"+url.Values{"id_token_hint": {idToken}}.Encode(), nil, "Sec-Fetch-Site", "none")
		switch {
		case err == nil && a.status < 400:
			p.site.ledger.loggedOut(session, had)
			p.site.out(ctx, had)
			return
		case err == nil:
			p.site.ledger.wrongly("a logout: %d %.300s", a.status, text(a.body))
			return
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// out makes sure that nobody honours the cookies of somebody who has logged out.
func (s *site) out(ctx context.Context, had []*http.Cookie) {
	b := s.browser()
	b.jar.SetCookies(s.home, had)
	a, err := b.do(ctx, http.MethodGet, s.request("prompt", "none").address, nil, "Sec-Fetch-Site", "none")
	if a, err = b.follow(ctx, a, err); err == nil {
		if got := a.url.Query().Get("error"); got != "login_required" && got != "temporarily_unavailable" {
			s.ledger.wrongly("after a logout: %d %s %q", a.status, a.url.Path, got)
		}
	}
}

// cookies are what the browser would send.
func (b *browser) cookies() []*http.Cookie { return b.jar.Cookies(b.site.home) }

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
