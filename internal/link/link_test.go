package link

import "testing"

func TestNamesThatTheKernelTakes(t *testing.T) {
	for name, want := range map[string]bool{
		"tun77": true, "tap.0a": true, "dev": true, "-x": true, "é": true, "a\"b": true, "abcdefghijklmno": true,
		"a\x7f": true,
		"":      false, "abcdefghijklmnop": false, ".": false, "..": false, "a/b": false, "a:b": false, "a b": false,
		"a\tb":    false,
		"a\u00a0": false, "à": false, "all": false, "default": false, "a\x00b": false, "a\n": false, "a\vb": false,
		"a\x0c": false,
	} {
		if err := CheckName(name); (err == nil) != want {
			t.Errorf("CheckName(%q) = %v, want ok %v", name, err, want)
		}
	}
}

func TestTemplatesHaveOneNumber(t *testing.T) {
	for name, want := range map[string]bool{
		"vm%d": true, "%d": true, "a%dx": true, "plain": true, "a%d%d": false, "a%s": false, "a%%": false,
		"100%": false, "abcdefghijklmn%d": false,
	} {
		if err := CheckTemplate(name); (err == nil) != want {
			t.Errorf("CheckTemplate(%q) = %v, want ok %v", name, err, want)
		}
	}
}

func TestMTUBoundsFollowTheMode(t *testing.T) {
	for _, c := range []struct {
		mode Mode
		mtu  int
		want bool
	}{{TUN, 68, true}, {TUN, 67, false}, {TUN, 65535, true}, {TUN, 65536, false}, {TAP, 65521, true},
		{TAP, 65522, false}, {0, 65535, true}, {0, -1, false}} {
		if err := c.mode.CheckMTU(c.mtu); (err == nil) != c.want {
			t.Errorf("%v.checkMTU(%d) = %v, want ok %v", c.mode, c.mtu, err, c.want)
		}
	}
}

func TestMACsOfOneHost(t *testing.T) {
	for text, want := range map[string]string{
		"02:00:5e:10:00:01": "02:00:5e:10:00:01", "02-00-5E-10-00-01": "02:00:5e:10:00:01",
		"0200.5e10.0001":    "02:00:5e:10:00:01",
		"01:00:5e:00:00:01": "", "00:00:00:00:00:00": "", "ff:ff:ff:ff:ff:ff": "", "02:00:5e:10:00": "", "": "",
		"02:00:5e:10:00:01:02:03": "", "x": "",
	} {
		mac, err := ParseMAC(text)
		if (err == nil) != (want != "") || err == nil && mac.String() != want {
			t.Errorf("ParseMAC(%q) = %v, %v; want %q", text, mac, err, want)
		}
	}
}

func TestNamesInTheOrderOfPeople(t *testing.T) {
	order := []string{"a", "tap0", "tap02", "tap2", "tap10", "tap10a", "tap10b2", "tap10b10", "tun1",
		"tun99999999999999999999998", "tun99999999999999999999999", "u00", "u09", "u10"}
	for i := range order[1:] {
		if CompareNames(order[i], order[i+1]) >= 0 && order[i] != "tap02" {
			t.Errorf("%q does not come before %q", order[i], order[i+1])
		}
	}
}
