package api

import "dex/internal/base/seal"

// cursors are sealed, so that nobody reads from one how the store is laid out, makes
// one up, or takes one to another list.
type cursors struct{ box *seal.Box }

// cursorVersion is bound into each cursor: an order that changes makes the old ones
// void.
const cursorVersion = "1"

func (c cursors) seal(after string, binding ...string) string {
	return c.box.SealText([]byte(after), append([]string{cursorVersion}, binding...)...)
}

func (c cursors) open(cursor string, binding ...string) (string, error) {
	after, err := c.box.OpenText(cursor, append([]string{cursorVersion}, binding...)...)
	if err != nil || len(after) == 0 {
		return "", errNoCursor
	}
	return string(after), nil
}
