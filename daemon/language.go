// SPDX-License-Identifier: Apache-2.0

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

	"github.com/rs/zerolog"

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

// catalogue has the languages of an image store. It lists the store's images each time, which is a few calls of stat(2), and reads
// the profiles again only when the images have changed.
type catalogue struct {
	list func(context.Context) ([]rootfs.Image, error)
	log  zerolog.Logger

	mu        sync.Mutex // guards all below
	table     *table
	withdrawn map[string]withdrawal // by digest: images that can't be used, for a reason that List does not see
	logged    map[string]time.Time  // when each reason for leaving out an image was last there
}

// withdrawal is why the language of an image is not offered, and until when: by then the image may have been repaired.
type withdrawal struct {
	why   string
	until time.Time
}

// withdrawFor is how long a damaged image is not offered before it is tried again.
const withdrawFor = time.Minute

// whileServing withdraws an image until the daemon ends.
const whileServing = 100 * 365 * 24 * time.Hour

// table has the languages of one state of the store. It is immutable.
type table struct {
	images  []rootfs.Image       // of that state
	byName  map[string]*language // names and aliases, in lower case
	sorted  []*language
	skipped []string // a line for each image that can't be offered
	leftOut []string // the languages of these that no other image offers
}

// lookup finds a language by name or alias. For an unknown one the error is an *job.Error that names the known ones.
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

// current is the table of the store in its present state.
func (c *catalogue) current(ctx context.Context) (*table, error) {
	images, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for digest, w := range c.withdrawn {
		if time.Now().After(w.until) {
			delete(c.withdrawn, digest)
			c.table = nil
		}
	}
	if c.table == nil || !slices.EqualFunc(images, c.table.images, sameImage) {
		c.table = newTable(images, c.withdrawn)
	}
	for _, line := range c.table.skipped {
		if c.isNew(line) {
			c.log.Error().Str("reason", line).Msg("an image can't be used: its language is not offered")
		}
	}
	return c.table, nil
}

// logAgainAfter is how long a reason must be gone before it is logged again.
const logAgainAfter = time.Hour

// isNew notes that a reason is there, and reports whether it was not lately.
func (c *catalogue) isNew(reason string) bool {
	now := time.Now()
	last, there := c.logged[reason]
	if c.logged == nil {
		c.logged = map[string]time.Time{}
	}
	c.logged[reason] = now
	return !there || now.Sub(last) > logAgainAfter
}

// withdraw stops offering the language of an image that can't be used, for that time.
func (c *catalogue) withdraw(image rootfs.Image, why error, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.withdrawn == nil {
		c.withdrawn = map[string]withdrawal{}
	}
	until := time.Now().Add(d)
	if w, there := c.withdrawn[image.Digest]; there && w.until.After(until) {
		return
	}
	c.withdrawn[image.Digest] = withdrawal{why.Error(), until}
	c.table = nil
}

// sameImage compares everything that a profile depends on: the digest covers the labels.
func sameImage(a, b rootfs.Image) bool {
	return a.Name == b.Name && a.Digest == b.Digest && a.Damage == b.Damage
}

// newTable reads the images' profiles. If two images have the same language the newer one is offered. A name wins over an
// alias.
func newTable(images []rootfs.Image, withdrawn map[string]withdrawal) *table {
	t := &table{images: images, byName: map[string]*language{}}
	var unusable []string
	newestFirst := slices.SortedFunc(slices.Values(images), func(a, b rootfs.Image) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name))
	})
	for _, image := range newestFirst {
		profile, err := profileOf(image)
		if w, ok := withdrawn[image.Digest]; err == nil && ok {
			err = errors.New(w.why)
		}
		if err != nil {
			t.skipped = append(t.skipped, fmt.Sprintf("image %s: %v", image.Name, err))
			unusable = append(unusable, cmp.Or(profile.Name, image.Name))
			continue
		}
		if key := strings.ToLower(profile.Name); t.byName[key] == nil {
			t.byName[key] = &language{profile: profile, image: image}
		}
	}
	for _, name := range unusable {
		if t.byName[strings.ToLower(name)] == nil && !slices.Contains(t.leftOut, name) {
			t.leftOut = append(t.leftOut, name)
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

// profileOf reads and checks an image's profile.
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

// checkProfile refuses a profile with which no job can be planned.
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
