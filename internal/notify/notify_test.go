package notify

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSend sends to a socket with a path, and to one with an abstract name.
func TestSend(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "notify"), "@tunadm-test-" + strconv.Itoa(os.Getpid())} {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			t.Fatal(err)
		}
		t.Setenv("NOTIFY_SOCKET", path)
		if err := Send("FDSTORE=1\nFDNAME=a", fd); err != nil {
			t.Fatal(err)
		}
		text, rights := make([]byte, 100), make([]byte, unix.CmsgSpace(4))
		n, m, _, _, err := unix.Recvmsg(fd, text, rights, 0)
		if err != nil || string(text[:n]) != "FDSTORE=1\nFDNAME=a" {
			t.Errorf("%s: got %q, %v", path, text[:n], err)
		}
		messages, err := unix.ParseSocketControlMessage(rights[:m])
		if err != nil || len(messages) != 1 {
			t.Fatalf("%s: %d messages, %v", path, len(messages), err)
		}
		if got, err := unix.ParseUnixRights(&messages[0]); err != nil || len(got) != 1 {
			t.Errorf("%s: got %v, %v", path, got, err)
		}
	}
}

// TestSendToNobody has no service manager, and one that is gone.
func TestSendToNobody(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Send("READY=1"); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if err := Send("READY=1"); err == nil {
		t.Error("nobody got it")
	}
}

// TestListenedToAnother has the variables of another process, which a child inherits.
func TestListenedToAnother(t *testing.T) {
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getppid()))
	t.Setenv("LISTEN_FDS", "1")
	if descriptors, names := Listened(); descriptors != nil || names != nil {
		t.Errorf("got %v, %v", descriptors, names)
	}
}
