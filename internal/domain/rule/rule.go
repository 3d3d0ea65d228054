// Package rule is what an operator says in an expression: how claims become a
// profile, who is let in. The language is CEL, which has types, always ends, and
// reaches nothing but what it is given.
package rule

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

// Kind is what a rule results in.
type Kind uint8

// The kinds.
const (
	String  Kind = iota + 1
	Bool         // true or false
	Strings      // a list of strings
	Any          // whatever JSON can say
)

var kindNames = [...]string{"", "a string", "a boolean", "a list of strings", "anything"}

// String returns the kind's name, for messages.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// The limits. A rule that needs more is a program, and belongs elsewhere.
const (
	// MaxExpression is the length of the longest expression, in characters.
	MaxExpression = 4096
	maxDepth      = 32      // of parentheses and the like
	maxNodes      = 4096    // of the parsed expression
	maxCost       = 1 << 20 // of one evaluation; about one for each step
	maxResult     = 1 << 20 // bytes of all texts in a result
	// checkEvery is after how many steps of a loop the context is looked at.
	checkEvery = 256
)

// Rule is a compiled expression. It is never changed once it is made.
type Rule struct {
	kind    Kind
	program cel.Program
}

// environment declares what expressions may say. It is made when the first rule is
// compiled, because it takes a while and some megabytes, and many installations
// have no rules.
//
//   - claims: what the other side says of the person
//   - the standard functions and macros, with those of strings
//   - optional values: claims.?department.orValue("none")
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		cel.OptionalTypes(),
		ext.Strings(),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(MaxExpression),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
	)
})

// Compile reads an expression that results in the given kind. The error says
// where in the expression what is wrong.
func Compile(expression string, kind Kind) (*Rule, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("rule: %w", err)
	}
	if strings.TrimSpace(expression) == "" {
		return nil, errors.New("the expression is empty")
	}
	ast, issues := env.Compile(expression)
	if errs := issues.Errors(); len(errs) > 0 {
		first := errs[0]
		return nil, fmt.Errorf("line %d, column %d: %s", first.Location.Line(), first.Location.Column()+1, first.Message)
	}
	if !kind.fits(ast.OutputType()) {
		return nil, fmt.Errorf("the expression is %s, and must be %v", ast.OutputType(), kind)
	}
	program, err := env.Program(ast,
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(maxCost),
		cel.InterruptCheckFrequency(checkEvery),
	)
	if err != nil {
		return nil, fmt.Errorf("the expression cannot be used: %w", err)
	}
	return &Rule{kind: kind, program: program}, nil
}

// fits reports whether an expression of a type can result in the kind. What is
// only known when it is evaluated is checked then.
func (k Kind) fits(t *cel.Type) bool {
	if t.Kind() == types.DynKind {
		return true
	}
	switch k {
	case String:
		return t.Kind() == types.StringKind
	case Bool:
		return t.Kind() == types.BoolKind
	case Strings:
		return t.Kind() == types.ListKind && String.fits(t.Parameters()[0])
	case Any:
		return true
	default:
		return false
	}
}

// Eval evaluates the rule over claims, as they come out of JSON. The result is a
// string, a bool, a []string, or for [Any] what JSON can say.
func (r *Rule) Eval(ctx context.Context, claims map[string]any) (any, error) {
	if claims == nil {
		claims = map[string]any{}
	}
	value, _, err := r.program.ContextEval(ctx, map[string]any{"claims": claims})
	if err != nil {
		if cause := ctx.Err(); cause != nil {
			return nil, cause
		}
		return nil, fmt.Errorf("rule: %w", err)
	}
	return r.kind.native(value)
}

// native returns an expression's value as Go has it.
func (k Kind) native(value ref.Val) (any, error) {
	wrong := fmt.Errorf("rule: the value is %s, and must be %v", value.Type().TypeName(), k)
	switch k {
	case String:
		if s, ok := value.Value().(string); ok && value.Type() == types.StringType {
			return bounded(s)
		}
	case Bool:
		if b, ok := value.Value().(bool); ok {
			return b, nil
		}
	case Strings:
		native, err := value.ConvertToNative(reflect.TypeFor[[]any]())
		if err != nil {
			return nil, wrong
		}
		return stringsOf(native.([]any), wrong)
	case Any:
		return jsonOf(value)
	}
	return nil, wrong
}

var errTooLarge = errors.New("rule: the value is too large")

func bounded(s string) (string, error) {
	if len(s) > maxResult {
		return "", errTooLarge
	}
	return s, nil
}

func stringsOf(values []any, wrong error) ([]string, error) {
	texts, size := make([]string, 0, len(values)), 0
	for _, v := range values {
		if r, ok := v.(ref.Val); ok {
			v = r.Value()
		}
		s, ok := v.(string)
		if !ok {
			return nil, wrong
		}
		if size += len(s); size > maxResult {
			return nil, errTooLarge
		}
		texts = append(texts, s)
	}
	return texts, nil
}
