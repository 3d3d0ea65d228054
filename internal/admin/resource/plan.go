package resource

import "dex/internal/admin/plan"

// Plan is what would have to change, or has changed.
type Plan struct {
	Changes []plan.Change `json:"changes"`
	Basis   string        `json:"basis" doc:"Names what was looked at: apply takes it, and does nothing if it is not so any more."`
}

// Applied is what was done.
type Applied struct {
	Changes []plan.Change `json:"changes"`
	Secrets []MadeSecret  `json:"secrets,omitempty" doc:"The secrets that were made for clients that had none: shown once."`
}

// MadeSecret is a secret that was made for a client, shown once.
type MadeSecret struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"secret" doc:"Shown once, and never again."`
}

// Export is everything that is configured, as files declare it.
type Export struct {
	YAML string `json:"yaml" doc:"A file that can be planned and applied. Secrets are not in it; a comment says where there is one."`
}
