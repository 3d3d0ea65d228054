package grant

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

var now = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

// good returns a case that passes on every path.
func good(p Path) Case {
	c := client.Client{
		ID: "app", RedirectURIs: []string{"https://app.example.com/cb"},
		GrantTypes:    []string{client.AuthorizationCode, client.RefreshToken, client.ClientCredentials, client.DeviceCode, client.CIBA, client.TokenExchange, client.JWTBearer, client.Implicit, client.Password},
		ResponseTypes: []oauth.ResponseType{oauth.ResponseTypeCode, oauth.ResponseTypeCodeIDToken},
		Scopes:        oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeOffline, "api"},
		TrustedPeers:  []string{},
		IDJAGAudiences: []client.IDJAGAudience{
			{Issuer: "other", ClientID: "there", Scopes: oauth.Scopes{oauth.ScopeOpenID, "api", role.Read(role.Users)}},
			{Issuer: "app", ClientID: "there", Scopes: oauth.Scopes{oauth.ScopeOpenID}},
			{Issuer: "https://id.example.com", ClientID: "there", Scopes: oauth.Scopes{oauth.ScopeOpenID}},
		},
		Connectors: []string{"corp"}, Groups: []string{"staff"}, NativeSSOGroup: "apps",
	}
	k := Case{
		Path: p, Now: now, Tenant: tenant.Tenant{ID: "default", Issuer: "https://id.example.com"}, Client: c,
		Peers:        map[string]client.Client{"other": {ID: "other", TrustedPeers: []string{"app"}}},
		Connector:    &Connector{ID: "corp"},
		User:         &user.User{ID: "usr_1"},
		Identity:     &user.Identity{ConnectorID: "corp", Profile: user.Profile{Groups: []string{"staff"}}},
		Session:      &session.Session{ID: "ses_1", AuthTime: now.Add(-time.Minute), CreatedAt: now.Add(-time.Minute), IdleUntil: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)},
		RedirectURI:  "https://app.example.com/cb",
		ResponseType: oauth.ResponseTypeCodeIDToken,
		RequestedAt:  now.Add(-time.Second),
		Consent:      oauth.Scopes{oauth.ScopeOpenID},
		Sharing: Sharing{
			Group: "apps", Since: now.Add(-time.Minute),
			Sharers: []Sharer{{Client: client.Client{ID: "first", NativeSSOGroup: "apps"}, Since: now.Add(-time.Minute)}},
		},
		Authorization: Authorization{
			ID: "gra_1", ClientID: "app", UserID: "usr_1", ConnectorID: "corp", SessionID: "ses_1",
			Scopes: oauth.Scopes{oauth.ScopeOpenID}, Audience: []string{"other"}, IssuedAt: now.Add(-time.Minute),
		},
	}
	return k
}

// spoil makes a good case one that the reason must stop, where it is asked.
var spoil = map[Reason]func(c *Case){
	TenantDisabled:   func(c *Case) { c.Tenant.Disabled = true },
	TenantEpoch:      func(c *Case) { c.Tenant.NotBefore = now },
	ClientDisabled:   func(c *Case) { c.Client.Disabled = true },
	ClientEpoch:      func(c *Case) { c.Client.NotBefore = now },
	GrantTypeMissing: func(c *Case) { c.Client.GrantTypes = nil },
	LoginNotShared:   func(c *Case) { c.Client.NativeSSOGroup = "others" },
	ResponseTypeMissing: func(c *Case) {
		c.Client.ResponseTypes = []oauth.ResponseType{oauth.ResponseTypeIDToken}
	},
	RedirectURIRemoved: func(c *Case) { c.Client.RedirectURIs = []string{"https://elsewhere.example.com/cb"} },
	ScopeNotAllowed: func(c *Case) {
		c.Client.Scopes = oauth.Scopes{"api"}
		c.Client.IDJAGAudiences = []client.IDJAGAudience{{Issuer: "other", Scopes: oauth.Scopes{"api"}}}
	},
	AudienceNotAllowed: func(c *Case) {
		c.Peers, c.Client.IDJAGAudiences = map[string]client.Client{"other": {ID: "other"}}, c.Client.IDJAGAudiences[1:]
	},
	ConnectorGone: func(c *Case) { c.Connector.Disabled = true },
	ConnectorNotAllowed: func(c *Case) {
		c.Client.Connectors = []string{"another"}
	},
	UserGone:        func(c *Case) { c.User = nil },
	UserDisabled:    func(c *Case) { c.User.Disabled = true },
	UserEpoch:       func(c *Case) { c.User.NotBefore = now },
	IdentityGone:    func(c *Case) { c.Identity = nil },
	GroupNotAllowed: func(c *Case) { c.Identity.Profile.Groups = []string{"guests"} },
	RoleMissing: func(c *Case) {
		c.Client.Trusted = true
		c.Client.Scopes = append(slices.Clone(c.Client.Scopes), role.Read(role.Users))
		c.Authorization.Scopes = oauth.Scopes{oauth.ScopeOpenID, role.Read(role.Users)}
	},
	SessionEnded: func(c *Case) { c.Session = nil },
	AuthTooOld: func(c *Case) {
		limit := 30 * time.Second
		c.MaxAge = &limit
	},
	AuthTooWeak:    func(c *Case) { c.Classes = []string{credential.MultiFactor} },
	ConsentMissing: func(c *Case) { c.Consent = nil },
	GrantRevoked:   func(c *Case) { c.RevokedAt = now },
	TokenRevoked:   func(c *Case) { c.TokenRevoked = true },
}

// stops is what is expected of every reason on every path, in the order open a
// session, reuse a session, issue a code, redeem a code, refresh, act for itself,
// userinfo, introspect, introspect a client's own token, administer, administer by a
// client's own token, approve a device, redeem a device's code, approve and redeem a
// request by the back channel, issue tokens, exchange a token, take an assertion,
// exchange another issuer's token, take a password, share a login, assert an identity. It repeats nothing of the gate's own table.
var stops = map[Reason]string{
	//                    open reuse issue redeem refresh itself userinfo introspect own        administer own  approve redeemD approveB redeemB tokens exchange assertion foreign password share assert
	TenantDisabled:      "stop stop  stop  stop   stop    stop   stop     stop       stop       stop       stop stop    stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	TenantEpoch:         "-    stop  -     stop   stop    -      stop     stop       stop       stop       stop -       stop    -        stop          -     stop     stop   stop    -         stop    stop",
	ClientDisabled:      "stop stop  stop  stop   stop    stop   stop     stop       stop       stop       stop stop    stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	ClientEpoch:         "-    -     -     stop   stop    -      stop     stop       stop       stop       stop -       stop    -        stop          -     stop     stop   stop    -         -    stop",
	GrantTypeMissing:    "-    -     stop  stop   stop    stop   -        -          stop       -          stop stop    stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	LoginNotShared:      "-    -     -     -      -       -      -        -          -       -          -    -          -       -        -        -     -     -      -       -        stop    -",
	ResponseTypeMissing: "-    -     stop  -      -       -      -        -          -       -          -    -          -       -        -        stop  -     -      -       -         -    -",
	RedirectURIRemoved:  "-    -     stop  stop   -       -      -        -          -       -          -    -          -       -        -             stop  -     -      -       -         -    -",
	ScopeNotAllowed:     "-    -     stop  stop   stop    stop   stop     stop       stop       stop       stop stop    stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	AudienceNotAllowed:  "-    -     stop  stop   stop    stop   stop     stop       stop       stop       stop stop    stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	ConnectorGone:       "stop stop  stop  stop   stop    -      stop     stop       -       stop       -    stop       stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	ConnectorNotAllowed: "stop stop  stop  stop   stop    -      stop     stop       -       stop       -    stop       stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	UserGone:            "stop stop  stop  stop   stop    -      stop     stop       -       stop       -    stop       stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	UserDisabled:        "stop stop  stop  stop   stop    -      stop     stop       -       stop       -    stop       stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	UserEpoch:           "-    stop  -     stop   stop    -      stop     stop       -       stop       -    -          stop    -        stop          -     stop     stop   stop    -         stop    stop",
	IdentityGone:        "stop stop  stop  stop   stop    -      stop     stop       -       stop       -    stop       stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	GroupNotAllowed:     "-    -     stop  stop   stop    -      stop     stop       -       stop       -    stop       stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	RoleMissing:         "-    -     stop  stop   stop    -      stop     stop       -          stop       -    stop    stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	SessionEnded:        "-    stop  stop  stop   stop    -      stop     stop       -       stop       -    stop       stop    stop     stop          stop  stop     stop   stop    stop    stop    stop",
	AuthTooOld:          "-    -     stop  -      -       -      -        -          -       -          -    stop       -       stop     -             stop  -     -      -       -         -    -",
	AuthTooWeak:         "-    -     stop  -      -       -      -        -          -       -          -    -          -       -        -        stop  -     -      -       -         -    -",
	ConsentMissing:      "-    -     stop  -      -       -      -        -          -       -          -    stop       -       stop     -             stop  -     stop   stop    stop    stop    -",
	GrantRevoked:        "-    -     -     stop   stop    -      stop     stop       -       stop       -    -          stop    -        stop          -     stop     -      -       -         stop    stop",
	TokenRevoked:        "-    -     -     -      -       -      stop     stop       stop       stop       stop -       -       -        -             -     stop     -      -       -         -    -",
}

// matrix tries every path with every reason against a gate, and says what is not
// as expected.
func matrix(t *testing.T, gate []check) (wrong []string) {
	for p := OpenSession; p < pathEnd; p++ {
		if _, err := decide(gate, good(p)); err != nil {
			wrong = append(wrong, p.String()+": a good case is refused: "+err.Error())
		}
		for reason, spoilIt := range spoil {
			expected := fields(t, stops[reason])[p-1] == "stop"
			c := good(p)
			spoilIt(&c)
			permit, err := decide(gate, c)
			denial, denied := errors.AsType[*Denial](err)
			switch {
			case denied != expected:
				wrong = append(wrong, p.String()+", although "+string(reason)+": denied is "+map[bool]string{true: "true", false: "false"}[denied])
			case denied && denial.Reason != reason:
				wrong = append(wrong, p.String()+": the reason is not "+string(reason)+" but "+string(denial.Reason))
			case denied:
				if _, err := permit.For(p); err == nil {
					wrong = append(wrong, p.String()+": a denial comes with a permit")
				}
			}
		}
	}
	return wrong
}

func fields(t *testing.T, row string) []string {
	t.Helper()
	all := strings.Fields(row)
	if len(all) != int(pathEnd)-1 {
		t.Fatalf("the row %q does not say something for each of %d paths", row, pathEnd-1)
	}
	return all
}

func TestEveryPathStopsForEveryReasonThatConcernsIt(t *testing.T) {
	for _, w := range matrix(t, checks) {
		t.Error(w)
	}
}

func TestTheMatrixIsComplete(t *testing.T) {
	for _, k := range checks {
		if spoil[k.reason] == nil || stops[k.reason] == "" {
			t.Errorf("the gate stops because %q, and the matrix expects nothing of it", k.reason)
		}
	}
	if len(spoil) != len(checks) || len(stops) != len(checks) {
		t.Errorf("the gate has %d checks, the matrix spoils in %d ways and expects %d rows", len(checks), len(spoil), len(stops))
	}
	if len(pathNames) != int(pathEnd) {
		t.Errorf("there are %d paths and %d names", pathEnd-1, len(pathNames)-1)
	}
}

func TestRemovingOneCheckTurnsTheMatrixRed(t *testing.T) {
	for i, k := range checks {
		if len(matrix(t, slices.Delete(slices.Clone(checks), i, i+1))) == 0 {
			t.Errorf("nobody would notice if the gate forgot that %s", k.reason)
		}
		for p := OpenSession; p < pathEnd; p++ {
			if !k.on.has(p) {
				continue
			}
			weakened := slices.Clone(checks)
			weakened[i].on &^= on(p)
			if len(matrix(t, weakened)) == 0 {
				t.Errorf("nobody would notice if the gate forgot, when it is asked to %s, that %s", p, k.reason)
			}
		}
	}
}

func TestOnlyTheGateMakesAPermit(t *testing.T) {
	if _, err := (Permit{}).For(OpenSession, IssueCode, RedeemCode, Refresh, ActForItself); err == nil {
		t.Error("a permit that nobody made is good for something")
	}
	p, err := Decide(good(Userinfo))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.For(RedeemCode, Refresh); err == nil {
		t.Error("a permit to read is good for minting")
	}
	if _, err := Decide(Case{}); err == nil {
		t.Error("a case without a path is permitted")
	}
}

func TestASessionBindsWhatWasNotMadeToOutliveIt(t *testing.T) {
	for _, tt := range []struct {
		name    string
		path    Path
		offline bool
		want    bool
	}{
		{"an access token dies with its session", Userinfo, false, false},
		{"one with offline access does not", Userinfo, true, true},
		{"nor does its refresh token", Refresh, true, true},
		{"but its code does", RedeemCode, true, false},
		{"what a person allowed by the back channel dies with the session they did it in", RedeemBackchannel, true, false},
	} {
		c := good(tt.path)
		c.Session = nil
		if tt.offline {
			c.Authorization.Scopes = oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeOffline}
		}
		if _, err := Decide(c); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestWhatWasMadeInNoSessionHasNoneThatCouldEnd(t *testing.T) {
	for p := OpenSession; p < pathEnd; p++ {
		c := good(p)
		c.Session, c.Authorization.SessionID = nil, ""
		_, err := Decide(c)
		denial, denied := errors.AsType[*Denial](err)
		if expected := fields(t, stops[SessionEnded])[p-1] == "stop" && ofBrowser.has(p); denied != expected || denied && denial.Reason != SessionEnded {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestATokensCaseHasItsOwnScopesAndAudience(t *testing.T) {
	const issuer = "https://id.example.com"
	for _, tt := range []struct {
		name     string
		audience []string
		want     []string
	}{
		{"the issuer and the client itself are nobody to be trusted by", []string{issuer, "app", "third"}, []string{"third"}},
		{"wherever they stand", []string{"third", "app", issuer}, []string{"third"}},
		{"a token for the issuer alone", []string{issuer}, nil},
		{"a token for nobody", nil, nil},
	} {
		given := slices.Clone(tt.audience)
		whole := good(Introspect)
		got := whole.Bearing(issuer, oauth.Scopes{"api"}, tt.audience)
		if !slices.Equal(got.Authorization.Audience, tt.want) || !slices.Equal(got.Authorization.Scopes, oauth.Scopes{"api"}) {
			t.Errorf("%s: %q for %q", tt.name, got.Authorization.Scopes, got.Authorization.Audience)
		}
		if !slices.Equal(tt.audience, given) {
			t.Errorf("%s: the token's audience has become %q", tt.name, tt.audience)
		}
		if !slices.Equal(whole.Authorization.Audience, []string{"other"}) {
			t.Errorf("%s: the grant's audience has become %q", tt.name, whole.Authorization.Audience)
		}
	}
}

// faces are the other ways in which a good case comes to be stopped for a reason.
var faces = []struct {
	name   string
	reason Reason
	spoil  func(c *Case)
}{
	{"the client is not there any more", ClientDisabled, func(c *Case) { c.Client.ID = "" }},
	{"the connector is not there any more", ConnectorGone, func(c *Case) { c.Connector = nil }},
	{"the client may not have the type of the authorization details", ScopeNotAllowed, func(c *Case) {
		c.Authorization.Terms.Details, c.DetailsAllowed = oauth.Details(`[{"type":"payment"}]`), true
	}},
	{"authorization details are allowed by themselves", ConsentMissing, func(c *Case) {
		c.Client.DetailsTypes = []string{"payment"}
		c.Authorization.Terms.Details = oauth.Details(`[{"type":"payment"}]`)
	}},
	{"the client may not ask for the resource any more", AudienceNotAllowed, func(c *Case) {
		c.Authorization.Audience, c.Authorization.Terms.Resources = nil, []string{"https://api.example"}
	}},
	{"who the tokens are for is not there any more", AudienceNotAllowed, func(c *Case) { c.Peers, c.Client.IDJAGAudiences = nil, nil }},
	{"who the tokens are for is disabled", AudienceNotAllowed, func(c *Case) {
		c.Peers = map[string]client.Client{"other": {ID: "other", TrustedPeers: []string{"app"}, Disabled: true}}
		c.Client.IDJAGAudiences = nil // a server elsewhere is not ours to disable
	}},
	{"of two whom the tokens are for one trusts nobody", AudienceNotAllowed, func(c *Case) {
		c.Authorization.Audience = []string{"other", "third"}
		c.Peers["third"] = client.Client{ID: "third"}
	}},
	{"one scope of several was taken away", ScopeNotAllowed, func(c *Case) {
		c.Authorization.Scopes = oauth.Scopes{oauth.ScopeOpenID, "email"}
		c.Consent = c.Authorization.Scopes
	}},
	{"a client that is not the operator's own asks to administer", ScopeNotAllowed, func(c *Case) {
		c.User.Role = string(role.Owner)
		c.Client.Scopes = append(slices.Clone(c.Client.Scopes), role.Read(role.Users))
		c.Authorization.Scopes = oauth.Scopes{oauth.ScopeOpenID, role.Read(role.Users)}
		c.Consent = c.Authorization.Scopes
	}},
	{"the person is in no group at all", GroupNotAllowed, func(c *Case) { c.Identity.Profile.Groups = nil }},
	{"nobody has used the session for long enough", SessionEnded, func(c *Case) { c.Session.IdleUntil = now }},
	{"the session is old enough, however much it was used", SessionEnded, func(c *Case) { c.Session.ExpiresAt = now }},
	{"the person has allowed nothing to a device of the operator's own", ConsentMissing, func(c *Case) {
		if c.Consent = nil; c.Path == ApproveDevice || c.Path == ApproveBackchannel {
			c.Client.Trusted = true
		}
	}},
	{"the person has never been asked, so that nothing is too much", ConsentMissing, func(c *Case) {
		if c.Consent = nil; vouched.has(c.Path) {
			c.Authorization.Scopes = nil
		}
	}},
	{"no class that is demanded is one that we know", AuthTooWeak, func(c *Case) { c.Classes = []string{"phr", ""} }},
	{"the response type is asked for in other words", ResponseTypeMissing, func(c *Case) { c.ResponseType = "id_token code" }},
	{"a client that says nothing of response types gets codes alone", ResponseTypeMissing, func(c *Case) { c.Client.ResponseTypes = nil }},
	{"the person has allowed less", ConsentMissing, func(c *Case) {
		c.Authorization.Scopes = oauth.Scopes{oauth.ScopeOpenID, "api"}
	}},
}

func TestEveryFaceOfAReasonStopsAsTheReasonDoes(t *testing.T) {
	for _, f := range faces {
		for p := OpenSession; p < pathEnd; p++ {
			c := good(p)
			f.spoil(&c)
			_, err := Decide(c)
			denial, denied := errors.AsType[*Denial](err)
			if expected := fields(t, stops[f.reason])[p-1] == "stop"; denied != expected || denied && denial.Reason != f.reason {
				t.Errorf("%s: %s: got %v, want a denial: %v", p, f.name, err, expected)
			}
		}
	}
}

func TestTheGateStopsNothingThatIsJustInTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		with func(c *Case)
	}{
		{"issued at the tenant's epoch itself", func(c *Case) {
			c.Tenant.NotBefore, c.Session.CreatedAt = c.Authorization.IssuedAt, c.Authorization.IssuedAt
		}},
		{"issued at the account's epoch itself", func(c *Case) {
			c.User.NotBefore, c.Session.CreatedAt = c.Authorization.IssuedAt, c.Authorization.IssuedAt
		}},
		{"the last moment of a session", func(c *Case) { c.Session.IdleUntil = now.Add(time.Microsecond) }},
		{"a proof as old as it may be", func(c *Case) {
			limit := now.Sub(c.Session.AuthTime)
			c.MaxAge = &limit
		}},
		{"an older proof that was given for this very request", func(c *Case) {
			limit := 30 * time.Second
			c.MaxAge, c.RequestedAt = &limit, c.Session.AuthTime
		}},
		{"a login that is surer than is demanded", func(c *Case) {
			c.Authorization.Methods = []credential.Method{credential.Password, credential.MultiStep}
			c.Classes = []string{"phr", credential.SingleFactor}
		}},
		{"a client that says nothing of response types", func(c *Case) {
			c.Client.ResponseTypes, c.ResponseType = nil, oauth.ResponseTypeCode
		}},
		{"a client that anybody may use", func(c *Case) { c.Client.Groups, c.Identity.Profile.Groups = nil, nil }},
		{"a client that takes every connector", func(c *Case) { c.Client.Connectors = nil }},
		{"a trusted client, to which nobody has allowed anything", func(c *Case) {
			c.Client.Trusted = true
			if c.Path != ApproveDevice && c.Path != ApproveBackchannel {
				c.Consent = nil
			}
		}},
		{"an administrator in a client of the operator's own", func(c *Case) {
			c.User.Role, c.Client.Trusted = string(role.Auditor), true
			c.Client.Scopes = append(slices.Clone(c.Client.Scopes), role.Read(role.Users))
			c.Authorization.Scopes = oauth.Scopes{oauth.ScopeOpenID, role.Read(role.Users)}
			c.Consent = c.Authorization.Scopes
		}},
		{"somebody whom a group of ours lets in", func(c *Case) {
			c.Identity.Profile.Groups, c.User.MemberOf = nil, []string{"staff"}
		}},
		{"tokens for the client itself", func(c *Case) {
			c.Authorization.Audience = []string{"app"}
			c.Peers = map[string]client.Client{"app": c.Client}
		}},
	} {
		for p := OpenSession; p < pathEnd; p++ {
			c := good(p)
			tt.with(&c)
			if _, err := Decide(c); err != nil {
				t.Errorf("%s: %s is refused: %v", p, tt.name, err)
			}
		}
	}
}

// Whoever takes their own assertions gives away more than was granted, and one that is for
// two servers either of them could bring to the other.
func TestAnAssertionIsForOneOtherServerAndForScopesThere(t *testing.T) {
	for _, tt := range []struct {
		name     string
		audience []string
		scopes   oauth.Scopes
		want     Reason
	}{
		{"for the other server", []string{"other"}, oauth.Scopes{"api"}, ""},
		{"without a scope", []string{"other"}, nil, ""},
		{"for ourselves", []string{"https://id.example.com"}, oauth.Scopes{"openid"}, AudienceNotAllowed},
		{"for two servers", []string{"other", "app"}, oauth.Scopes{"openid"}, AudienceNotAllowed},
		{"for nobody", nil, oauth.Scopes{"openid"}, AudienceNotAllowed},
		{"for a scope that the client has here alone", []string{"other"}, oauth.Scopes{"offline_access"}, ScopeNotAllowed},
		{"for an audience in the form of a scope", []string{"other"}, oauth.Scopes{"audience:server:client_id:peer"}, ScopeNotAllowed},
	} {
		c := good(AssertIdentity)
		c.Authorization.Audience, c.Authorization.Scopes = tt.audience, tt.scopes
		_, err := Decide(c)
		denial, _ := errors.AsType[*Denial](err)
		if denial == nil && tt.want != "" || denial != nil && (denial.Reason != tt.want || denial.Setting != "id_jag_audiences of client app") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
