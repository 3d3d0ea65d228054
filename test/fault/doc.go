// Package fault holds the real programs to their promises while machines, networks
// and disks fail beneath them: workers, an overlord and Postgres as processes, a
// balancer before them, proxies between them, and strict clients who log in, redeem,
// refresh, revoke and log out all the time and remember every answer.
//
// What is left to chance follows from a seed, which is printed: with it a run begins
// in the same way again. It is all in its tests: go test ./test/fault, or make fault
// for a long run.
package fault
