package netcfg

import "testing"

func TestAddressesAsIPWritesThem(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1/24": "10.0.0.1/24", "10.0.0.1": "10.0.0.1/32", "fd00::1/64": "fd00::1/64", "FD00:0::1": "fd00::1/128",
		"192.168.13.1 peer 192.168.13.2": "192.168.13.1 peer 192.168.13.2",
		"10.0.0.1 peer 10.0.0.2/24":      "10.0.0.1 peer 10.0.0.2/24",
		"fd00::1 peer fd00::2":           "fd00::1 peer fd00::2", "169.254.1.1/16": "169.254.1.1/16",
		"10.0.0.1/33": "", "10.0.0": "", "": "", "10.0.0.1/24 peer 10.0.0.2": "", "10.0.0.1 peer fd00::1": "",
		"10.0.0.1 pear 10.0.0.2": "", "10.0.0.1/24 brd": "", "10.0.0.1/24 brd fd00::1": "",
		"10.0.0.1/24 brd 0.0.0.0":              "",
		"10.0.0.1/20 brd +":                    "10.0.0.1/20 broadcast 10.0.15.255",
		"10.0.0.1/24 broadcast -":              "10.0.0.1/24 broadcast 10.0.0.0",
		"10.0.0.1 brd 10.9.9.9":                "10.0.0.1/32 broadcast 10.9.9.9",
		"10.0.0.1/30 brd +":                    "10.0.0.1/30 broadcast 10.0.0.3",
		"10.0.0.1/31 brd +":                    "",
		"fd00::1/64 brd 10.0.0.9":              "",
		"10.0.0.1/24 brd + brd +":              "",
		"10.0.0.1/24 brd + peer +":             "",
		"10.0.0.1 brd + peer 10.0.7.2/24":      "10.0.0.1 peer 10.0.7.2/24 broadcast 10.0.7.255",
		"10.0.0.1 peer 10.0.0.2 peer 10.0.0.3": "",
		"0.0.0.0/0":                            "", "224.0.0.1/4": "", "255.255.255.255": "",
		"::/0": "", "ff02::1": "", "::ffff:10.0.0.1/120": "",
		"fe80::1%eth0": "", "10.0.0.1 peer 10.0.0.1": "", "10.0.0.1/-1": "",
	} {
		a, err := ParseAddress(text)
		if (err == nil) != (want != "") || err == nil && a.Words() != want {
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
	for _, s := range []string{"10.0.0.1/24", "fd00::1/64", "192.168.13.1 peer 192.168.13.2", "10.0.0.1/24 brd +"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.Words()); err != nil || again.Address != a.Address {
			t.Errorf("%q became %q, which reads %v, %v", s, a, again, err)
		}
	})
}
