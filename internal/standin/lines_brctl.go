package standin

import "fmt"

// brctlOptions are the properties of a bridge in brctl(8), with their names in a file.
var brctlOptions = map[string]string{
	"stp": "stp", "setfd": "forward_delay", "setageing": "ageing", "setageingtime": "ageing",
	"sethello": "hello_time", "setmaxage": "max_age", "setbridgeprio": "priority",
}

// brctlPortOptions are the properties of a port.
var brctlPortOptions = map[string]string{"setpathcost": "cost", "setportprio": "priority", "hairpin": "hairpin"}

// readBrctl reads a line of brctl(8).
func readBrctl(words []string) (*Line, error) {
	if len(words) == 0 {
		return &Line{Act: Reads}, nil
	}
	verb, rest := words[0], words[1:]
	if verb == "show" || verb == "showmacs" || verb == "showstp" {
		return &Line{Act: Reads}, nil
	}
	if len(rest) == 0 {
		return nil, fmt.Errorf("brctl %s: the bridge is missing", verb)
	}
	l := &Line{Name: rest[0], Ports: rest[1:]}
	key, ofPort := brctlOptions[verb], brctlPortOptions[verb]
	switch {
	case ofPort != "" && len(rest) == 3:
		l.Act, l.Name, l.Ports, l.Options = Changes, rest[1], nil, []BridgeOption{{ofPort, rest[2]}}
	case verb == "addbr" || verb == "delbr":
		l.Act, l.Ports = Bridges, nil
		if verb == "delbr" {
			l.Act = Removes
		}
	case verb == "addif" || verb == "delif":
		if l.Act = Joins; verb == "delif" {
			l.Act = Leaves
		}
	case key != "" && len(rest) == 2:
		l.Act, l.Ports, l.Options = Tunes, nil, []BridgeOption{{key, rest[1]}}
	default:
		return nil, fmt.Errorf("brctl %s is not supported", verb)
	}
	return l, nil
}
