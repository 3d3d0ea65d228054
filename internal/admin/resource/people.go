package resource

import "time"

// User is somebody who has an account.
type User struct {
	ID                string `json:"id" doc:"The subject that applications know them by. It is made by the server, and never given out again."`
	Username          string `json:"username,omitempty"`
	Email             string `json:"email,omitempty"`
	EmailVerified     bool   `json:"email_verified,omitempty" doc:"Whether the address is known to be theirs."`
	Name              string `json:"name,omitempty" doc:"The full name."`
	GivenName         string `json:"given_name,omitempty"`
	FamilyName        string `json:"family_name,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"`
	Picture           string `json:"picture,omitempty"`
	Locale            string `json:"locale,omitempty"`

	MiddleName    string  `json:"middle_name,omitempty"`
	Nickname      string  `json:"nickname,omitempty"`
	ProfileURL    string  `json:"profile,omitempty" doc:"A page about them."`
	Website       string  `json:"website,omitempty"`
	Gender        string  `json:"gender,omitempty"`
	Birthdate     string  `json:"birthdate,omitempty" doc:"As YYYY-MM-DD."`
	ZoneInfo      string  `json:"zoneinfo,omitempty" doc:"The time zone, such as Europe/Paris."`
	Phone         string  `json:"phone_number,omitempty"`
	PhoneVerified bool    `json:"phone_number_verified,omitempty" doc:"Whether the number is known to be theirs."`
	Address       Address `json:"address,omitzero"`

	Groups     []string `json:"groups,omitempty" doc:"The groups of ours that they are in. Those that a connector names stand with the identity."`
	Role       string   `json:"role,omitempty" doc:"What they may do to this service: owner, admin, support or auditor."`
	Disabled   bool     `json:"disabled,omitempty"`
	DisabledBy string   `json:"disabled_by,omitempty" doc:"Says file if it was the configuration file that disabled them."`
	ManagedBy  string   `json:"managed_by,omitempty" doc:"Who manages the account: file (the configuration of the servers), apply (files that are planned and applied), api; nobody, if it came of a login."`

	// What follows is told of one account that is asked for, not in lists.
	LoginNames    []string   `json:"login_names,omitempty" doc:"What they log in with here."`
	ConnectorID   string     `json:"connector_id,omitempty" doc:"The connector that takes these names."`
	Identities    []Identity `json:"identities,omitempty"`
	PasswordSetAt time.Time  `json:"password_set_at,omitzero" doc:"Absent if there is no password."`
	LastLoginAt   time.Time  `json:"last_login_at,omitzero"`

	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Address is where somebody is reached by letter.
type Address struct {
	Formatted     string `json:"formatted,omitempty" doc:"All of it, with line breaks."`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Identity is somebody as one connector knows them.
type Identity struct {
	ConnectorID string    `json:"connector_id"`
	Subject     string    `json:"subject" doc:"The connector's own stable id of the person."`
	Username    string    `json:"username,omitempty"`
	Email       string    `json:"email,omitempty"`
	Name        string    `json:"name,omitempty"`
	Groups      []string  `json:"groups,omitempty" doc:"The groups that the connector names."`
	CheckedAt   time.Time `json:"checked_at" doc:"When the connector last vouched for it."`
}

// NewIdentity is an identity to be linked to an account.
type NewIdentity struct {
	ConnectorID string `json:"connector_id" minLength:"1" maxLength:"255"`
	Subject     string `json:"subject" minLength:"1" maxLength:"255" doc:"The connector's own stable id of the person: what it says as sub, uid or the like."`
}

// RoleOf is what somebody may do to this service.
type RoleOf struct {
	Role string `json:"role" enum:"owner,admin,support,auditor," doc:"Empty takes the role away."`
}

// LoginNames are what somebody logs in with here.
type LoginNames struct {
	LoginNames []string `json:"login_names" maxItems:"16" doc:"User names and mail addresses. None at all takes the login away."`
}

// NewPassword is a password for somebody. Either of the two is given.
type NewPassword struct {
	Password     string `json:"password,omitempty" maxLength:"4096" doc:"In clear."`
	PasswordHash string `json:"password_hash,omitempty" maxLength:"512" doc:"As argon2id or bcrypt."`
	Keep         bool   `json:"keep_sessions,omitempty" doc:"Leaves what came of the password before: sessions, and what applications hold."`
}

// Link lets somebody choose a password, once. Whoever holds its URL holds the account.
type Link struct {
	UserID    string    `json:"user_id"`
	Purpose   string    `json:"purpose" doc:"Says invite or reset."`
	URL       string    `json:"url" doc:"Shown once. A newer link ends this one."`
	ExpiresAt time.Time `json:"expires_at"`
	SentTo    string    `json:"sent_to,omitempty" doc:"The address that it was mailed to, if it was."`
}

// SendLink says what becomes of a link.
type SendLink struct {
	Mail bool `json:"mail,omitempty" doc:"Mails the link to the person's address. It is in the answer all the same."`
}

// Group is a group of ours.
type Group struct {
	ID          string    `json:"id" doc:"Its name, as it stands in tokens."`
	Description string    `json:"description,omitempty"`
	ManagedBy   string    `json:"managed_by" doc:"Who manages the group: apply (files that are planned and applied), or api."`
	Version     int64     `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// Members are accounts to be put into a group.
type Members struct {
	Users []string `json:"users" minItems:"1" maxItems:"500" doc:"The ids of the accounts."`
}
