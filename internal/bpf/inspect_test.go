package bpf

import (
	"slices"
	"testing"
)

// TestReturns reads what programs return from their instructions.
func TestReturns(t *testing.T) {
	constant := func(n byte) []byte { return []byte{0xB7, 0, 0, 0, n, 0, 0, 0} }
	leave := []byte{0x95, 0, 0, 0, 0, 0, 0, 0}
	helper := []byte{0x85, 0, 0, 0, 23, 0, 0, 0}
	loaded := []byte{0x61, 0x10, 0, 0, 0, 0, 0, 0}
	for name, c := range map[string]struct {
		code     []byte
		want     []int32
		complete bool
	}{
		"a constant":    {slices.Concat(constant(1), leave), []int32{1}, true},
		"two constants": {slices.Concat(constant(1), leave, constant(2), leave), []int32{1, 2}, true},
		"a helper":      {slices.Concat(constant(2), helper, leave), []int32{2}, false},
		"a loaded word": {slices.Concat(loaded, leave), nil, false},
		"hidden":        {nil, nil, false},
	} {
		got, complete := (&Loaded{code: c.code}).Returns()
		if !slices.Equal(got, c.want) || complete != c.complete {
			t.Errorf("%s: %v, %v", name, got, complete)
		}
	}
}
