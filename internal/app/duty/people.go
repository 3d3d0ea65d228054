package duty

import (
	"context"
	"fmt"
	"time"
)

// Indexer writes down by which words people are found.
type Indexer interface {
	// IndexPeople does so for up to a batch of those of whom it has not been done since
	// they changed, and says of how many.
	IndexPeople(ctx context.Context, batch int) (int, error)
}

// indexBatch bounds one transaction, so that nobody who logs in waits for it long.
const indexBatch = 200

// IndexPeople makes those be found who came by a login, a configuration file or an
// older version, batch by batch, until nobody is left. What an operator changes is
// found at once.
func IndexPeople(store Indexer, every time.Duration) Duty {
	return Duty{
		Name:  "index people",
		Every: every,
		Do: func(ctx context.Context) (string, error) {
			total := 0
			for ctx.Err() == nil {
				n, err := store.IndexPeople(ctx, indexBatch)
				total += n
				if err != nil {
					return indexed(total), err
				}
				if n < indexBatch {
					break
				}
			}
			return indexed(total), nil
		},
	}
}

func indexed(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d people are found by other words now", n)
}
