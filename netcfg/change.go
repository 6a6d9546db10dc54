package netcfg

// A Change is what is to become of one device.
type Change struct {
	Name   string // in an add it may hold one %d
	Index  int    // of the very device that is meant; 0: whichever has the name
	Want   *Spec  // nil: the device is to be gone
	Expect Expect
	Like   *Spec  // what a device that is there must be: its mode and its queues; nil: anything
	Unused bool   // a device that is there must be in nobody's use, even if nothing of it changes
	Force  bool   // a delete takes the device even from a program that is attached
	Rules  *Rules // of the namespace, instead of a device: Name, Want and Expect are ignored; nil: of a device
	Final  bool   // a failed change of Rules is not undone
	Fail   error  // why it cannot be done, known before: the change fails by it; nil: nothing is known
}

// Expect is what must be there before a change, for it to be done at all.
type Expect uint8

// What a change expects.
const (
	Absent       Expect = iota // no device of that name
	AbsentOrSame               // none, or one that is as asked already
	Present                    // a device of that name
	PresentOrNot               // either
)

// A Result tells what became of one Change.
type Result struct {
	Name     string // the kernel's: the change may have left it to number the device, or named it by an alternative name
	Before   int    // index of the device before the run; 0: there was none
	Index    int    // the same after it
	Created  bool   // the run made the device, and it stays
	Made     bool   // the run made the device of that Index, and it is there, even if the change failed
	Steps    []Step // what was done; of a dry run, what would be
	Warnings []string
	Err      error // why it was not done, an [*Error]; everything is then as it was before
	UndoErr  error // why not even that is so
	PutBack  bool  // something had been changed, and all is as it was before: the kernel was asked
	Remade   bool  // that is so, but of a device that had to be made anew, with all that was seen of it
	Renamed  bool  // the very device that was meant has another name, and was left alone
}

// Options are how a run goes.
type Options struct {
	DryRun      bool // plan, and do nothing
	Atomic      bool // one change that fails fails all
	DeferMaster bool // a master that does not exist yet is left out, with a warning

	Log      func(Step)                 // told of each step as it is done, also of those that put things back; nil: nobody is
	Reserve  func(gone []Step) error    // told of devices before they are deleted, that may have to be made anew; an error keeps them
	Remember func(made []Step) error    // told of new devices, by name and index, before they can outlive the run; nil: nobody is
	Announce func(names []string) error // told which devices are as asked, new ones before they can outlive the run; an error: these are not made
}
