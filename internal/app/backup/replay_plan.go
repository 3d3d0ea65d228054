package backup

import (
	"cmp"
	"slices"
	"time"

	"dex/internal/domain/audit"
)

// Deed is something that was done after the backup, so that the backup does not know of
// it, and that is to be done again.
type Deed struct {
	Act    Act       `json:"act"`
	Tenant string    `json:"tenant"`
	ID     string    `json:"id"`             // of what it is done to
	Of     string    `json:"of,omitempty"`   // more: the user of a membership, the client of a consent
	Role   string    `json:"role,omitempty"` // that was left to somebody
	At     time.Time `json:"at"`             // when it was done
	Event  string    `json:"event"`          // by which it is known
	State  State     `json:"state,omitempty"`
	Says   string    `json:"says,omitempty"` // why it could not be done
}

// Act says what was done, and to what.
type Act string

// The acts that can be done again. Each takes something away.
const (
	CompromiseKey    Act = "compromise key"
	RemoveSecret     Act = "remove client secret"
	DisableUser      Act = "disable user"
	DisableClient    Act = "disable client"
	DisableConnector Act = "disable connector"
	DisableTenant    Act = "disable tenant"
	LessenRole       Act = "set role"
	RemoveMember     Act = "remove group member"
	UnlinkIdentity   Act = "unlink identity"
	RevokeConsent    Act = "revoke consent"
	DeleteUser       Act = "delete user"
	DeleteClient     Act = "delete client"
	DeleteConnector  Act = "delete connector"
	DeleteGroup      Act = "delete group"
	DeleteTenant     Act = "delete tenant"
)

// rank is the order in which they are done: what is most urgent first, and what makes
// others needless last.
var rank = []Act{
	CompromiseKey, RemoveSecret, DisableUser, DisableClient, DisableConnector, DisableTenant, LessenRole, RemoveMember, UnlinkIdentity,
	RevokeConsent, DeleteUser, DeleteClient, DeleteConnector, DeleteGroup, DeleteTenant,
}

// Note is something that no record can bring back.
type Note struct {
	Kind  audit.Kind `json:"kind"`
	About []string   `json:"about"` // ids, each once
	Says  string     `json:"says"`
}

// meaning is what an event means for a database that does not know of it.
type meaning struct {
	act    Act
	undone bool // it takes the act back
	// about returns what it was about, if that is not simply the user, client or connector.
	about func(e audit.Event) (id, of string)
	// byHand says what an operator has to see to; empty for what is over with the restore,
	// or nobody needs again.
	byHand string
}

func detail(name string) func(audit.Event) (string, string) {
	return func(e audit.Event) (string, string) { return e.Detail[name], "" }
}

func member(e audit.Event) (id, of string)   { return e.Detail["group"], e.UserID }
func secretOf(e audit.Event) (id, of string) { return e.ClientID, e.Detail["secret"] }
func consent(e audit.Event) (id, of string)  { return e.UserID, e.ClientID }
func identity(e audit.Event) (id, of string) { return e.UserID, e.ConnectorID }

const made = "The record does not hold what it was made of. Make it again, or apply its files."

// meanings has every kind of event: one that is missing fails a test.
var meanings = map[audit.Kind]meaning{
	audit.UserDisabled:        {act: DisableUser},
	audit.UserEnabled:         {act: DisableUser, undone: true},
	audit.UserDeleted:         {act: DeleteUser},
	audit.UserRoleChanged:     {act: LessenRole},
	audit.IdentityUnlinked:    {act: UnlinkIdentity, about: identity},
	audit.IdentityLinked:      {act: UnlinkIdentity, undone: true, about: identity, byHand: "Link it again, if it is not there: the record does not say the subject."},
	audit.MemberRemoved:       {act: RemoveMember, about: member},
	audit.MemberAdded:         {act: RemoveMember, undone: true, about: member, byHand: "Put them into the group again."},
	audit.GroupDeleted:        {act: DeleteGroup, about: detail("group")},
	audit.ClientDisabled:      {act: DisableClient},
	audit.ClientEnabled:       {act: DisableClient, undone: true},
	audit.ClientDeleted:       {act: DeleteClient},
	audit.ClientSecretRemoved: {act: RemoveSecret, about: secretOf},
	audit.ConnectorDisabled:   {act: DisableConnector},
	audit.ConnectorEnabled:    {act: DisableConnector, undone: true},
	audit.ConnectorDeleted:    {act: DeleteConnector},
	audit.TenantDisabled:      {act: DisableTenant, about: detail("tenant")},
	audit.TenantEnabled:       {act: DisableTenant, undone: true, about: detail("tenant")},
	audit.TenantDeleted:       {act: DeleteTenant, about: detail("tenant")},
	audit.ConsentRevoked:      {act: RevokeConsent, about: consent},
	audit.ConsentGranted:      {act: RevokeConsent, undone: true, about: consent},
	audit.KeyCompromised:      {act: CompromiseKey, about: detail("key")},

	audit.UserCreated:         {byHand: "Who came by a login comes again, under a new id; whom an operator made has to be made again."},
	audit.UserUpdated:         {byHand: "The record says what was changed, not to what."},
	audit.PasswordChanged:     {byHand: "The password of before counts again. Send a link to choose another: dexctl users reset."},
	audit.GroupCreated:        {about: detail("group"), byHand: made},
	audit.GroupUpdated:        {about: detail("group"), byHand: "The record does not hold the description."},
	audit.ClientCreated:       {byHand: made},
	audit.ClientChanged:       {byHand: "The settings of before count again. Apply its files, or change them again."},
	audit.ClientSecretAdded:   {byHand: "The secret is not known any more. Add another, and hand it to the application."},
	audit.InitialTokenCreated: {byHand: "The token is not known any more. Make another, and hand it to whoever registers applications."},
	audit.InitialTokenRemoved: {byHand: "The token of before counts again. Delete it: dexctl initial-tokens delete."},
	audit.RegistrationChanged: {byHand: "What applications may register themselves for is as before. Set it again: dexctl registration set."},
	audit.ConnectorCreated:    {byHand: made},
	audit.ConnectorChanged:    {byHand: "The settings of before count again. Apply its files, or change them again."},
	audit.TenantCreated:       {about: detail("tenant"), byHand: made},
	audit.TenantChanged:       {about: detail("tenant"), byHand: "The record does not hold what it was changed to."},
	audit.ConfigApplied:       {byHand: "Apply the files again: what they disabled or deleted stands nowhere else."},
	audit.AdminRecovered:      {byHand: "Somebody was made an owner by dex-overlord recover-admin. Do it again if it is needed."},
	audit.Resealed:            {byHand: "What the backup holds is sealed under the secret of before: keep it, and run dexctl keys reseal."},
	audit.Founded:             {byHand: "The backup is of before the first administrator was made: bootstrap again."},
	audit.DatabaseRestored:    {},

	// What is over with the restore, and what nothing hangs on.
	audit.LoginSucceeded: {}, audit.LoginRefused: {}, audit.TokenVouched: {}, audit.LoginShared: {}, audit.SessionEnded: {}, audit.CodeReplayed: {}, audit.CodeBurned: {},
	audit.RefreshReused: {}, audit.GrantDenied: {}, audit.TokenRevoked: {}, audit.GrantRevoked: {}, audit.LinkCreated: {},
	audit.LinkUsed: {}, audit.DeviceDenied: {}, audit.BackchannelApproved: {}, audit.BackchannelDenied: {}, audit.KeyCreated: {}, audit.KeyRotated: {}, audit.KeyDestroyed: {}, audit.KeyRemoved: {},
	audit.FoundingOffered: {}, audit.FoundingRefused: {}, audit.DutyRun: {}, audit.UpstreamRefused: {},
	audit.OutboxRetried: {}, audit.OutboxDropped: {},
}

// of returns what an event was about.
func (m meaning) of(e audit.Event) (id, of string) {
	if m.about != nil {
		return m.about(e)
	}
	return cmp.Or(e.UserID, e.ClientID, e.ConnectorID), ""
}

// weigh says what has to be done again of what events tell, and what nobody can do but
// an operator. What was taken back later is not done. The events may come in whatever
// order, and more than once.
func weigh(events []audit.Exported) ([]Deed, []Note) {
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b audit.Exported) int { return cmp.Compare(a.ID, b.ID) })
	events = slices.CompactFunc(events, func(a, b audit.Exported) bool { return a.ID == b.ID })
	type thing struct {
		act            Act
		tenant, id, of string
	}
	standing, notes := map[thing]Deed{}, map[audit.Kind]*Note{}
	for _, e := range events {
		m := meanings[e.Kind]
		id, of := m.of(e.Event)
		what := thing{m.act, e.TenantID, id, of}
		switch {
		case m.act == "":
		case m.undone:
			delete(standing, what)
		default:
			standing[what] = Deed{Act: m.act, Tenant: e.TenantID, ID: id, Of: of, Role: e.Detail["role"], At: e.At, Event: e.ID}
		}
		if m.byHand != "" {
			n := notes[e.Kind]
			if n == nil {
				n = &Note{Kind: e.Kind, Says: m.byHand}
				notes[e.Kind] = n
			}
			if id != "" && !slices.Contains(n.About, id) {
				n.About = append(n.About, id)
			}
		}
	}
	var deeds []Deed
	for _, d := range standing {
		deeds = append(deeds, d)
	}
	slices.SortFunc(deeds, func(a, b Deed) int {
		return cmp.Or(cmp.Compare(slices.Index(rank, a.Act), slices.Index(rank, b.Act)), cmp.Compare(a.Event, b.Event))
	})
	var left []Note
	for _, n := range notes {
		left = append(left, *n)
	}
	slices.SortFunc(left, func(a, b Note) int { return cmp.Compare(a.Kind, b.Kind) })
	return deeds, left
}
