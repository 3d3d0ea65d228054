// Package e2e holds the tests from end to end: the real programs as processes, a
// real browser, relying parties that others have written.
//
// What is tested here is what a person or an operator would see. Rules are tested
// beside their package, and the server's answers one by one in app/worker.
package e2e
