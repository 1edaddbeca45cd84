package daemon

// maskedPaths are covered in every sandbox. /proc is that of the sandbox's own pid namespace, but these files speak of the
// whole host: its kernel's addresses and keys, its devices, its boot, and what the neighbours are doing. First the list that
// Docker masks, then what it leaves open. Not what the mode of the file keeps everybody out of but the host's root, who is nobody
// in a sandbox (kcore, timer_list, sysrq-trigger). cpuinfo, meminfo, stat and the like stay: the runtimes size themselves by them.
func maskedPaths() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",

		"/proc/key-users",  // who else has keys
		"/proc/kallsyms",   // symbols, and addresses where kptr_restrict is off
		"/proc/modules",    // what to attack
		"/proc/cmdline",    // the host's boot command line
		"/proc/config.gz",  //
		"/proc/locks",      // locks on inodes that sandboxes share
		"/proc/softirqs",   // a clock of the neighbours' network and disk
		"/proc/diskstats",  //
		"/proc/pressure",   //
		"/proc/schedstat",  //
		"/proc/vmstat",     // the same of memory
		"/proc/zoneinfo",   //
		"/proc/buddyinfo",  //
		"/proc/partitions", // the host's disks
		"/proc/swaps",      //
		// Tells whether two jobs ran on the same machine, since the same boot.
		"/proc/sys/kernel/random/boot_id",
		"/proc/driver", "/proc/fs", "/proc/irq", "/proc/bus", "/proc/tty",
	}
}
