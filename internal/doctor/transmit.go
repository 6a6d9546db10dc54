package doctor

// transmitStages are the places between the routing of a packet and the program that reads the device.
func transmitStages() []stage {
	return []stage{}
}
