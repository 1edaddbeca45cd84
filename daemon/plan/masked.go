// SPDX-License-Identifier: Apache-2.0

package plan

// maskedPaths are covered in every sandbox. /proc belongs to the sandbox's own pid namespace, but these files are about the
// whole host: its kernel's addresses and keys, its devices, its boot, and the activity of neighbours. First come the paths that
// Docker masks, then others that it leaves open. Files that only the host's root may open are left out (kcore, timer_list,
// sysrq-trigger): no sandbox has that user. cpuinfo, meminfo, stat and the like stay: runtimes size themselves by them.
func maskedPaths() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",

		"/proc/key-users",  // the other users with keys
		"/proc/kallsyms",   // symbols, and addresses where kptr_restrict is off
		"/proc/modules",    // loaded modules: targets of attacks
		"/proc/cmdline",    // the host's boot command line
		"/proc/config.gz",  //
		"/proc/locks",      // locks on inodes that sandboxes share
		"/proc/softirqs",   // a clock of the neighbours' network and disk
		"/proc/diskstats",  //
		"/proc/pressure",   //
		"/proc/schedstat",  //
		"/proc/vmstat",     // the same for memory
		"/proc/zoneinfo",   //
		"/proc/buddyinfo",  //
		"/proc/partitions", // the host's disks
		"/proc/swaps",      //
		// Shows whether two jobs ran on the same machine since the same boot.
		"/proc/sys/kernel/random/boot_id",
		"/proc/driver", "/proc/fs", "/proc/irq", "/proc/bus", "/proc/tty",
	}
}
