package firewall

import (
	"os"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }
