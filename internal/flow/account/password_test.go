package account

import (
	"testing"

	"dex/internal/domain/user"
)

func TestWhatIsWrongWithAPasswordThatSomebodyChooses(t *testing.T) {
	h := &Handler{Service: "Example Login"}
	zoe := user.LinkState{
		User:       user.User{Username: "zoe", Email: "zoe.lamarr@example.com", Name: "Zoë Lamarr"},
		LoginNames: []string{"zoe.lamarr@example.com", "zoe"},
	}
	for _, test := range []struct {
		name, password, again string
		want                  string
	}{
		{"nothing", "quartz-lobster-41", "quartz-lobster-41", ""},
		{"too short", "qL4", "qL4", "account.problem.short"},
		{"what everybody takes", "password1234", "password1234", "account.problem.common"},
		{"what is known of the person", "zoe.lamarr@example", "zoe.lamarr@example", "account.problem.context"},
		{"what the service is called", "examplelogin", "examplelogin", "account.problem.context"},
		{"the two differ", "quartz-lobster-41", "quartz-lobster-42", "account.problem.different"},
		{"that it is weak comes before that the two differ", "qL4", "qL5", "account.problem.short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := h.problem(test.password, test.again, zoe); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
