package commands

import (
	"io"
	"strings"

	"github.com/tunadm/tunadm/internal/convert"
)

var importVerb = verb{
	name: "import", operands: "[FILE|DIR...]", page: "tunadm-as(8)",
	reads:   true,
	usage:   "print a file for apply from the files of other tools",
	command: func(p *program) command { return &importOptions{program: p} },
}

type importOptions struct {
	*program
	from string // "": that of each file
}

func (o *importOptions) flags() []*option {
	usage := "the `FORMAT` of the files, detected from their content by default: " +
		strings.Join(convert.Formats(), ", ")
	parse := func(s string) (string, error) { return s, convert.CheckFormat(s) }
	return []*option{valueFlag("from", usage, parse, &o.from)}
}

// run prints the declarations, and a comment for each line that is not imported. It changes nothing.
func (o *importOptions) run(operands []string) error {
	if err := inputOnce(operands); err != nil {
		return err
	}
	sources, err := convert.Read(operands, o.from)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	text, err := convert.Convert(sources, o.from)
	if err != nil {
		return usage(err.Error(), "tunadm import --from FORMAT FILE")
	}
	_, err = io.WriteString(o.stdout, text)
	return err
}
