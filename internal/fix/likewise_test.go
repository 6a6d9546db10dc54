package fix

import "testing"

// TestFixOfSeveralDevices checks that the fix of findings that differ only in the device is for all devices, or says
// that the others require the same.
func TestFixOfSeveralDevices(t *testing.T) {
	two, three := []string{"vm0", "db"}, []string{"vm0", "vm1", "vm2"}
	for _, c := range []struct {
		fix  Fix
		all  []string
		want string
	}{
		{Run(Tunadm("set", "vm0", "--up")), two, "tunadm set vm0 db --up"},
		{Run(Tunadm("set", "vm0", "--up")), three, "tunadm set 'vm[0-2]' --up"},
		{Run(InNamespace("ip", "link", "set", "dev", "br0", "up")).Lasting(), two,
			"ip link set dev br0 up  # until the device is deleted or the next boot"},
		{Run(InNamespace("ip", "link", "set", "dev", "br0", "up"), Tunadm("set", "vm0", "--up")), two,
			"ip link set dev br0 up && tunadm set vm0 db --up"},
		{Run(InNamespace("sysctl", "-w", "net.ipv4.conf.vm0.forwarding=1")), three,
			"sysctl -w net.ipv4.conf.vm0.forwarding=1  # and likewise for the other 2"},
		{Run(Tunadm("delete", "vm0"), Tunadm("add", "vm0", "--mode", "tun")), two,
			"tunadm delete vm0 && tunadm add vm0 --mode tun  # and likewise for the other 1"},
		{Sentence("restart the program"), two, "restart the program"},
		{Run(InNamespace("ip", "link", "set", "dev", "xvm0", "up")), two, "ip link set dev xvm0 up"},
		{Run(InNamespace("ip", "link", "set", "dev", "vm01", "up")), two, "ip link set dev vm01 up"},
		{Run(InNamespace("nft", "add", "rule", "inet", "f", "c", "iifname", `"vm0"`, "accept")), two,
			`nft add rule inet f c iifname '"vm0"' accept  # and likewise for the other 1`},
	} {
		if got := c.fix.Likewise("vm0", c.all).String(); got != c.want {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
}
