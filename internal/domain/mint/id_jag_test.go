package mint

import (
	"testing"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

func TestAnIdentityAssertionSaysWhomItIsForAndIsNoAccessToken(t *testing.T) {
	k := newKeyring(t)
	for _, alg := range []jose.Algorithm{jose.RS256, jose.ES256} {
		c := app(alg)
		c.GrantTypes = append(c.GrantTypes, client.TokenExchange)
		c.IDJAGAudiences = []client.IDJAGAudience{{Issuer: "https://chat.example.com", ClientID: "app-there", Scopes: oauth.Scopes{"chat", "read"}}}
		a := ofAnn("chat")
		a.Audience, a.Until = []string{"https://chat.example.com"}, now.Add(time.Hour)
		p := permit(t, grant.AssertIdentity, c, a).BoundTo(oauth.Binding{JKT: "key", X5T: "certificate"})
		got, err := theMint(k).Assertion(p, c, now)
		if err != nil {
			t.Fatal(err)
		}
		if got.TokenType != "N_A" || got.ExpiresIn != 300 || got.Scope != "chat" || got.RefreshToken != "" || got.IDToken != "" {
			t.Errorf("the answer is %q for %d s, scope %q", got.TokenType, got.ExpiresIn, got.Scope)
		}
		claims := k.claims(t, got.AccessToken, jose.TypeIDJAG)
		for name, want := range map[string]any{
			"iss": issuer, "sub": "usr_ann", "aud": "https://chat.example.com", "client_id": "app-there", "scope": "chat",
			"iat": float64(now.Unix()), "exp": float64(now.Add(5 * time.Minute).Unix()), "auth_time": float64(now.Add(-time.Minute).Unix()),
		} {
			if claims[name] != want {
				t.Errorf("%s is %v, want %v", name, claims[name], want)
			}
		}
		if cnf, _ := claims["cnf"].(map[string]any); cnf["jkt"] != "key" || len(cnf) != 1 || claims["jti"] == "" || claims["gid"] != nil {
			t.Errorf("it says %v", claims)
		}
		a.Until = now.Add(time.Minute)
		if got, err := theMint(k).Assertion(permit(t, grant.AssertIdentity, c, a), c, now); err != nil || got.ExpiresIn != 60 {
			t.Errorf("of a token that has a minute left: %d s, %v", got.ExpiresIn, err)
		}
		if _, err := theMint(k).Tokens(p, c, &ann, now); err == nil {
			t.Error("the permit is good for an access token as well")
		}
		if _, err := theMint(k).Assertion(permit(t, grant.RedeemCode, app(alg), ofAnn("api")), c, now); err == nil {
			t.Error("a permit for tokens is good for an assertion")
		}
	}
}
