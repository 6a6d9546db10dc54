package state

import (
	"encoding/json"
	"testing"
)

// FuzzText writes any bytes to JSON and reads them back.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "tun0", "\xff\xfe", `a\x00`, `\`, "é\xc3", "\ufffd", "<&>\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var back Text
		text, err := json.Marshal(Text(s))
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || string(back) != s {
			t.Errorf("%q became %q by %s: %v", s, back, text, err)
		}
	})
}
