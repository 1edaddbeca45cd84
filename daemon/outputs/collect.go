package daemon

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
	// maxEntries bounds how many directory entries are noted for one job: those that a glob matches or leads into. The others are
	// bounded by what a workspace can hold.
	maxEntries = 16_384
	// maxSkipped bounds how many of those that don't come out are named.
	maxSkipped = 64

	// maxHeld bounds in bytes the output files of all jobs together that are held in memory, from when they are read until the
	// job's caller has them; as base64 they take as much again, and a third. Up to smallBody a job's aren't counted.
	maxHeld = 64 << 20
)

// search looks for output files beneath the directory of a job whose processes are all gone. All in there may be a trap: every name
// is resolved beneath the directory without following any link, and what is no regular file is never opened.
type search struct {
	dir     int
	globs   job.Globs
	limits  job.Limits
	entries int  // that may still be noted
	depth   int  // path elements that a name may have
	inner   bool // names stay in here, so any will do
	open    bool // directories are made such that everybody may pass them

	found []found
	bytes int64 // in found
	out   job.OutputFiles
}

// found is a regular file that is to come out.
type found struct {
	name string
	size int64
}

// outputFiles collects the files in dir that globs match, as far as l allows; dir is -1 for a job whose sandbox was never set up.
// They are charged to held until release is called.
func outputFiles(ctx context.Context, dir int, globs job.Globs, l job.Limits, held *semaphore.Weighted) (out *job.OutputFiles, release func()) {
	s, release := newSearch(dir, globs, l), func() {}
	if dir < 0 {
		return &s.out, release
	}
	s.walk("")
	if s.bytes > smallBody {
		// Without an end: who holds any is writing its answer under a deadline, and a job that was cancelled has files too.
		_ = held.Acquire(context.WithoutCancel(ctx), s.bytes)
		release = func() { held.Release(s.bytes) }
	}
	s.readAll()
	return &s.out, release
}

func newSearch(dir int, globs job.Globs, l job.Limits) *search {
	return &search{dir: dir, globs: globs, limits: l, entries: maxEntries, depth: job.MaxNameDepth, out: job.OutputFiles{Files: []job.File{}}}
}

// readAll reads what was found.
func (s *search) readAll() {
	for _, f := range s.found {
		s.read(f)
	}
}

// walk looks at everything in the directory called name, "" for dir itself, and below it as far as a glob goes.
func (s *search) walk(name string) {
	d, err := openBeneath(s.dir, name, unix.O_DIRECTORY)
	if err != nil {
		s.skip(name, job.SkipUnreadable, 0)
		return
	}
	defer d.Close()
	if s.open && d.Chmod(0o755) != nil {
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
		case kind == unix.S_IFLNK: // a glob goes below it, but nobody follows
			s.skip(e.name, job.SkipSymlink, 0)
		}
	}
}

// entry is a name that a glob matches, as a file or as a directory above one.
type entry struct {
	name        string
	file, below bool
}

// list notes the entries of d, which is called name, in an order that doesn't hang on the kernel's. When they are too many none is
// noted: which would hang on it too.
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

// directory enters a directory if any glob does.
func (s *search) directory(e entry) {
	switch {
	case !e.below:
		s.skip(e.name, job.SkipDirectory, 0)
	case strings.Count(e.name, "/") >= s.depth-1:
		s.skip(e.name, job.SkipTooDeep, 0)
	case !s.inner && job.ValidName(e.name) != nil:
		s.skip(e.name, job.SkipName, 0)
	default:
		s.walk(e.name)
	}
}

// kinds are the reasons not to open what is no regular file.
var kinds = map[uint32]job.SkipReason{
	unix.S_IFLNK: job.SkipSymlink, unix.S_IFIFO: job.SkipFIFO, unix.S_IFSOCK: job.SkipSocket,
	unix.S_IFCHR: job.SkipDevice, unix.S_IFBLK: job.SkipDevice,
}

// file notes a file that is to come out.
func (s *search) file(name string, st *unix.Stat_t) {
	kind, odd := kinds[st.Mode&unix.S_IFMT]
	switch {
	case odd:
		s.skip(name, kind, 0)
	case !s.inner && job.ValidName(name) != nil:
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

// read takes a file's bytes, no more than were found in it.
func (s *search) read(f found) {
	s.with(f, func(file *os.File, exec bool) error {
		data := make([]byte, f.size)
		_, err := io.ReadFull(file, data)
		if err == nil {
			s.out.Files = append(s.out.Files, job.File{Name: f.name, Data: data, Exec: exec})
		}
		return err
	})
}

// with opens a file that was found for do. Where either doesn't work the file is skipped.
func (s *search) with(f found, do func(file *os.File, exec bool) error) {
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

// openBeneath opens name beneath dir for reading. It follows no link, leaves neither dir nor its mount, and never waits: neither for
// the other end of a FIFO nor for the holder of a lease.
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
