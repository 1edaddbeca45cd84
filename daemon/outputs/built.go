// SPDX-License-Identifier: Apache-2.0

package outputs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/nsjail"
)

// MaxBuilt bounds in bytes the memory that a built program may take while its tests run, including partly filled blocks, names and inodes.
// It is memory of the job, charged to the sandbox that built it.
const MaxBuilt = 64 << 20

// Bounds of a built program.
const (
	maxBuiltSize  = 32 << 20 // bytes of its files together
	maxBuiltFiles = 4096
	maxBuiltNames = 1 << 20 // bytes of the names of its files, which are in the daemon's memory
	maxBuiltDepth = 256     // path elements of a name
	inodeBytes    = 1 << 10 // kernel memory that an inode with its name takes, at most
)

// Everything matches all files. A plan with these Outputs has a sandbox whose workspace ListBuilt can read.
var Everything = job.Globs{{"**", "*"}}

// ListBuilt lists the files that a build left in dir, so that they can be copied into the sandbox of each test, and changes their modes so
// that those sandboxes, which have other host ids, can read them. The list has all files or none: a program with a part missing would fail
// in ways that nobody could explain. why is the reason for none, for the job's author.
func ListBuilt(dir int) (files []nsjail.File, why string) {
	if dir < 0 {
		return nil, ""
	}
	s := newSearch(dir, Everything, job.Limits{OutputFilesMax: maxBuiltFiles, OutputFileBytes: maxBuiltSize, OutputFilesBytes: maxBuiltSize})
	s.depth, s.anyName, s.unlock = maxBuiltDepth, true, true
	s.walk("")
	names := 0
	for _, f := range s.found {
		names += len(f.name)
		s.open(f, func(file *os.File, exec bool) error {
			one := nsjail.File{Name: f.name, Mode: 0o644, Copy: f.size}
			if exec {
				one.Mode = 0o755
			}
			files = append(files, one)
			return file.Chmod(0o644) // so that it can be read for the copy, whose mode is one.Mode
		})
	}
	switch skipped := s.out.Skipped; {
	case len(skipped) > 0:
		return nil, fmt.Sprintf("the compile step left %q, which can't be carried to the tests (%s): at most %d regular files of %d MiB together can",
			skipped[0].Name, skipped[0].Reason, maxBuiltFiles, maxBuiltSize/job.MiB)
	case names > maxBuiltNames:
		return nil, fmt.Sprintf("the compile step left files whose names have %d bytes together: at most %d can be carried to the tests", names, maxBuiltNames)
	}
	if used, err := memoryOf(dir); err != nil || used > MaxBuilt {
		return nil, fmt.Sprintf("what the compile step left takes %d MiB of memory with all that belongs to it: at most %d can be carried to the tests", used/job.MiB, MaxBuilt/job.MiB)
	}
	return files, ""
}

// memoryOf is how many bytes of memory the tmpfs of dir takes, including blocks beyond the end of files and files without a name.
func memoryOf(dir int) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Blocks-fs.Bfree)*fs.Bsize + int64(fs.Files-fs.Ffree)*inodeBytes, nil
}
