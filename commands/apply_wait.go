package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/poll"
)

// waitMost is the longest time that --wait accepts.
const waitMost = 24 * time.Hour

func parseWait(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > waitMost {
		return 0, fmt.Errorf("%q is not a duration such as 45s or 2m, up to 24h", s)
	}
	return d, nil
}

// retry calls once until it has no error that time may solve, or until the duration of --wait is over. It prints what
// the last call wrote to standard output.
func (o *applyOptions) retry(ctx context.Context, once func() error) error {
	const between = time.Second
	if o.wait == 0 {
		return once()
	}
	if err := exclusive([]pair{{o.dryRun, "--wait", "--dry-run"}, {o.check, "--wait", "--check"}}); err != nil {
		return err
	}
	o.said = map[string]bool{}
	stdout := o.stdout
	defer func() { o.stdout = stdout }()
	for end := time.Now().Add(o.wait); ; {
		var output bytes.Buffer
		o.stdout = &output
		err := once()
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil || !slices.ContainsFunc(each(err), isEarly) {
			_, lost := stdout.Write(output.Bytes())
			return errors.Join(err, lost)
		}
		for wake := time.Now().Add(min(between, left)); ctx.Err() == nil && time.Now().Before(wake); {
			poll.Sleep(between / 20)
		}
	}
}

// isEarly reports whether an error may end when another program has created a master, a port or a user.
func isEarly(err error) bool {
	switch cause.Of(err) {
	case cause.NoMaster, cause.NoUser, cause.NoGroup, cause.NoNames, cause.NoDevice:
		return true
	}
	return false
}
