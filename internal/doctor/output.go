package doctor

// outputStages are the places that a packet of this host passes before it is handed to a device.
func outputStages() []stage {
	return []stage{}
}
