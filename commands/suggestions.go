package commands

import (
	"cmp"
	"slices"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
)

// unknown returns the error for an unknown word, which may be a flag of a verb, with the best of the hints.
func unknown(kind, word, verb string, known []string, otherwise string) error {
	e := usage("unknown "+kind+" "+quote(word), otherwise)
	e.unknown = true
	property, hint := words.Property(word)
	meant := cmp.Or(synonymsOf[verb][word], synonyms[word], "--"+property)
	if !slices.Contains(known, meant) {
		meant = ""
	}
	if tool := standin.Find(word); tool != nil {
		hint = "tunadm as " + tool.Name
	}
	hint = cmp.Or(elsewhereOf[verb][word], elsewhere[word], hint)
	if meant == "" && hint == "" {
		meant = words.Nearest(word, known)
	}
	switch {
	case meant != "":
		e.fix, e.near = fix.Sentence("did you mean "+meant+"?"), true
	case hint != "":
		e.fix, e.near = fix.Sentence(hint), true
	}
	return e
}

// synonyms are words of other tools, each with the flag or the verb of the same meaning. Those of properties are in
// package words, because files have them too.
var synonyms = map[string]string{
	"-u": "--user", "-g": "--group", "-f": "--force", "-n": "--netns", "-j": "--json", "-o": "--json",
	"--output": "--json", "--format": "--json",
	"create": "add", "new": "add", "remove": "delete", "destroy": "delete", "monitor": "watch", "capture": "dump",
	"ping": "echo", "check": "doctor", "diagnose": "doctor", "change": "set", "mod": "set", "edit": "set",
	"run": "exec", "status": "list", "ps": "list", "save": "export", "start": "apply", "reload": "apply",
	"restart": "apply", "stop": "teardown",
}

// synonymsOf are flags of tools that have the same purpose as a verb.
var synonymsOf = map[string]map[string]string{
	topVerb.name:    {"-n": "--count", "-d": "--interval"},
	dumpVerb.name:   {"-c": "--count", "-w": "--write", "-x": "--hex", "-X": "--hex"},
	traceVerb.name:  {"-c": "--count"},
	listVerb.name:   {"-s": "--stats"},
	tunnelVerb.name: {"-l": "--listen"},
}

// elsewhere are hints for words that have no flag and no verb of the same meaning. The names of the tools that as
// emulates are in package standin.
var elsewhere = map[string]string{
	"-t": "a name needs no flag: tunadm add tap0", "-V": "tunadm --version",
	"--dev": "a name needs no flag: tunadm add tap0", "-i": "a name needs no flag: tunadm dump tap0",
	"-a": "tunadm list prints all devices", "--all": "tunadm list prints all devices",
	"version": "tunadm --version", "up": "tunadm set NAME --up", "down": "tunadm set NAME --down",
	"rename": "tunadm set NAME --name NEW", "stats": "tunadm list --stats",
	"attach": "tunadm exec NAME -- PROGRAM runs a program with the device; dump, echo and tunnel attach too",
	"tuntap": "tunadm as ip tuntap", "link": "ip link, or tunadm set NAME",
	"addr": "tunadm set NAME --add-address ADDRESS",
}

// elsewhereOf are hints for words in place of a flag of one verb.
var elsewhereOf = map[string]map[string]string{
	setVerb.name: {
		"--mode":        "the mode cannot be changed after creation: tunadm delete NAME, then add it again",
		"--multi-queue": "it cannot be changed after creation: tunadm delete NAME, then add it again",
		"--pi":          "each program sets it when it attaches: tunadm exec NAME --pi -- PROGRAM",
		"--vnet-hdr":    "each program sets it when it attaches: tunadm exec NAME --vnet-hdr -- PROGRAM",
	},
	addVerb.name:  {"-d": "tunadm delete NAME"},
	listVerb.name: {"-l": "tunadm show prints all details", "-d": "tunadm delete NAME"},
}
