// Package netcfg is the domain: the configuration asked of a TUN/TAP device ([Spec]), the observed state ([Device]),
// the steps from one to the other ([Plan]), and the engine that runs and undoes them ([Namespace.Run]). It prints
// nothing.
package netcfg
