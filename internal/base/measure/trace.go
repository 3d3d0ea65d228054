package measure

import "context"

// Tracer follows what one request does, part by part. Where there is none, nothing is
// followed and it costs nothing.
type Tracer interface {
	// Begin says that a part begins: what it is called, and what it is about. The
	// context is for all that belongs to the part; the caller calls what is returned
	// when the part has ended. Neither may hold anything that a sender chooses.
	Begin(ctx context.Context, name, about string) (context.Context, func(err error))
}

// Begin tells the tracer, if there is one.
func Begin(ctx context.Context, t Tracer, name, about string) (context.Context, func(err error)) {
	if t == nil {
		return ctx, nothing
	}
	return t.Begin(ctx, name, about)
}

// Store is the name of the parts that are asked of the database.
const Store = "store"

func nothing(error) {}
