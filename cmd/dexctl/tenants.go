package main

import (
	"github.com/spf13/cobra"

	"dex/internal/admin/resource"
)

func (t *tool) tenants() *cobra.Command {
	n := noun[resource.Tenant]{
		one: "tenant", many: "tenants", short: "Issuers, each with its own keys, people and applications", path: "/tenants",
		id: func(r resource.Tenant) string { return r.ID },
		columns: []column[resource.Tenant]{
			{title: "ID", of: func(r resource.Tenant) string { return r.ID }},
			{title: "ISSUER", of: func(r resource.Tenant) string { return r.Issuer }},
			{title: "NAME", of: func(r resource.Tenant) string { return cut(r.Name, 40) }},
			{title: "STATE", of: func(r resource.Tenant) string { return state(r.Disabled) }},
			{title: "SINCE", of: func(r resource.Tenant) string { return when(r.CreatedAt) }, wide: true},
		},
		filters: []filter{
			{flag: "text", query: "text", usage: "only those with this in the id, the issuer or the name"},
			{flag: "state", query: "state", usage: "only those that are", values: []string{"enabled", "disabled"}},
		},
		fields: []field{
			{flag: "id", member: "id", usage: "small letters, digits and dashes; it never changes"},
			{flag: "issuer", member: "issuer", usage: "the issuer, such as https://login.acme.example.com"},
			{flag: "name", member: "name", usage: "what operators know it as"},
		},
		example: "  dexctl tenants create --id acme --issuer https://login.acme.example.com --name Acme",
		form:    without[resource.Tenant]("version", "created_at"),
		acts: []act{
			{verb: "disable", short: "Disable a tenant, with everything in it", done: "Tenant %s is disabled, everywhere.", asks: "Let nobody log in at the tenant %s, and let nothing of it count?", call: posts("tenants", "disable")},
			{verb: "enable", short: "Let a tenant work again", done: "Tenant %s is enabled.", call: posts("tenants", "enable")},
		},
		removable: true, loses: "All people, applications, connectors and keys in it go for good, and its id never comes back.",
	}
	return n.command(t)
}
