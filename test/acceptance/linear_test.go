package acceptance_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"dex/internal/app/workertest"
	"dex/internal/protocol/oauth"
	"dex/internal/store/storetest"
	"dex/test/fault/calls"
)

// verb is what clients do to one object, many at once and at any worker.
type verb string

const (
	redeem  verb = "redeem"  // a code
	rotate  verb = "rotate"  // a family, with the token of a generation
	revoke  verb = "revoke"  // a family
	consume verb = "consume" // an assertion
)

// asked is one thing that was asked of one object.
type asked struct {
	object     string
	verb       verb
	generation int // of the token that was presented
}

// told is what came of it: whether it was granted, and which generation the token is
// of that came back. Without an answer it is unknown: it may have happened, at any time
// since, or never.
type told struct {
	granted    bool
	generation int
	unknown    bool
}

// standing is all there is to one object.
type standing struct {
	spent, revoked bool
	generation     int
}

// next is the whole rule: what is answered in a standing, and how things stand then.
func (s standing) next(a asked) (told, standing) {
	switch {
	case a.verb == consume && s.spent, a.verb == rotate && (s.revoked || !s.spent):
		return told{}, s
	case a.verb == consume:
		s.spent = true
		return told{granted: true}, s
	case a.verb == revoke:
		s.revoked = true
		return told{granted: true}, s
	case a.verb == redeem && s.spent: // a replay: what came of the code is over
		s.revoked = true
		return told{}, s
	case a.verb == redeem:
		s.spent, s.generation = true, 1
		return told{granted: true, generation: 1}, s
	case a.generation == s.generation:
		s.generation++
		return told{granted: true, generation: s.generation}, s
	case a.generation == s.generation-1: // its answer may have been lost: the same again
		return told{granted: true, generation: s.generation}, s
	default: // somebody has a token that was replaced long ago
		s.revoked = true
		return told{}, s
	}
}

// rule is the rule as porcupine asks for it: each object by itself, and what is unknown
// may be either way.
func rule() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byObject := map[string][]porcupine.Operation{}
			for _, o := range history {
				object := o.Input.(asked).object
				byObject[object] = append(byObject[object], o)
			}
			var parts [][]porcupine.Operation
			for _, part := range byObject {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() []any { return []any{standing{}} },
		Step: func(s, input, output any) []any {
			want, after := s.(standing).next(input.(asked))
			switch got := output.(told); {
			case got.unknown:
				return []any{s, after}
			case got == want:
				return []any{after}
			default:
				return nil
			}
		},
		Equal:             func(a, b any) bool { return a == b },
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	}
	return m.ToModel()
}

// history collects what clients ask and are told.
type history struct {
	mu    sync.Mutex
	began time.Time
	all   []porcupine.Operation
}

// never is later than all answers: what is unknown may happen until then.
const never = int64(1) << 60

func (h *history) ask(client int, a asked, do func() told) told {
	called := time.Since(h.began)
	t := do()
	heard := int64(time.Since(h.began))
	if t.unknown {
		heard = never
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, porcupine.Operation{ClientId: client, Input: a, Call: int64(called), Output: t, Return: heard})
	return t
}

// thing is one code with the tokens that came of it, or one assertion.
type thing struct {
	name           string
	code, verifier string
	assertion      string
	mu             sync.Mutex
	byGeneration   map[int]string
	lastGeneration int
}

func (x *thing) learn(t told, token string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if t.granted && token != "" {
		x.byGeneration[t.generation] = token
		x.lastGeneration = max(x.lastGeneration, t.generation)
	}
}

// token returns one that is known: the last as a rule, sometimes an older one.
func (x *thing) token(chance *rand.Rand) (string, int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.lastGeneration
	if n > 1 && chance.IntN(4) == 0 {
		n--
	}
	if n > 1 && chance.IntN(40) == 0 {
		n = 1 + chance.IntN(n)
	}
	return x.byGeneration[n], n
}

// generationOf reads the generation of a refresh token, which is no secret.
func generationOf(token string) int {
	_, rest, _ := strings.Cut(token, ".")
	number, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return n
}

// linear is workers whose database takes its time and sometimes loses a call, and the
// things that clients fight over.
type linear struct {
	t       *testing.T
	workers []*workertest.Server
	line    *calls.Line
	seed    uint64
	history history
}

func newLinear(t *testing.T, seed uint64) *linear {
	line := &calls.Line{}
	l := &linear{t: t, line: line, seed: seed, history: history{began: time.Now()}}
	l.workers = cluster(t, 3, workertest.Options{}, storetest.WithLine(line))
	line.Lost = storetest.Lost(t, l.workers[0].DB)
	return l
}

// disturb makes calls take their time, and lets some get lost.
func (l *linear) disturb() {
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(l.seed, 0))
	l.line.SetJudge(func(string) calls.Fate {
		mu.Lock()
		wait, fate := time.Duration(chance.IntN(2000))*time.Microsecond, calls.Pass
		switch chance.IntN(40) {
		case 0:
			fate = calls.Before
		case 1:
			fate = calls.After
		}
		mu.Unlock()
		time.Sleep(wait) // the database is slow
		return fate
	})
}

// things makes codes and assertions.
func (l *linear) things(n int) []*thing {
	var all []*thing
	app, b := l.workers[0].Client(l.t, "app"), l.workers[0].Browser(l.t)
	for i := range n {
		x := &thing{name: fmt.Sprint("code ", i), byGeneration: map[int]string{}, verifier: app.Verifier}
		x.code = app.Code(b)
		all = append(all, x, &thing{name: fmt.Sprint("assertion ", i), assertion: l.workers[0].Client(l.t, "jwt").Assertion(nil)})
	}
	return all
}

// fight lets a client ask something of one of the things.
func (l *linear) fight(client int, chance *rand.Rand, x *thing) {
	worker := l.workers[chance.IntN(len(l.workers))]
	app := worker.Client(l.t, "app")
	if x.assertion != "" {
		l.history.ask(client, asked{x.name, consume, 0}, func() told {
			a := worker.Browser(l.t).CrossPost("/token", url.Values{
				"grant_type": {"client_credentials"}, "client_assertion_type": {oauth.AssertionTypeJWT}, "client_assertion": {x.assertion},
			})
			return told{granted: a.Status == http.StatusOK, unknown: a.Status >= 500}
		})
		return
	}
	token, generation := x.token(chance)
	what, token2 := rotate, ""
	switch n := chance.IntN(60); {
	case token == "", n == 0:
		what, generation = redeem, 0
	case n == 1:
		what, generation = revoke, 0
	}
	t := l.history.ask(client, asked{x.name, what, generation}, func() told {
		var got workertest.Tokens
		switch what {
		case revoke:
			a := app.Revoke(token)
			return told{granted: a.Status == http.StatusOK, unknown: a.Status >= 500}
		case redeem:
			got = app.Redeem(x.code, "code_verifier", x.verifier)
		default:
			got = app.Refresh(token)
		}
		token2 = got.RefreshToken
		if got.Status != http.StatusOK && got.Status != http.StatusServiceUnavailable && got.Error != "invalid_grant" {
			l.t.Errorf("%s: %d %s", what, got.Status, got.Error)
		}
		return told{granted: got.Status == http.StatusOK, generation: generationOf(token2), unknown: got.Status >= 500}
	})
	x.learn(t, token2)
}

// TestOverSeveralWorkersEachThingHasOneHistory holds redemption, rotation, revocation and
// the use of assertions to linearizability: whatever many clients are told at once, by
// three workers whose database is slow and loses calls, there is one order in which
// each happened between its question and its answer.
func TestOverSeveralWorkersEachThingHasOneHistory(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	l := newLinear(t, seed)
	const clients, questions = 8, 40
	for range 3 {
		things := l.things(4)
		for _, x := range things {
			x.name = fmt.Sprint(x.name, " of ", len(l.history.all))
		}
		l.disturb()
		atOnce(clients, func(i int) {
			chance := rand.New(rand.NewPCG(seed, uint64(i+1)))
			for range questions {
				l.fight(i, chance, things[chance.IntN(len(things))])
			}
		})
		l.line.SetJudge(nil)
	}
	count := map[string]int{}
	for _, o := range l.history.all {
		a, got := o.Input.(asked), o.Output.(told)
		switch {
		case got.unknown:
			count[string(a.verb)+" unknown"]++
		case got.granted:
			count[string(a.verb)+" granted"]++
		default:
			count[string(a.verb)+" refused"]++
		}
	}
	t.Logf("%v", count)
	for _, must := range []string{"redeem granted", "redeem refused", "rotate granted", "rotate refused", "revoke granted", "consume granted", "consume refused"} {
		if count[must] == 0 {
			t.Errorf("nothing was seen of: %s", must)
		}
	}
	result, info := porcupine.CheckOperationsVerbose(rule(), l.history.all, 2*time.Minute)
	if result != porcupine.Ok {
		file := t.ArtifactDir() + "/history.html"
		t.Errorf("the history is %s: see %s (%v)", result, file, porcupine.VisualizePath(rule(), info, file))
	}
}

// TestAHistoryThatCannotBeIsFound shows that the check can fail.
func TestAHistoryThatCannotBeIsFound(t *testing.T) {
	yes, no, lost := told{granted: true}, told{}, told{unknown: true}
	token := func(n int) told { return told{granted: true, generation: n} }
	type step struct {
		a          asked
		t          told
		from, till int64
	}
	x := func(v verb, generation int) asked { return asked{"x", v, generation} }
	for _, test := range []struct {
		name  string
		steps []step
		want  porcupine.CheckResult
	}{
		{"once is right", []step{{x(redeem, 0), token(1), 0, 1}, {x(rotate, 1), token(2), 2, 3}}, porcupine.Ok},
		{"a code is redeemed twice", []step{{x(redeem, 0), token(1), 0, 5}, {x(redeem, 0), token(1), 1, 4}}, porcupine.Illegal},
		{"of two at once either may be first", []step{{x(redeem, 0), no, 0, 5}, {x(redeem, 0), token(1), 1, 4}}, porcupine.Ok},
		{"a code is refused that nobody has redeemed", []step{{x(redeem, 0), no, 0, 1}, {x(redeem, 0), token(1), 2, 3}}, porcupine.Illegal},
		{"a code is refused after an answer was lost", []step{{x(redeem, 0), lost, 0, never}, {x(redeem, 0), no, 2, 3}}, porcupine.Ok},
		{"a lost answer has not happened", []step{{x(redeem, 0), lost, 0, never}, {x(redeem, 0), token(1), 2, 3}}, porcupine.Ok},
		{"a refresh after a revocation", []step{{x(redeem, 0), token(1), 0, 1}, {x(revoke, 0), yes, 2, 3}, {x(rotate, 1), token(2), 4, 5}}, porcupine.Illegal},
		{"a refresh at the time of a revocation", []step{{x(redeem, 0), token(1), 0, 1}, {x(revoke, 0), yes, 2, 6}, {x(rotate, 1), token(2), 4, 5}}, porcupine.Ok},
		{"the same successor", []step{{x(redeem, 0), token(1), 0, 1}, {x(rotate, 1), token(2), 2, 3}, {x(rotate, 1), token(2), 4, 5}}, porcupine.Ok},
		{"two successors", []step{{x(redeem, 0), token(1), 0, 1}, {x(rotate, 1), token(2), 2, 3}, {x(rotate, 1), token(3), 4, 5}}, porcupine.Illegal},
		{"an assertion is used twice", []step{{x(consume, 0), yes, 0, 1}, {x(consume, 0), yes, 2, 3}}, porcupine.Illegal},
	} {
		t.Run(test.name, func(t *testing.T) {
			var history []porcupine.Operation
			for i, s := range test.steps {
				history = append(history, porcupine.Operation{ClientId: i, Input: s.a, Call: s.from, Output: s.t, Return: s.till})
			}
			if got := porcupine.CheckOperationsTimeout(rule(), history, 0); got != test.want {
				t.Errorf("it is %s", got)
			}
		})
	}
}
