package doctor

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// xdp finds an XDP program that drops what the attached program writes.
func xdp(j *journey) (found []Finding) {
	d := j.device
	for _, p := range j.host.XDPPrograms(d.Index) {
		what := fmt.Sprintf("an XDP program (ID %d", p.ID)
		if p.Name != "" {
			what += ", " + words.Escape(p.Name)
		}
		what += ")"
		off := fix.Run(fix.InNamespace("ip", "link", "set", "dev", d.Name, p.Mode, "off"))
		off.After = "  # until the program that attaches it runs again"
		remove := []fix.Fix{off, fix.Sentence("if it belongs to a BPF link (ip: device or resource busy): " +
			"stop the program that attached it")}
		t, lost := j.traffic(), j.unreached()
		sent := "it has sent " + packets(t.sent)
		switch {
		case p.Drops == evidence.Never:
			found = append(found, ok(what+" passes every packet")...)
		case p.Drops == evidence.Always:
			found = append(found, one(Error, what+" drops every packet of the attached program", sent, remove...)...)
			found[len(found)-1].counted = t.sent
		case lost > 0:
			found = append(found, counted(lost, what+" drops packets of the attached program",
				fmt.Sprintf("%s, and %s did not reach the IP layer", sent, packets(lost)), remove...)...)
		case t.unanswered():
			found = append(found, one(Warning, what+" may drop packets of the attached program",
				fmt.Sprintf("%s, and received %s", sent, packets(t.received)), remove...)...)
		default:
			found = append(found, one(Unknown, what+" may drop packets of the attached program",
				"what it does was not evaluated")...)
		}
	}
	return found
}

// ingress finds traffic control filters that discard or redirect what the program writes.
func ingress(j *journey) (found []Finding) {
	d := j.device
	hooked := slices.IndexFunc(j.host.Queues(d.Index), func(q evidence.Queue) bool {
		return q.Kind == "clsact" || q.Kind == "ingress"
	})
	if hooked < 0 {
		return nil
	}
	bpf := uint64(j.host.Queues(d.Index)[hooked].Drops) // by filters whose actions have no counter
	for _, f := range j.host.Filters(d.Index, evidence.Ingress) {
		preference := strconv.FormatUint(uint64(f.Preference), 10)
		remove := fix.Fix{Commands: []fix.Command{
			fix.InNamespace("tc", "filter", "del", "dev", d.Name, "ingress", "pref", preference)},
			After: "  # until the program that added it runs again"}
		what := fmt.Sprintf("a traffic control filter (ingress, pref %s, %s)", preference, f.Kind)
		switch {
		case f.Redirects && j.notOurs():
			found = append(found, ok(what+" redirects packets of the program to another device")...)
		case f.Dropped > 0 && f.Redirects:
			found = append(found, counted(f.Dropped, what+" redirected "+packets(f.Dropped)+
				" of the program to another device", "this host does not receive them", remove)...)
		case f.Dropped > 0:
			found = append(found, counted(f.Dropped, what+" dropped "+packets(f.Dropped)+" of the program",
				"this host does not receive them", remove)...)
		case f.Kind == "bpf" && bpf > 0:
			found = append(found, counted(bpf, what+" dropped "+packets(bpf), "it is a BPF program", remove)...)
		case f.Drops || f.Redirects || f.Kind == "bpf":
			found = append(found, one(Unknown, what+" may drop or redirect packets of the program",
				"its conditions were not evaluated; it has dropped none")...)
		}
	}
	return found
}

// notOurs reports whether nothing on this host could receive the packets of the program without a redirection: a
// filter hands them to another link on purpose, such as that of a container in which the machine runs.
func (j *journey) notOurs() bool {
	d := j.device
	return len(own(d)) == 0 && d.Master == "" && !j.hasRoutes(d)
}
