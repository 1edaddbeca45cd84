package nsjail

import "github.com/opencontainers/runc/libcontainer/configs"

// IDMap and Rlimit are the OCI words of Config and Process, named here so that who fills those in needs no import of runc.
type (
	// IDMap maps a range of ids inside to ids of the host; see user_namespaces(7).
	IDMap = configs.IDMap
	// Rlimit is one limit of setrlimit(2): Type is unix.RLIMIT_*.
	Rlimit = configs.Rlimit
)
