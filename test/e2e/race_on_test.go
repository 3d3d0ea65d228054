//go:build race

package e2e

// The program under test watches for races when its tests do: it then ends with
// an error if it has seen one.
const raceDetector = true
