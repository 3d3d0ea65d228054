// Package attack plays hostile tokens, proofs, keys and certificates to everything that
// takes one: a table of them, against a table of consumers, on a whole worker. Each is
// refused with the code that its standard has for it, reads no more than a good one, has
// nothing fetched and nothing kept, and stands in no log.
package attack
