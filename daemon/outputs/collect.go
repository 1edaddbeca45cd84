// SPDX-License-Identifier: Apache-2.0

package outputs

import (
	"context"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"github.com/ccee-dev/ccee/job"
)

const (
	// maxEntries bounds how many directory entries are noted for one job: those that a glob matches or leads into. The number of
	// others is bounded by the inodes of a workspace.
	maxEntries = 16_384
	// maxSkipped bounds how many of the files that are left out are named.
	maxSkipped = 64

	// maxHeld bounds in bytes the output files of all jobs together that are held in memory, from when they are read until the
	// job's caller has them; encoded as base64 they take another four thirds of that. A job with at most uncounted bytes is not counted.
	maxHeld   = 64 << 20
	uncounted = 16 << 10
)

// Collector collects the output files of jobs. It bounds how much memory they take together.
type Collector struct {
	memory *semaphore.Weighted // bytes
}

// NewCollector returns a Collector that holds no files.
func NewCollector() *Collector { return &Collector{memory: semaphore.NewWeighted(maxHeld)} }

// Collect reads the files beneath the directory dir that globs match, as far as l allows; dir is -1 for a job whose sandbox was never set
// up. It waits while too many bytes of other jobs are held. The files count as held until release is called.
func (c *Collector) Collect(ctx context.Context, dir int, globs job.Globs, l job.Limits) (out *job.OutputFiles, release func()) {
	s, release := newSearch(dir, globs, l), func() {}
	if dir < 0 {
		return &s.out, release
	}
	s.walk("")
	if s.bytes > uncounted {
		// It waits even if ctx has ended, as a cancelled job has output files too; not for ever, since every holder writes its answer under
		// a deadline.
		_ = c.memory.Acquire(context.WithoutCancel(ctx), s.bytes)
		release = func() { c.memory.Release(s.bytes) }
	}
	s.readAll()
	return &s.out, release
}

// search looks for files beneath the directory of a job whose processes are all gone.
type search struct {
	dir     int
	globs   job.Globs
	limits  job.Limits
	entries int  // that may still be noted
	depth   int  // path elements that a name may have
	anyName bool // file names need not be valid on the wire: they stay in the daemon
	unlock  bool // directories get a mode that lets everybody pass

	found []found
	bytes int64 // of all in found
	out   job.OutputFiles
}

// found is a regular file to read.
type found struct {
	name string
	size int64
}

func newSearch(dir int, globs job.Globs, l job.Limits) *search {
	return &search{dir: dir, globs: globs, limits: l, entries: maxEntries, depth: job.MaxNameDepth, out: job.OutputFiles{Files: []job.File{}}}
}

// readAll reads the files that were found.
func (s *search) readAll() {
	for _, f := range s.found {
		s.read(f)
	}
}

// walk visits the directory called name, "" for dir itself, and its subdirectories as far as a glob matches below them.
func (s *search) walk(name string) {
	d, err := openBeneath(s.dir, name, unix.O_DIRECTORY)
	if err != nil {
		s.skip(name, job.SkipUnreadable, 0)
		return
	}
	defer d.Close()
	if s.unlock && d.Chmod(0o755) != nil {
		s.skip(name, job.SkipUnreadable, 0)
		return
	}
	entries, reason := s.list(d, name)
	if reason != "" {
		s.skip(name, reason, 0)
		return
	}
	for _, e := range entries {
		var st unix.Stat_t
		err := unix.Fstatat(int(d.Fd()), path.Base(e.name), &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
		switch kind := st.Mode & unix.S_IFMT; {
		case err != nil:
			s.skip(e.name, job.SkipUnreadable, 0)
		case kind == unix.S_IFDIR:
			s.directory(e)
		case e.file:
			s.file(e.name, &st)
		case kind == unix.S_IFLNK: // a glob matches below it, but links are never followed
			s.skip(e.name, job.SkipSymlink, 0)
		}
	}
}

// entry is a name that a glob matches, as a file or as a directory above files.
type entry struct {
	name        string
	file, below bool
}

// list returns the entries of d, which is called name, that a glob matches, sorted by name: the kernel's order is arbitrary. If there are
// too many it returns none: which ones it had seen would depend on that order too.
func (s *search) list(d *os.File, name string) ([]entry, job.SkipReason) {
	var list []entry
	for {
		names, err := d.Readdirnames(1024)
		for _, n := range names {
			at := path.Join(name, n)
			if file, below := s.globs.Match(at); file || below {
				list = append(list, entry{at, file, below})
			}
		}
		switch {
		case len(list) > s.entries:
			s.entries = 0
			return nil, job.SkipEntries
		case err == io.EOF:
			s.entries -= len(list)
			slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
			return list, ""
		case err != nil:
			return nil, job.SkipUnreadable
		}
	}
}

// directory walks into a directory if a glob matches below it.
func (s *search) directory(e entry) {
	switch {
	case !e.below:
		s.skip(e.name, job.SkipDirectory, 0)
	case strings.Count(e.name, "/") >= s.depth-1:
		s.skip(e.name, job.SkipTooDeep, 0)
	case !s.anyName && job.ValidName(e.name) != nil:
		s.skip(e.name, job.SkipName, 0)
	default:
		s.walk(e.name)
	}
}

// notRegular has the reasons for skipping files that are not regular.
var notRegular = map[uint32]job.SkipReason{
	unix.S_IFLNK: job.SkipSymlink, unix.S_IFIFO: job.SkipFIFO, unix.S_IFSOCK: job.SkipSocket,
	unix.S_IFCHR: job.SkipDevice, unix.S_IFBLK: job.SkipDevice,
}

// file notes a file to read, or why it is skipped.
func (s *search) file(name string, st *unix.Stat_t) {
	reason, special := notRegular[st.Mode&unix.S_IFMT]
	switch {
	case special:
		s.skip(name, reason, 0)
	case !s.anyName && job.ValidName(name) != nil:
		s.skip(name, job.SkipName, 0)
	case int64(len(s.found)) >= s.limits.OutputFilesMax:
		s.skip(name, job.SkipTooMany, 0)
	case st.Size > s.limits.OutputFileBytes:
		s.skip(name, job.SkipTooLarge, st.Size)
	case st.Size > s.limits.OutputFilesBytes-s.bytes:
		s.skip(name, job.SkipNoRoom, st.Size)
	default:
		s.found = append(s.found, found{name, st.Size})
		s.bytes += st.Size
	}
}

// read reads a file, up to the size that it was found with.
func (s *search) read(f found) {
	s.open(f, func(file *os.File, exec bool) error {
		data := make([]byte, f.size)
		_, err := io.ReadFull(file, data)
		if err == nil {
			s.out.Files = append(s.out.Files, job.File{Name: f.name, Data: data, Exec: exec})
		}
		return err
	})
}

// open opens a file that was found and calls do with it. If either fails the file is skipped.
func (s *search) open(f found, do func(file *os.File, exec bool) error) {
	file, err := openBeneath(s.dir, f.name, 0)
	if err != nil {
		s.skip(f.name, job.SkipUnreadable, 0)
		return
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil || !st.Mode().IsRegular() || do(file, st.Mode()&0o100 != 0) != nil {
		s.skip(f.name, job.SkipUnreadable, 0)
	}
}

// skip reports a file as left out.
func (s *search) skip(name string, reason job.SkipReason, bytes int64) {
	if len(s.out.Skipped) == maxSkipped {
		s.out.More++
		return
	}
	if name == "" {
		name = "."
	}
	s.out.Skipped = append(s.out.Skipped, job.Skipped{Name: name, Reason: reason, Bytes: bytes})
}

// openBeneath opens name beneath dir for reading (openat2(2)). It follows no link, leaves neither dir nor its mount, and never waits:
// neither for the other end of a FIFO nor for the holder of a lease.
func openBeneath(dir int, name string, flags uint64) (*os.File, error) {
	if name == "" {
		name = "."
	}
	how := unix.OpenHow{
		Flags:   flags | unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), "output file"), nil
	}
}
