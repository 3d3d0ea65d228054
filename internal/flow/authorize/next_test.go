package authorize

import (
	"testing"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// asks is a request for two scopes with something changed about it.
func asks(change func(r *grant.Request)) grant.Request {
	r := grant.Request{
		StartedAt: noon.Add(-time.Minute),
		Asked:     oauth.Authorization{RedirectURI: "https://app.example.com/cb", Scopes: oauth.Scopes{"openid", "email"}},
	}
	if change != nil {
		change(&r)
	}
	return r
}

// ann is somebody who logged in an hour ago and has allowed what is asked.
func ann(change func(k *session.Known)) *session.Known {
	k := &session.Known{
		User: user.User{ID: "usr_ann"},
		Session: session.Session{
			ID: "ses_1", UserID: "usr_ann", AuthTime: noon.Add(-time.Hour),
			IdleUntil: noon.Add(time.Hour), ExpiresAt: noon.Add(2 * time.Hour),
		},
		Consent: oauth.Scopes{"openid", "email"},
	}
	if change != nil {
		change(k)
	}
	return k
}

func seconds(n int64) *oauth.Seconds {
	s := oauth.Seconds(n)
	return &s
}

func TestNext(t *testing.T) {
	app, trusted := client.Client{ID: "app"}, client.Client{ID: "app", Trusted: true}
	prompt := func(p oauth.Prompt) func(r *grant.Request) {
		return func(r *grant.Request) { r.Asked.Prompt = p }
	}
	tool := client.Client{ID: "tool", Trusted: true, Native: true, Public: true}
	administrative := func(r *grant.Request) { r.Asked.Scopes = oauth.Scopes{"openid", "dex:users:write"} }
	forgetful := func(k *session.Known) { k.Consent = nil }
	consent := func(by string, scopes ...string) func(r *grant.Request) {
		return func(r *grant.Request) { r.Answered.Consent, r.Answered.ConsentBy = scopes, by }
	}
	acr := func(classes ...string) func(r *grant.Request) {
		return func(r *grant.Request) { r.Asked.ACRValues = classes }
	}
	demand := func(r *grant.Request) {
		r.Asked.Claims = &oauth.ClaimsRequest{IDToken: map[string]*oauth.ClaimRequest{"acr": {Essential: true, Value: []byte(`"aal2"`)}}}
	}
	twice := func(k *session.Known) {
		k.Session.Methods = []credential.Method{credential.Password, credential.MultiStep}
	}
	for _, test := range []struct {
		name    string
		request grant.Request
		client  client.Client
		session *session.Known
		want    step
	}{
		{"nobody is logged in", asks(nil), app, nil, stepLogin},
		{"nobody is logged in, and the client is trusted", asks(nil), trusted, nil, stepLogin},
		{"the session was idle until this very moment", asks(nil), app, ann(func(k *session.Known) { k.Session.IdleUntil = noon }), stepLogin},
		{"the session ends at this very moment", asks(nil), app, ann(func(k *session.Known) { k.Session.ExpiresAt = noon }), stepLogin},
		{"the session has an instant left", asks(nil), app, ann(func(k *session.Known) { k.Session.IdleUntil = noon.Add(time.Microsecond) }), stepRespond},

		{"a class that the login is of", asks(acr("aal1")), app, ann(nil), stepRespond},
		{"a class that the login is not of", asks(acr("aal2")), app, ann(nil), stepLogin},
		{"one of two that it is of", asks(acr("aal2", "aal1")), app, ann(nil), stepRespond},
		{"a class that it is more than", asks(acr("aal1")), app, ann(twice), stepRespond},
		{"a class that it was made for, in vain", asks(func(r *grant.Request) { acr("aal2")(r); r.Answered.SessionID = "ses_1" }), app, ann(nil), stepRespond},
		{"a class that nobody knows", asks(acr("phr")), app, ann(nil), stepRespond},
		{"a mere wish when nobody may be asked", asks(func(r *grant.Request) { acr("aal2")(r); r.Asked.Prompt.None = true }), app, ann(nil), stepRespond},
		{"a demand when nobody may be asked", asks(func(r *grant.Request) { demand(r); r.Asked.Prompt.None = true }), app, ann(nil), stepLogin},
		{"a demand that is met", asks(demand), app, ann(twice), stepRespond},

		{"all is there", asks(nil), app, ann(nil), stepRespond},
		{"prompt=login asks somebody who is logged in", asks(prompt(oauth.Prompt{Login: true})), app, ann(nil), stepLogin},
		{"prompt=select_account asks somebody who is logged in", asks(prompt(oauth.Prompt{SelectAccount: true})), app, ann(nil), stepLogin},
		{"prompt=login is content with a login made for this very request", asks(func(r *grant.Request) {
			r.Asked.Prompt.Login, r.Answered.SessionID = true, "ses_1"
		}), app, ann(nil), stepRespond},
		{"prompt=login is not content with a login made in another session", asks(func(r *grant.Request) {
			r.Asked.Prompt.Login, r.Answered.SessionID = true, "ses_2"
		}), app, ann(nil), stepLogin},
		{"who wants to be somebody else logs in again", asks(func(r *grant.Request) { r.Answered.Switch = true }), app, ann(nil), stepLogin},
		{"who wanted to be somebody else has logged in", asks(func(r *grant.Request) {
			r.Answered.Switch, r.Answered.SessionID = true, "ses_1"
		}), app, ann(nil), stepRespond},

		{"a login as old as max_age is fresh", asks(func(r *grant.Request) { r.Asked.MaxAge = seconds(3600) }), app, ann(nil), stepRespond},
		{"a login older than max_age is not", asks(func(r *grant.Request) { r.Asked.MaxAge = seconds(3599) }), app, ann(nil), stepLogin},
		{"max_age=0 asks always", asks(func(r *grant.Request) { r.Asked.MaxAge = seconds(0) }), app, ann(nil), stepLogin},
		{"max_age=0 is content with a login made for this very request", asks(func(r *grant.Request) {
			r.Asked.MaxAge, r.Answered.SessionID = seconds(0), "ses_1"
		}), app, ann(nil), stepRespond},

		{"consent is missing", asks(nil), app, ann(forgetful), stepConsent},
		{"consent covers only some", asks(nil), app, ann(func(k *session.Known) { k.Consent = oauth.Scopes{"openid"} }), stepConsent},
		{"consent covers more", asks(nil), app, ann(func(k *session.Known) { k.Consent = append(k.Consent, "groups") }), stepRespond},
		{"a trusted client needs no consent", asks(nil), trusted, ann(forgetful), stepRespond},
		{"prompt=consent asks who has allowed it before", asks(prompt(oauth.Prompt{Consent: true})), app, ann(nil), stepConsent},
		{"prompt=consent asks for a trusted client too", asks(prompt(oauth.Prompt{Consent: true})), trusted, ann(nil), stepConsent},
		{"consent given just now counts", asks(consent("usr_ann", "openid", "email")), app, ann(forgetful), stepRespond},
		{"consent given just now answers prompt=consent", asks(func(r *grant.Request) {
			consent("usr_ann", "openid", "email")(r)
			r.Asked.Prompt.Consent = true
		}), app, ann(forgetful), stepRespond},
		{"consent given just now for less does not", asks(consent("usr_ann", "openid")), app, ann(forgetful), stepConsent},
		{"consent of somebody else does not count", asks(consent("usr_ben", "openid", "email")), app, ann(forgetful), stepConsent},
		{"consent to nothing does not count", asks(func(r *grant.Request) {
			r.Asked.Scopes, r.Asked.Prompt.Consent, r.Answered.ConsentBy = nil, true, "usr_ann"
		}), app, ann(forgetful), stepConsent},

		{"an application's own scheme asks again, whatever was allowed before", asks(func(r *grant.Request) { r.Asked.RedirectURI = "com.example.app:/cb" }), app, ann(nil), stepConsent},
		{"an application's own scheme asks again, even for a trusted client", asks(func(r *grant.Request) { r.Asked.RedirectURI = "com.example.app:/cb" }), trusted, ann(nil), stepConsent},
		{"an application's own scheme is content with consent given just now", asks(func(r *grant.Request) {
			consent("usr_ann", "openid", "email")(r)
			r.Asked.RedirectURI = "com.example.app:/cb"
		}), app, ann(nil), stepRespond},
		{"a loopback address is no scheme of its own", asks(func(r *grant.Request) { r.Asked.RedirectURI = "http://127.0.0.1:49152/cb" }), app, ann(nil), stepRespond},

		{"administrative scopes on a device are asked for, even for a trusted client", asks(administrative), tool, ann(nil), stepConsent},
		{"administrative scopes that were allowed just now are not", asks(func(r *grant.Request) {
			administrative(r)
			consent("usr_ann", r.Asked.Scopes...)(r)
		}), tool, ann(nil), stepRespond},
		{"administrative scopes that any program on the machine may get are asked for", asks(func(r *grant.Request) {
			administrative(r)
			r.Asked.RedirectURI = "http://127.0.0.1:5555/cb"
		}), client.Client{ID: "app", Trusted: true, Public: true}, ann(func(k *session.Known) { k.Consent = oauth.Scopes{"openid", "dex:users:write"} }), stepConsent},
		{"a trusted client without a secret that returns elsewhere is not asked about", asks(administrative), client.Client{ID: "app", Trusted: true, Public: true}, ann(nil), stepRespond},
		{"a trusted client on a device gets the rest without a question", asks(nil), tool, ann(forgetful), stepRespond},
		{"a trusted client with a secret is not asked about", asks(administrative), trusted, ann(nil), stepRespond},

		{"who has to log in is not asked for consent first", asks(prompt(oauth.Prompt{Login: true, Consent: true})), app, ann(forgetful), stepLogin},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := next(test.request, test.client, test.session, noon); got != test.want {
				t.Errorf("next is %d, want %d", got, test.want)
			}
		})
	}
}

func TestAClientThatWantsNobodyAskedHearsWhatIsMissing(t *testing.T) {
	if got := stepLogin.silentError().Code; got != oauth.LoginRequired {
		t.Errorf("login: %s", got)
	}
	if got := stepConsent.silentError().Code; got != oauth.ConsentRequired {
		t.Errorf("consent: %s", got)
	}
}

func TestAllowed(t *testing.T) {
	app, trusted := client.Client{ID: "app"}, client.Client{ID: "app", Trusted: true}
	now := func(by string) grant.Request {
		return asks(func(r *grant.Request) { r.Answered.Consent, r.Answered.ConsentBy = oauth.Scopes{"openid"}, by })
	}
	for _, test := range []struct {
		name    string
		request grant.Request
		client  client.Client
		want    string
	}{
		{"what was allowed before", asks(nil), app, "openid email"},
		{"what was allowed just now goes before that", now("usr_ann"), app, "openid"},
		{"what somebody else has allowed is nothing", now("usr_ben"), app, "openid email"},
		{"a trusted client may have what it asks for", asks(nil), trusted, "openid email"},
		{"a trusted client may have no more than the person was asked for", now("usr_ann"), trusted, "openid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := allowed(test.request, test.client, ann(nil)).String(); got != test.want {
				t.Errorf("allowed is %q, want %q", got, test.want)
			}
		})
	}
}
