package daemon

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

const (
	// maxProgram bounds in bytes what a build may leave for the tests, and maxKept what that takes with all that belongs to it: blocks that are
	// not full, names, inodes. It is memory of the job, in the sandbox that built it.
	maxProgram = 32 << 20
	maxKept    = 64 << 20
	maxBuiltBy = 4096    // files of it
	maxNames   = 1 << 20 // bytes of their names, which the daemon keeps
	builtDepth = 256     // path elements of each
	inodeBytes = 1 << 10 // what an inode with its name takes of the kernel's memory, at most
)

// everything is what a build left.
var everything = job.Globs{{"**", "*"}}

// carried lists what a build left in dir, to be copied into each test's sandbox, and lets those sandboxes read it: they have other host ids.
// It must be all: a program with a part missing would fail in ways that nobody could explain. If it can't be, why says the reason.
func carried(dir int) (files []nsjail.File, why string) {
	if dir < 0 {
		return nil, ""
	}
	left := newSearch(dir, everything, job.Limits{OutputFilesMax: maxBuiltBy, OutputFileBytes: maxProgram, OutputFilesBytes: maxProgram})
	left.depth, left.inner, left.open = builtDepth, true, true
	left.walk("")
	names := 0
	for _, f := range left.found {
		names += len(f.name)
		left.with(f, func(file *os.File, exec bool) error {
			one := nsjail.File{Name: f.name, Mode: 0o644, Copy: f.size}
			if exec {
				one.Mode = 0o755
			}
			files = append(files, one)
			return file.Chmod(0o644) // for the copying; copies have their own
		})
	}
	switch skipped := left.out.Skipped; {
	case len(skipped) > 0:
		return nil, fmt.Sprintf("the compile step left %q, which can't be carried to the tests (%s): at most %d regular files of %d MiB together can",
			skipped[0].Name, skipped[0].Reason, maxBuiltBy, maxProgram/job.MiB)
	case names > maxNames:
		return nil, fmt.Sprintf("the compile step left files whose names have %d bytes together: at most %d can be carried to the tests", names, maxNames)
	}
	if kept, err := takenBy(dir); err != nil || kept > maxKept {
		return nil, fmt.Sprintf("what the compile step left takes %d MiB of memory with all that belongs to it: at most %d can be carried to the tests", kept/job.MiB, maxKept/job.MiB)
	}
	return files, ""
}

// takenBy is how many bytes of memory the tmpfs of dir takes, also for what no name leads to and no size says.
func takenBy(dir int) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Blocks-fs.Bfree)*fs.Bsize + int64(fs.Files-fs.Ffree)*inodeBytes, nil
}
