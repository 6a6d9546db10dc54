package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/words"
)

// maker is the first word of the command line of the process that creates a tap in another security context.
const maker = "tunadm-cni-maker"

// execContext holds the context of the next program that the thread executes.
const execContext = "/proc/thread-self/attr/exec"

// createIn creates the tap in a process of another SELinux context. SELinux labels a tap with the context of the
// process that creates it, and a process of several threads cannot change its own.
func (o *order) createIn(ctx context.Context, c *config) (*current.Interface, error) {
	input, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var output bytes.Buffer
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{maker}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &output, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGTERM}
	started := make(chan error, 1)
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, which has the label, ends
		err := label(c.SELinuxContext)
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		_ = cmd.Process.Signal(unix.SIGTERM)
		err = <-ended
	}
	return answer(output.Bytes(), err)
}

// answer decodes what the process printed: the tap, or an error.
func answer(output []byte, err error) (*current.Interface, error) {
	if err != nil {
		e := new(types.Error)
		if json.Unmarshal(output, e) == nil && e.Msg != "" {
			return nil, e
		}
		return nil, err
	}
	tap := new(current.Interface)
	return tap, json.Unmarshal(output, tap)
}

// label sets the context of the next program that the thread executes.
func label(context string) error {
	f, err := os.OpenFile(execContext, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(context)
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		return nil
	}
	code, why := uint(types.ErrInvalidNetworkConfig), "SELinux does not accept the context: "+reason(err)
	if _, absent := os.Stat("/sys/fs/selinux/enforce"); absent != nil {
		code, why = codeFailed, "this kernel does not use SELinux"
	}
	return types.NewError(code, "selinuxContext "+words.Escape(context)+": "+why, "")
}

// reason returns the kernel's error without the path.
func reason(err error) string {
	if path := new(os.PathError); errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// makeInContext reads an order, creates the tap, and prints it.
func makeInContext(in io.Reader, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	o := new(order)
	if err := json.NewDecoder(in).Decode(o); err != nil {
		return err
	}
	c, err := readConfig(&o.Args)
	if err != nil {
		return err
	}
	tap, err := o.create(ctx, c)
	if err != nil {
		return refusal(&o.Args, err)
	}
	return json.NewEncoder(out).Encode(tap)
}
