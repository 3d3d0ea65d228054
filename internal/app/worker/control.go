//go:build conformance

package worker

import (
	"net/http"
	"strings"

	"dex/internal/app/control"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
)

// control adds what tests by others do to a running server.
func (w *Worker) control(mux *http.ServeMux, s *site, p *parts, desk grant.Desk, proofs *proof.Desk) {
	(&control.Handler{
		Issuer: s.issuer, Ring: p.ring, Access: mint.Reader{Issuer: s.issuer, Find: p.ring.Find, Opaque: mint.NewOpaque(p.tenant.RefreshKey(), s.issuer)},
		Clients: p.tenant, Grants: p.tenant,
		Desk: desk, Proofs: proofs, Clock: w.db.Clock(),
		Answers: grant.Answerer{Devices: p.tenant, Clients: p.tenant, Users: p.tenant, Desk: desk, Clock: w.db.Clock()},
	}).Routes(mux)
}

// controls reports whether a route is one of the control, which clients reach where they
// show certificates, too.
func controls(route string) bool { return strings.HasPrefix(route, "/conformance/") }
