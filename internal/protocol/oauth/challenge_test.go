package oauth

import (
	"slices"
	"testing"
)

func TestAResourceSaysHowItWantsToBeAsked(t *testing.T) {
	for _, tt := range []struct {
		name          string
		authorization []string
		err           *Error
		params        []string
		want          []string
	}{
		{"without a token", nil, nil, nil, []string{`Bearer realm="dex"`, `DPoP algs="ES256 EdDSA PS256"`}},
		{"without a token, and there is more to tell", nil, nil, []string{`resource_metadata="https://x"`},
			[]string{`Bearer realm="dex", resource_metadata="https://x"`, `DPoP algs="ES256 EdDSA PS256"`}},
		{"a bearer token", []string{"Bearer x"}, Errorf(InvalidToken, "No."), []string{`max_age="60"`},
			[]string{`Bearer realm="dex", error="invalid_token", error_description="No.", max_age="60"`}},
		{"a token that is bound", []string{"dpop x"}, Errorf(InvalidToken, "No."), nil,
			[]string{`DPoP algs="ES256 EdDSA PS256", error="invalid_token", error_description="No."`}},
		{"a proof", []string{"Bearer x"}, Errorf(UseDPoPNonce, "No."), nil,
			[]string{`DPoP algs="ES256 EdDSA PS256", error="use_dpop_nonce", error_description="No."`}},
	} {
		if got := Challenges(tt.authorization, tt.err, tt.params...); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
