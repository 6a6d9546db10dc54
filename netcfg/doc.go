// Package netcfg is the domain: what is asked of a TUN/TAP device ([Spec]), what the kernel says of one ([Device]), the steps
// from the one to the other ([Plan]), and the engine that does them and undoes them ([Namespace.Run]). It prints nothing.
package netcfg
