package doctor

// inputStages are the places that a packet of the program for this host passes after its receipt.
func inputStages() []stage {
	return []stage{}
}
