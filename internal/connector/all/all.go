// Package all names every kind of connector. It is the list to add to.
package all

import (
	"dex/internal/connector"
	"dex/internal/connector/local"
	"dex/internal/connector/mock"
	"dex/internal/connector/oidc"
)

// Kinds returns the kinds of connectors that can be configured.
func Kinds() []connector.Kind {
	return []connector.Kind{
		local.Kind,
		mock.Kind,
		oidc.Kind,
	}
}
