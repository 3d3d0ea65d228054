package authorize

import (
	"net/http"
	"net/url"
	"strings"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
	"dex/web"
)

// consentPage asks whether the client may have what it asks for.
type consentPage struct {
	ClientName, ClientHost string
	ClientLogo             string
	PolicyURL, TermsURL    string
	UserName, UserEmail    string
	Scopes                 []scopeLine
	Resources              []string       // that it would have tokens for, RFC 8707
	Details                []oauth.Detail // what it asks for in detail, RFC 9396
	Action, Attempt, CSRF  string         // the token names the account that the page speaks of, too
	Remember               bool
}

// scopeLine is a scope in words. The client is the one that a cross-client
// audience names.
type scopeLine struct{ Name, Client string }

func (consentPage) Template() string { return "authorize/consent.html" }

// ask shows the consent page.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	req, c, err := h.load(r, params.Get("attempt"))
	if err != nil {
		return err
	}
	known, denial, err := h.session(r, c)
	if err != nil {
		return err
	}
	if denial != nil {
		known = nil
	}
	mine, told := within(req, known)
	if told != nil || next(mine, c, known, h.Clock.Now()) != stepConsent {
		return httpx.SeeOther(w, r, h.Base+route.Authorize+"?attempt="+req.ID)
	}
	page := h.consentPage(r, mine, c, known)
	if req.Device != nil {
		return h.Pages.Render(w, r, web.View{Page: page.waiting(*req.Device, h.Clock.Now())})
	}
	return h.Pages.Render(w, r, web.View{Page: page, Locales: req.Asked.UILocales, LeadsOut: true, Logo: c.LogoURL != ""})
}

func (h *Handler) consentPage(r *http.Request, req grant.Request, c client.Client, known *session.Known) consentPage {
	page := consentPage{
		ClientName: c.Name, ClientLogo: c.LogoURL, PolicyURL: c.PolicyURL, TermsURL: c.TermsURL,
		UserName: known.PersonName(), UserEmail: known.Identity.Profile.Email,
		Action: h.Base + route.Consent, Attempt: req.ID, CSRF: req.CSRF + "." + known.User.ID,
		Remember: remembers(req, c), Resources: req.Asked.Resources, Details: oauth.DetailsOf(req.Asked.Details),
	}
	if u, err := url.Parse(req.Asked.RedirectURI); err == nil && req.Device == nil {
		if page.ClientHost = u.Host; u.Host == "" {
			page.ClientHost = u.Scheme + ":"
		}
	}
	for _, s := range needed(req, c) {
		line := scopeLine{Name: s}
		if noun, reads := strings.CutSuffix(s, ":read"); reads && role.IsAdministrative(s) && req.Asked.Scopes.Contains(noun+":write") {
			continue // who is told that it may be changed need not be told that it may be seen
		}
		if id, ok := oauth.CrossClientAudience(s); ok {
			line = scopeLine{Name: "audience", Client: id}
			if peer, err := h.Clients.Client(r.Context(), id); err == nil {
				line.Client = peer.Name
			}
		}
		page.Scopes = append(page.Scopes, line)
	}
	return page
}

// answer takes what the person said.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	req, c, err := h.load(r, form.Get("attempt"))
	if err != nil {
		return err
	}
	token, account, _ := strings.Cut(form.Get("csrf"), ".")
	if err := req.CheckCSRF(token); err != nil {
		return err
	}
	known, denial, err := h.session(r, c)
	if err != nil {
		return err
	}
	if denial != nil {
		known = nil
	}
	now := h.Clock.Now()
	// While the page was open somebody else may have logged in. What the page said
	// of one account is no consent of the other.
	mine, told := within(req, known)
	if told != nil || next(mine, c, known, now) != stepConsent || account != known.User.ID {
		return httpx.SeeOther(w, r, h.Base+route.Authorize+"?attempt="+req.ID)
	}
	switch form.Get("answer") {
	case "allow":
		req.Answered.Consent, req.Answered.ConsentBy = needed(mine, c), known.User.ID
		req.Note(now, "consent", "given")
		if form.Get("remember") != "" && remembers(req, c) {
			if err := h.Grants.KeepConsent(r.Context(), known.User.ID, c.ID, needed(mine, c), now); err != nil {
				return err
			}
		}
	case "deny":
		req.Answered.Canceled = true
		req.Note(now, "consent", "refused")
	case "switch":
		req.Answered.Switch, req.Answered.SessionID = true, ""
		req.Note(now, "consent", "the person wants another account")
	default:
		return fault.New(fault.Invalid, "The answer is missing.")
	}
	return h.leave(w, r, req, c, route.Authorize)
}
