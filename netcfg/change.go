package netcfg

import (
	"errors"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
)

// A Change is the change of one device that the caller asks for.
type Change struct {
	Name   string   // may contain one %d if the device is created
	Index  int      // of the device that is meant; 0: the device that has the name
	Want   *Spec    // nil: delete the device
	Kind   string   // of the device to delete, as in a Spec
	Ports  []string // of a bridge to delete: the ports that may leave it; it stays if it has others
	Heir   bool     // the port gets the addresses and routes of its master, which the run deletes
	Expect Expect
	Like   *Spec  // the mode and the queues that an existing device must have; nil: any
	Unused bool   // an existing device must have no program attached, even if nothing changes
	Force  bool   // delete the device even if a program is attached
	Rules  *Rules // the namespace's rules to change; Name, Want and Expect are ignored; nil: the change is of a device
	Final  bool   // do not undo a failed change of Rules
	Fail   error  // the error with which the change fails, known before the run; nil: none
}

// Expect is whether the device must exist before a change.
type Expect uint8

// The values of Expect.
const (
	Absent       Expect = iota // no device has that name
	AbsentOrSame               // no device, or one that already has the properties
	Present                    // the device exists
	PresentOrNot               // the device may exist or not
)

// A Result is the result of one Change.
type Result struct {
	Name     string // the kernel's name: it replaces a %d or an alternative name
	Before   int    // index of the device before the run; 0: it did not exist
	Index    int    // index of the device after the run; 0: it does not exist
	Created  bool   // the run created the device, and the device stays
	Made     bool   // the run created the device with that Index, which exists even if the change failed
	Steps    []Step // the steps that ran; of a dry run, the steps that would run
	Warnings []string
	Follows  *Master // a bridge that takes the MTU of the device, unless its own was set explicitly; nil: none
	Err      error   // why the change failed, a [*cause.Error]; the device is then as before, unless UndoErr is set
	UndoErr  error   // why the undo failed
	PutBack  bool    // the change was undone, and the kernel's state is verified to be as before
	Remade   bool    // PutBack, but the device had to be re-created, with all properties that were observed
	Renamed  bool    // the device that was meant has another name, and was left unchanged
}

// Options are the options of a run.
type Options struct {
	DryRun      bool // plan, and change nothing
	Atomic      bool // if one change fails, fail all
	DeferMaster bool // leave out a master that does not exist yet, with a warning

	Log     func(Step)              // called for each step that ran, in an undo too; nil: not called
	Planned func(steps int)         // called before the first step runs; nil: not called
	Reserve func(gone []Step) error // called before a delete of devices that may be re-created; an error keeps them
	// Remember is called with the name and index of new devices before they can outlive the run; nil: not called.
	Remember func(made []Step) error
	// Announce is called with the devices that have their properties; with new ones before they can outlive the run. An
	// error discards these; nil: not called.
	Announce func(names []string) error
}

// unlike returns an error if the existing device is not the kind that Change.Like describes. The usual fix of a wrong
// mode, to re-create the device, is not meant.
func (j *job) unlike() error {
	p := planner{want: j.Like, have: j.now}
	err := p.match()
	if e := new(cause.Error); errors.As(err, &e) {
		e.Fix = fix.Sentence("name another device: tunadm list prints the mode of each")
		if j.Want == nil {
			exactly := fix.Tunadm("delete", j.now.Name, "--mode", j.now.Mode.String())
			e.Fix = fix.Fix{Before: "if this device is meant: ", Commands: []fix.Command{exactly}}
		}
	}
	return err
}
