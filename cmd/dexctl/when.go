package main

import (
	"time"
)

// when writes an instant for a table; one that never was is empty.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}
