package web

import (
	"fmt"
	"html/template"
	"text/template/parse"
)

// baker goes through a template once, before it is ever used. What will be the
// same each time, a sentence without slots or the address of a static file, it
// writes down for good, which halves the work of drawing a page. A sentence or a
// file that does not exist it reports, with the line.
type baker struct {
	messages map[string]message
	asset    func(name string) (string, error)
	plain    bool // the template makes no HTML: nothing is written into it
}

// bake works on the whole of one template.
func (b baker) bake(tree *parse.Tree) error {
	if tree == nil {
		return nil
	}
	return b.list(tree, tree.Root)
}

func (b baker) list(tree *parse.Tree, list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for i, node := range list.Nodes {
		var err error
		switch n := node.(type) {
		case *parse.ActionNode:
			if err = b.pipe(tree, n.Pipe); err == nil && !b.plain {
				list.Nodes[i] = b.write(n)
			}
		case *parse.TemplateNode:
			err = b.pipe(tree, n.Pipe)
		case *parse.IfNode:
			err = b.branch(tree, &n.BranchNode)
		case *parse.RangeNode:
			err = b.branch(tree, &n.BranchNode)
		case *parse.WithNode:
			err = b.branch(tree, &n.BranchNode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b baker) branch(tree *parse.Tree, n *parse.BranchNode) error {
	if err := b.pipe(tree, n.Pipe); err != nil {
		return err
	}
	if err := b.list(tree, n.List); err != nil {
		return err
	}
	return b.list(tree, n.ElseList)
}

// pipe checks every call in a pipeline, also those in parentheses.
func (b baker) pipe(tree *parse.Tree, pipe *parse.PipeNode) error {
	if pipe == nil {
		return nil
	}
	for _, call := range pipe.Cmds {
		if err := b.check(call); err != nil {
			where, _ := tree.ErrorContext(call)
			return fmt.Errorf("%s: %w", where, err)
		}
		for _, arg := range call.Args {
			if inner, ok := arg.(*parse.PipeNode); ok {
				if err := b.pipe(tree, inner); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// literal returns the word that is called and its first argument, if that is
// written out.
func literal(call *parse.CommandNode) (word, arg string) {
	if len(call.Args) < 2 {
		return "", ""
	}
	name, ok := call.Args[0].(*parse.IdentifierNode)
	text, written := call.Args[1].(*parse.StringNode)
	if !ok || !written {
		return "", ""
	}
	return name.Ident, text.Text
}

func (b baker) check(call *parse.CommandNode) error {
	switch word, arg := literal(call); word {
	case "msg":
		if _, ok := b.messages[arg]; !ok {
			return fmt.Errorf("there is no message %q", arg)
		}
	case "asset":
		_, err := b.asset(arg)
		return err
	}
	return nil
}

// write returns what an action always comes to, or the action itself. The text
// is escaped as it must be between tags and in a quoted attribute.
func (b baker) write(n *parse.ActionNode) parse.Node {
	if len(n.Pipe.Cmds) != 1 || len(n.Pipe.Decl) != 0 || len(n.Pipe.Cmds[0].Args) != 2 {
		return n
	}
	var text string
	switch word, arg := literal(n.Pipe.Cmds[0]); word {
	case "msg":
		if len(b.messages[arg]) != 1 {
			return n
		}
		text = b.messages[arg][0]
	case "asset":
		text, _ = b.asset(arg) // checked before
	default:
		return n
	}
	return &parse.TextNode{
		NodeType: parse.NodeText,
		Pos:      n.Pos,
		Text:     []byte(template.HTMLEscapeString(text)),
	}
}
