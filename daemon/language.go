package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"
)

// languageLabel is the image label that holds the language profile: the JSON of job.Language.
const languageLabel = "ccee.language"

// language is one language on offer and the image that runs it.
type language struct {
	profile job.Language
	image   rootfs.Image
}

// catalogue knows the languages of an image store. It asks the store each time, which is a few calls of stat(2), and reads
// the profiles again only when the images are other ones.
type catalogue struct {
	list func(context.Context) ([]rootfs.Image, error)

	mu      sync.Mutex // guards the rest
	table   *table
	damaged map[string]damage // by digest: images that could not be unpacked
}

// damage is why an image could not be unpacked, and until when its language is left out: then it may have been repaired.
type damage struct {
	why   string
	until time.Time
}

// damageTime is how long a damaged image is left out before it is tried again.
const damageTime = time.Minute

// table is what one state of the store offers. It is never changed once it is made.
type table struct {
	images  []rootfs.Image       // that it was made from
	byName  map[string]*language // names and aliases, in lower case
	sorted  []*language
	skipped []string // a line for each image that can't be offered
}

// lookup finds a language by name or alias. An unknown one is an *job.Error that names those there are.
func (c *catalogue) lookup(ctx context.Context, name string) (*language, error) {
	t, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	if l, ok := t.byName[strings.ToLower(name)]; ok {
		return l, nil
	}
	if len(t.sorted) == 0 {
		return nil, errNoLanguages()
	}
	names := make([]string, len(t.sorted))
	for i, l := range t.sorted {
		names[i] = l.profile.Name
	}
	return nil, job.Invalid("language", "is %.40q, which is not offered here: use %s", name, strings.Join(names, ", "))
}

func errNoLanguages() *job.Error {
	return job.Errorf(job.EUnavailable, "no language images are installed: run ccee image build, or ccee image import")
}

// profiles lists every language, by name.
func (t *table) profiles() []job.Language {
	list := make([]job.Language, len(t.sorted))
	for i, l := range t.sorted {
		list[i] = l.profile
	}
	return list
}

// current is the table of the store as it is now.
func (c *catalogue) current(ctx context.Context) (*table, error) {
	images, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for digest, d := range c.damaged {
		if time.Now().After(d.until) {
			delete(c.damaged, digest)
			c.table = nil
		}
	}
	if c.table == nil || !slices.EqualFunc(images, c.table.images, sameImage) {
		c.table = newTable(images, c.damaged)
	}
	return c.table, nil
}

// leaveOut has the language of an image left out for a while that could not be unpacked.
func (c *catalogue) leaveOut(image rootfs.Image, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.damaged == nil {
		c.damaged = map[string]damage{}
	}
	c.damaged[image.Digest] = damage{why.Error(), time.Now().Add(damageTime)}
	c.table = nil
}

// sameImage compares what a profile depends on: the digest covers the labels.
func sameImage(a, b rootfs.Image) bool {
	return a.Name == b.Name && a.Digest == b.Digest && a.Damage == b.Damage
}

// newTable reads the images' profiles. Of two images with the same language the newer one is offered; an alias never hides
// a name.
func newTable(images []rootfs.Image, damaged map[string]damage) *table {
	t := &table{images: images, byName: map[string]*language{}}
	newestFirst := slices.SortedFunc(slices.Values(images), func(a, b rootfs.Image) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name))
	})
	for _, image := range newestFirst {
		profile, err := profileOf(image)
		if d, there := damaged[image.Digest]; err == nil && there {
			err = errors.New(d.why)
		}
		if err != nil {
			t.skipped = append(t.skipped, fmt.Sprintf("image %s: %v", image.Name, err))
			continue
		}
		if key := strings.ToLower(profile.Name); t.byName[key] == nil {
			t.byName[key] = &language{profile: profile, image: image}
		}
	}
	t.sorted = slices.SortedFunc(maps.Values(t.byName), func(a, b *language) int {
		return cmp.Compare(a.profile.Name, b.profile.Name)
	})
	for _, l := range t.sorted {
		for _, alias := range l.profile.Aliases {
			if key := strings.ToLower(alias); t.byName[key] == nil {
				t.byName[key] = l
			}
		}
	}
	return t
}

// profileOf reads an image's profile and makes sure that a job can be planned with it.
func profileOf(image rootfs.Image) (job.Language, error) {
	var l job.Language
	if image.Damage != "" {
		return l, errors.New(image.Damage)
	}
	label, ok := image.Labels[languageLabel]
	if !ok {
		return l, fmt.Errorf("it has no label %s: import it with a language profile", languageLabel)
	}
	if err := json.Unmarshal([]byte(label), &l); err != nil {
		return l, fmt.Errorf("label %s: %w", languageLabel, err)
	}
	if err := checkProfile(&l); err != nil {
		return l, fmt.Errorf("label %s: %w", languageLabel, err)
	}
	l.Image = image.Digest
	return l, nil
}

func checkProfile(l *job.Language) error {
	switch {
	case l.Name == "":
		return errors.New("name is missing")
	case len(l.Run) == 0 || !strings.HasPrefix(l.Run[0], "/"):
		return errors.New("run must begin with an absolute path")
	case len(l.Compile) > 0 && !strings.HasPrefix(l.Compile[0], "/"):
		return errors.New("compile must begin with an absolute path")
	case len(l.Warm) > 0 && !strings.HasPrefix(l.Warm[0], "/"):
		return errors.New("warm must begin with an absolute path")
	case l.WarmMemoryBytes < 0 || l.WarmMemoryBytes > job.MaxLimits.MemoryBytes:
		return fmt.Errorf("warmMemoryBytes is %d, want 0 to %d", l.WarmMemoryBytes, job.MaxLimits.MemoryBytes)
	case job.ValidName(l.SourceFile) != nil:
		return fmt.Errorf("sourceFile is %q, which can't be a file's name", l.SourceFile)
	}
	return nil
}
