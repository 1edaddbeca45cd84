// SPDX-License-Identifier: Apache-2.0

package nsjail

// IDMap maps a range of ids inside to ids of the host, as linux.uidMappings of the OCI runtime specification does; see user_namespaces(7).
type IDMap struct {
	ContainerID, HostID, Size int64
}

// Rlimit is one limit of setrlimit(2), as process.rlimits of the OCI runtime specification is. Type is unix.RLIMIT_*.
type Rlimit struct {
	Type       int
	Hard, Soft uint64
}
