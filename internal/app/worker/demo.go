package worker

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"dex/examples/app"
	"dex/internal/admin/declare"
	"dex/internal/app/config"
	"dex/internal/base/httpx"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/protocol/oauth"
)

// demoID is the client id of the demo application.
const demoID = "demo"

// demoUsers are whom to log in as when dex is tried. Their passwords are no secret,
// and so they exist on a loopback address only.
var demoUsers = []declare.User{
	{
		Username: "ann", Email: "ann@example.com", EmailVerified: true, Name: "Ann Example", GivenName: "Ann", FamilyName: "Example",
		Locale: "en", Groups: []string{"admins", "engineering"}, Password: "ann-likes-dex",
	},
	{
		Username: "ben", Email: "ben@example.com", EmailVerified: true, Name: "Ben Beispiel", GivenName: "Ben", FamilyName: "Beispiel",
		Locale: "de", Groups: []string{"engineering"}, Password: "ben-likes-dex",
	},
}

// Demo is the demo application, and what belongs to it.
type Demo struct {
	listener net.Listener
	secret   secret.Value
	url      string
}

// AddDemo adds to the settings what somebody needs who tries dex: people to log in
// as, unless there are some, and an application to log in to, which will answer
// at the listener.
func AddDemo(s *config.Settings, listener net.Listener) *Demo {
	d := &Demo{listener: listener, secret: secret.New(secret.ClientPrefix), url: "http://" + listener.Addr().String()}
	if len(s.Users) == 0 {
		s.Users = append(s.Users, demoUsers...)
	}
	s.Clients = append(s.Clients, declare.Client{
		ID: demoID, Name: "Demo application", Profile: string(client.Standard), AuthMethod: string(oauth.AuthSecretBasic),
		Secrets:                []secret.Value{d.secret},
		RedirectURIs:           []string{d.url + app.CallbackPath},
		PostLogoutRedirectURIs: []string{d.url + app.LoggedOutPath},
		GrantTypes:             []string{client.AuthorizationCode, client.RefreshToken},
		IDTokenAlg:             "RS256",
	})
	return d
}

// Serve answers at the demo application's listener until ctx is done.
func (d *Demo) Serve(ctx context.Context, issuer string, log *slog.Logger) error {
	h, err := app.New(app.Config{
		Issuer: issuer, ClientID: demoID, ClientSecret: string(d.secret), BaseURL: d.url,
		Logger: log.With("app", "demo"),
	})
	if err != nil {
		return err
	}
	return httpx.Serve(ctx, d.listener, httpx.NewServer(h, log), drain)
}

// Greet tells somebody who tries dex where to go and whom to log in as.
func (d *Demo) Greet(out io.Writer, s *config.Settings) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  dex is running, without a database: everything is forgotten when it stops.\n\n")
	fmt.Fprintf(&b, "    Log in here     %s   (the demo application)\n", d.url)
	fmt.Fprintf(&b, "    Issuer          %s\n\n", s.Issuer)
	shown := false
	for _, u := range s.Users {
		if u.Password == "" {
			continue
		}
		if !shown {
			fmt.Fprintf(&b, "    %-20s %s\n", "Log in as", "Password")
			shown = true
		}
		fmt.Fprintf(&b, "    %-20s %s\n", cmp.Or(u.Email, u.Username), string(u.Password))
	}
	fmt.Fprintf(&b, "\n    Mail            dex sends none yet; when it does, it will show up in this terminal.\n")
	fmt.Fprintf(&b, "    Stop            Ctrl-C\n\n")
	_, _ = io.WriteString(out, b.String())
}

// demoURL is where the demo application is, for the home page.
func (w *Worker) demoURL(s *site) string {
	if !w.settings.NoDB || s != w.home {
		return ""
	}
	for _, c := range w.settings.Clients {
		if c.ID == demoID && len(c.RedirectURIs) > 0 {
			return strings.TrimSuffix(c.RedirectURIs[0], app.CallbackPath)
		}
	}
	return ""
}
