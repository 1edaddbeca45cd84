// SPDX-License-Identifier: Apache-2.0

package escape

import "strings"

// unshared are the probes that get through where a sandbox has no namespaces, no mounts and no cgroup of its own, each with the reason. All
// others must hold there too. A name that ends in * stands for all that begin so.
var unshared = map[string]string{
	"namespaces/none is the host's": "the container's namespaces are the program's",
	"mounts/flags of all mounts":    "the container's mounts are the program's; no_new_privs does what nosuid would",
	"files/execute from /tmp":       "no mount can be made noexec",
	"files/execute from /dev/shm":   "no mount can be made noexec",
	"cgroup/path":                   "the container's cgroup is the program's: there is no limit of the CPU rate, nor a weight",
	"identity/uid":                  "without a user namespace the uid is the one on the machine",
	"identity/gid":                  "without a user namespace the gid is the one on the machine",
	"identity/capabilities":         "the bounding set can't be emptied without CAP_SETPCAP; no_new_privs keeps it from being of use",
	"identity/keep capabilities":    "securebits can't be locked without CAP_SETPCAP; there is no capability to keep",
	"disk/* has an end":             "a tmpfs of the container has the container's size: the sandbox is watched and killed instead",
	"proc/read *":                   "what /proc tells of the machine, the container engine may mask and the sandbox can't",
	"proc/processes":                "the container's processes can be listed, with their names and arguments",
	"sockets/names that are listed": "/proc/net lists the container's sockets; none can be connected to",
	"network/interfaces":            "/proc/net lists the container's interfaces; no socket can be made",
	"network/sockets of others":     "/proc/net lists the container's sockets; none can be connected to",
	"network/routes":                "/proc/net lists the container's routes; no socket can be made",
}

// Unshared marks, of the outcomes in a sandbox without namespaces, those that can't be otherwise there.
func Unshared(outcomes []Outcome) []Outcome {
	for i := range outcomes {
		if o := &outcomes[i]; !o.Held {
			o.Given = unsharedReason(o.Group + "/" + o.Name)
		}
	}
	return outcomes
}

func unsharedReason(name string) string {
	if reason, ok := unshared[name]; ok {
		return reason
	}
	for pattern, reason := range unshared {
		before, after, ok := strings.Cut(pattern, "*")
		if ok && strings.HasPrefix(name, before) && strings.HasSuffix(name, after) {
			return reason
		}
	}
	return ""
}
