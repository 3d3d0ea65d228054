package worker

import (
	"dex/internal/domain/client"
	"dex/internal/flow/token"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// offer is what there is for clients: what discovery lists, and what a client can be
// registered for. Whatever is served has its line here.
func (w *Worker) offer(types []token.Grant) client.Offer {
	o := client.Offer{
		ResponseTypes: oauth.ResponseTypes(),
		Modes:         oauth.ResponseModes(),
		AuthMethods:   w.authMethods(),
		SubjectTypes:  []client.SubjectType{client.SubjectPublic, client.SubjectPairwise},
		Signing:       signing(w.settings),
		Backchannel:   []string{oauth.DeliveryPoll, oauth.DeliveryPing, oauth.DeliveryPush},
		Requests:      client.ObjectAlgs(),
		DetailsTypes:  w.settings.AuthorizationDetailsTypes,
		Encryption:    client.Encryptions{Algs: jose.KeyManagements(), Encs: jose.ContentEncryptions()},
		Userinfo:      true,
		Introspection: true,
	}
	if algs := jose.Managements(algorithms(w.settings)); len(algs) > 0 {
		o.Decryption.Algs = algs
		o.Decryption.Encs = jose.ContentEncryptions()
	}
	for _, g := range types {
		o.GrantTypes = append(o.GrantTypes, g.Type())
	}
	o.GrantTypes = append(o.GrantTypes, client.Implicit) // which the authorization endpoint serves
	return o
}
