package doctor

// receiveStages are the places between the program that writes a packet and the routing of this host.
func receiveStages() []stage {
	return []stage{}
}
