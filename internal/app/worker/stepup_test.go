package worker_test

import (
	"testing"
	"time"

	"dex/internal/app/workertest"
)

// RFC 9470: a resource server that wants a better or a later login sees in the token what
// it has, and its client asks for more.
func TestAClientAsksForABetterLoginAndItsTokensSayThatItWas(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	b := s.Browser(t)
	first := c.Redeem(c.Code(b))
	before := workertest.Claims(t, first.AccessToken)
	class, _ := before["acr"].(string)
	if told := c.Introspect(first.AccessToken); class == "" || told["acr"] != class || told["auth_time"] != before["auth_time"] {
		t.Fatalf("the token says %v, introspection %v", before, told)
	}
	s.Clock.Advance(time.Minute)
	page := b.Follow(b.Get(c.Authorize("max_age", "30", "acr_values", class)))
	after := workertest.Claims(t, c.Redeem(b.SignIn(page, "ann", workertest.Password).Param("code")).AccessToken)
	if after["acr"] != class || after["auth_time"].(float64) != before["auth_time"].(float64)+60 {
		t.Errorf("after stepping up it says %v and %v", after["acr"], after["auth_time"])
	}
}
