package netcfg

import (
	"testing"
)

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
		if err := c.mode.checkMTU(c.mtu); (err == nil) != c.want {
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

func TestAddressesAsIPWritesThem(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1/24": "10.0.0.1/24", "10.0.0.1": "10.0.0.1/32", "fd00::1/64": "fd00::1/64", "FD00:0::1": "fd00::1/128",
		"192.168.13.1 peer 192.168.13.2": "192.168.13.1 peer 192.168.13.2",
		"10.0.0.1 peer 10.0.0.2/24":      "10.0.0.1 peer 10.0.0.2/24",
		"fd00::1 peer fd00::2":           "fd00::1 peer fd00::2", "169.254.1.1/16": "169.254.1.1/16",
		"10.0.0.1/33": "", "10.0.0": "", "": "", "10.0.0.1/24 peer 10.0.0.2": "", "10.0.0.1 peer fd00::1": "",
		"10.0.0.1 pear 10.0.0.2": "",
		"0.0.0.0/0":              "", "224.0.0.1/4": "", "255.255.255.255": "",
		"::/0": "", "ff02::1": "", "::ffff:10.0.0.1/120": "",
		"fe80::1%eth0": "", "10.0.0.1 peer 10.0.0.1": "", "10.0.0.1/-1": "",
	} {
		a, err := ParseAddress(text)
		if (err == nil) != (want != "") || err == nil && a.String() != want {
			t.Errorf("ParseAddress(%q) = %v, %v; want %q", text, a, err, want)
		}
	}
}

func TestRoutesAsIPWritesThem(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.0.0/16": "10.1.0.0/16", "10.1.0.1": "10.1.0.1/32", "10.2.0.0/16 via 10.0.0.2": "10.2.0.0/16 via 10.0.0.2",
		"default via 10.0.0.1 metric 5 table 7": "0.0.0.0/0 via 10.0.0.1 metric 5 table 7",
		"default via fd00::1":                   "::/0 via fd00::1",
		"default":                               "0.0.0.0/0",
		"fd01::/48 metric 1024":                 "fd01::/48", "fd01::/48 table main": "fd01::/48",
		"10.0.0.0/8 table default": "10.0.0.0/8 table 253",
		"":                         "", "10.1.0.1/16": "", "10.1.0.0/16 via": "",
		"10.1.0.0/16 via x": "", "10.1.0.0/16 dev eth0": "",
		"10.1.0.0/16 metric -1": "", "10.1.0.0/16 metric 1 metric 2": "",
		"10.1.0.0/16 table 0": "", "10.1.0.0/16 table local": "", "10.1.0.0/16 table 255": "",
		"10.1.0.0/16 via fd00::1": "", "nonsense": "", "10.1.0.0/16 via 224.0.0.1": "",
	} {
		r, err := ParseRoute(text)
		if (err == nil) != (want != "") || err == nil && r.String() != want {
			t.Errorf("ParseRoute(%q) = %v, %v; want %q", text, r, err, want)
		}
	}
}

func TestNamesInTheOrderOfPeople(t *testing.T) {
	order := []string{"a", "tap0", "tap02", "tap2", "tap10", "tap10a", "tap10b2", "tap10b10", "tun1",
		"tun99999999999999999999998", "tun99999999999999999999999", "u00", "u09", "u10"}
	for i := range order[1:] {
		if compareNames(order[i], order[i+1]) >= 0 && order[i] != "tap02" {
			t.Errorf("%q does not come before %q", order[i], order[i+1])
		}
	}
}

func FuzzParseRoute(f *testing.F) {
	for _, s := range []string{"10.1.0.0/16 via 10.0.0.2 metric 5 table 7", "default", "fd00::/8 metric 0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRoute(s)
		if err != nil {
			return
		}
		if again, err := ParseRoute(r.String()); err != nil || !again.same(r) {
			t.Errorf("%q became %q, which reads %v, %v", s, r, again, err)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"10.0.0.1/24", "fd00::1/64", "192.168.13.1 peer 192.168.13.2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || !again.same(a) {
			t.Errorf("%q became %q, which reads %v, %v", s, a, again, err)
		}
	})
}
