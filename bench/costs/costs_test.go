//go:build !race

// Package costs_test bounds what does not depend on the clock: system calls, the size of the program, and what its
// packages do before main. Allocations are bounded by the tests named Allocate.
package costs_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

const (
	bounds = "bounds"            // the file of the bounds
	change = "TUNADM_TEST_COSTS" // "write": write today's figures as bounds
)

// figures has a number for each "SUBJECT WHAT".
type figures map[string]int

// build builds the program as make build does. It reads the directories, because go test runs a test again only if what
// the test has read itself has changed.
func build(t *testing.T) string {
	t.Helper()
	nstest.NeedProgram(t, "make")
	program := filepath.Join(t.TempDir(), "tunadm")
	if err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	nstest.Run(t, "make", "-s", "-C", "../..", "build", "PROGRAM="+program, "VERSION=costs")
	return program
}

// TestCosts compares the figures of the program with the bounds. A figure without a bound must be 0.
func TestCosts(t *testing.T) {
	nstest.NeedProgram(t, "strace")
	program := build(t)
	nstest.Enter(t)
	nstest.Accounts(t)
	got := figures{}
	got.size(t, program)
	got.measure(t, program)
	if os.Getenv(change) == "write" {
		for range 3 {
			got.measure(t, program)
		}
		if err := os.WriteFile(bounds, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	most := read(t)
	for range 3 { // a signal may have interrupted a system call, and a map may have grown earlier
		if len(above(got, most)) > 0 {
			got.measure(t, program)
		}
	}
	for _, name := range above(got, most) {
		t.Errorf("%s: %d, and the bound is %d", name, got[name], most[name])
	}
	if t.Failed() {
		t.Logf("Avoid the new costs. If the change is worth them, write the new bounds, and the reason into the "+
			"commit message:\n%s=write go test -tags urfave_cli_no_docs ./bench/costs && git diff bench/costs", change)
	}
}

// above returns the names of the figures that are larger than their bounds, in order.
func above(got, most figures) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if got[name] > most[name] {
			names = append(names, name)
		}
	}
	return names
}

// size counts blocks of 128 KiB: the linker rounds, and a small change may cost nothing or a page.
func (f figures) size(t *testing.T, program string) {
	const block = 128 << 10
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	f["program blocks-of-128-KiB"] = int((info.Size() + block - 1) / block)
}

// measure takes the other figures, and keeps the smaller ones of two rounds.
func (f figures) measure(t *testing.T, program string) {
	now := figures{}
	now.start(t, program)
	now.calls(t, program)
	for name, n := range now {
		if before, ok := f[name]; ok {
			n = min(n, before)
		}
		f[name] = n
	}
}

// start counts the packages that have something to do before main, and what they allocate.
func (f figures) start(t *testing.T, program string) {
	cmd := exec.Command(program, "--version")
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for line := range strings.Lines(string(out)) { // init PACKAGE @0.5 ms, 0.03 ms clock, 1408 bytes, 4 allocs
		words := strings.Fields(line)
		if words[0] != "init" {
			continue
		}
		f["init packages"]++
		bytes += number(t, words[7])
		f["init allocations"] += number(t, words[9])
	}
	if f["init packages"] == 0 {
		t.Fatalf("no package in %q", out)
	}
	f["init KiB"] = (bytes + 1023) / 1024
}

// lines are the commands of one round, by subject.
var lines = []struct{ subject, arguments string }{
	{"version", "--version"},
	{"add", "add tun7 --user root --mtu 1400 --address 10.0.0.1/32 --up"},
	{"list", "list"},
	{"show", "show tun7"},
	{"delete", "delete tun7"},
	{"apply", "apply /run/costs.toml"},
	{"again", "apply /run/costs.toml"},
	{"teardown", "teardown /run/costs.toml"},
}

// calls counts the system calls of each command.
func (f figures) calls(t *testing.T, program string) {
	const declared = "[device.\"t[0-2]\"]\nmode = \"tun\"\nuser = \"root\"\nmtu = 1400\n" +
		"addresses = [\"10.0.1.{n}/32\"]\n"
	if err := os.WriteFile("/run/costs.toml", []byte(declared), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		for kind, n := range strace(t, program, strings.Fields(l.arguments)...) {
			f[l.subject+" "+kind] = n
		}
	}
}

// ofTheRuntime are the calls of the Go runtime for memory, threads, timers and signals. Their number changes from run
// to run, and that of read(2) from machine to machine: the runtime looks for limits in lists of any length.
var ofTheRuntime = strings.Fields("arch_prctl brk clone clone3 execve exit_group futex getpid gettid madvise mmap " +
	"munmap nanosleep prctl prlimit64 read getrlimit restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn " +
	"sched_getaffinity sched_yield set_robust_list set_tid_address sigaltstack tgkill total")

// sameAs has the names that calls have on other architectures.
var sameAs = map[string]string{
	"fstat": "stat", "fstatat64": "stat", "fstat64": "stat", "newfstatat": "stat", "statx": "stat", "fcntl64": "fcntl",
	"recv": "recvfrom", "send": "sendto", "renameat2": "renameat", "geteuid32": "geteuid",
}

// strace runs the program and returns how often it called each function of the kernel.
func strace(t *testing.T, program string, arguments ...string) figures {
	t.Helper()
	table := filepath.Join(t.TempDir(), "table")
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-c", "-o", table, program}, arguments...)...)
	// In a container with a limit of processors, the runtime reads more files.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GODEBUG=containermaxprocs=0,updatemaxprocs=0"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("strace %v: %v\n%s", arguments, err, out)
	}
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	counted := figures{}
	for line := range strings.Lines(string(text)) { // % time, seconds, usecs/call, calls, errors if any, syscall
		words := strings.Fields(line)
		if len(words) < 5 || !strings.Contains(words[1], ".") || slices.Contains(ofTheRuntime, words[len(words)-1]) {
			continue
		}
		name := words[len(words)-1]
		counted[cmp.Or(sameAs[name], name)] += number(t, words[3])
	}
	if counted["write"] == 0 && counted["ioctl"] == 0 && counted["sendto"] == 0 {
		t.Fatalf("strace %v counted nothing:\n%s", arguments, text)
	}
	return counted
}

func number(t *testing.T, word string) int {
	t.Helper()
	n, err := strconv.Atoi(word)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// String returns the figures as the file has them.
func (f figures) String() string {
	var text strings.Builder
	text.WriteString("# SUBJECT WHAT MOST: the bounds of costs_test.go, which says how to change them\n")
	for _, name := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintln(&text, name, f[name])
	}
	return text.String()
}

// read returns the bounds. Without root, a socket that may not have a large buffer asks for a smaller one.
func read(t *testing.T) figures {
	t.Helper()
	file, err := os.Open(bounds)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f := figures{}
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if name, most := split(scanner.Text()); !strings.HasPrefix(name, "#") {
			f[name] = number(t, most)
			if strings.HasSuffix(name, " setsockopt") && !nstest.Real() {
				f[name]++
			}
		}
	}
	return f
}

// split returns a line without its last word, and that word.
func split(line string) (name, most string) {
	at := strings.LastIndexByte(line, ' ')
	return line[:max(at, 0)], line[at+1:]
}
