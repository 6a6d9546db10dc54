package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/skel"
)

func manual(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../man/tunadm-cni.8")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// section returns the text below a heading of the manual.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(manual(t), heading+"\n")
	if !ok {
		t.Fatalf("no %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n.S")
	return text
}

// TestTheManualHasAllKeys compares the table of keys with the fields of the configuration, in order and with types.
func TestTheManualHasAllKeys(t *testing.T) {
	types := map[reflect.Kind]string{reflect.Int: "number", reflect.Uint32: "number", reflect.Bool: "true | false",
		reflect.String: "string", reflect.Slice: "array"}
	var want, got []string
	for f := range reflect.TypeFor[config]().Fields() {
		key, kind := f.Tag.Get("json"), f.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if key != "" && key != "runtimeConfig" {
			want = append(want, key+" "+types[kind.Kind()])
		}
	}
	rows := regexp.MustCompile(`(?m)^\.It Ic (\w+) Ar (.*)$`)
	for _, row := range rows.FindAllStringSubmatch(section(t, ".Ss Keys"), -1) {
		got = append(got, row[1]+" "+row[2])
	}
	if !slices.Equal(got, want) {
		t.Errorf("the manual has %q, want %q", got, want)
	}
}

// TestTheManualHasAllCodes compares the table of codes with those of the causes.
func TestTheManualHasAllCodes(t *testing.T) {
	table := section(t, ".Sh EXIT STATUS")
	for cause, code := range codes {
		if !strings.Contains(table, "\n.It "+strconv.FormatUint(uint64(code), 10)+"\n") {
			t.Errorf("code %d of %q is missing", code, cause)
		}
	}
}

// TestTheExamplesOfTheManual reads the configurations of the manual: all their keys are known.
func TestTheExamplesOfTheManual(t *testing.T) {
	_, list, _ := strings.Cut(section(t, ".Ss Example"), `"plugins": [`)
	list, _, _ = strings.Cut(list, "\n  ]")
	_, multus, _ := strings.Cut(section(t, ".Ss Multus"), "config: '")
	multus, _, _ = strings.Cut(multus, "'\n")
	for _, text := range []string{list, multus} {
		args := &skel.CmdArgs{IfName: "tap0", StdinData: []byte(text)}
		c, err := readConfig(args)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		s, err := c.spec("tap0")
		if err != nil || s.Access.User.Number != 107 || !*s.MultiQueue || c.IPAM.Type == "" {
			t.Errorf("%v, %v: %s", s, err, text)
		}
		for _, key := range regexp.MustCompile(`(?m)^      +"(\w+)":`).FindAllStringSubmatch(text, -1) {
			if !slices.Contains(ownKeys(), key[1]) && !slices.Contains(othersKeys, key[1]) {
				t.Errorf("%s is unknown", key[1])
			}
		}
	}
}
