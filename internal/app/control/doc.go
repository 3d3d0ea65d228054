// Package control is what tests by others do to a running server that no client may: let
// new keys sign at once, answer requests by the back channel, and a resource server that holds tokens to the keys they are
// bound to. It is there only in a build with the tag conformance. Whoever reaches it may
// use it.
package control
