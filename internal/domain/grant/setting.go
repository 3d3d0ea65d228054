package grant

import (
	"fmt"
	"slices"
	"strings"

	"dex/internal/domain/role"
)

// settingOf names the setting that a reason rests on, as an operator has written it.
func settingOf(reason Reason, c *Case) string {
	ofClient := func(format string, args ...any) string {
		return fmt.Sprintf(format, args...) + " of client " + c.Client.ID
	}
	switch reason {
	case ClientDisabled:
		return ofClient("disabled: true")
	case GrantTypeMissing:
		return ofClient("grant_types: %s", written(c.Client.GrantTypes))
	case LoginNotShared:
		return ofClient("native_sso_group: %q", c.Client.NativeSSOGroup)
	case ResponseTypeMissing:
		return ofClient("response_types")
	case RedirectURIRemoved:
		return ofClient("redirect_uris")
	case ScopeNotAllowed:
		if slices.ContainsFunc(c.Authorization.Scopes, role.IsAdministrative) && !c.Client.Trusted {
			return ofClient("trusted: false")
		}
		if !c.Client.MayDetail(c.Authorization.Terms.Details) {
			return ofClient("authorization_details_types: %s", written(c.Client.DetailsTypes))
		}
		if c.Path == AssertIdentity {
			return ofClient("id_jag_audiences")
		}
		return ofClient("scopes: %s", written(c.Client.Scopes))
	case AudienceNotAllowed:
		if c.Path == AssertIdentity {
			return ofClient("id_jag_audiences")
		}
		if len(c.Authorization.Audience) == 0 {
			return ofClient("resources: %s", written(c.Client.Resources))
		}
		return "trusted_peers of " + strings.Join(c.Authorization.Audience, ", ")
	case ConnectorGone:
		if c.Connector == nil {
			return "connector " + c.Authorization.ConnectorID + " is not configured"
		}
		return "disabled: true of connector " + c.Connector.ID
	case ConnectorNotAllowed:
		return ofClient("connectors: %s", written(c.Client.Connectors))
	case GroupNotAllowed:
		return ofClient("groups: %s", written(c.Client.Groups))
	case RoleMissing:
		return fmt.Sprintf("role: %q of account %s", c.User.Role, c.User.ID)
	case AuthTooOld:
		return fmt.Sprintf("max_age=%d", int64(c.MaxAge.Seconds()))
	case AuthTooWeak:
		return "acr " + strings.Join(c.Classes, " ")
	case ConsentMissing:
		return ofClient("trusted: %t", c.Client.Trusted)
	default:
		return ""
	}
}

// written is a list as it stands in a file.
func written(all []string) string { return "[" + strings.Join(all, ", ") + "]" }
