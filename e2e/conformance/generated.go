// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

// languages are the places outside of a jail, by language.
type languages map[string]*chroot

func (l languages) run(ctx context.Context, p program) (ran, error) {
	c, ok := l[p.language]
	if !ok {
		return ran{}, fmt.Errorf("no image of %s", p.language)
	}
	return c.run(ctx, p)
}

// tenants starts a daemon on the images that tenants get, and the same languages outside of a jail. There the commands are those that
// people type, without the flags that we add.
func (o *options) tenants(ctx context.Context) (*machine, languages, error) {
	m, err := start(ctx, o.binary, o.images)
	if err != nil {
		return nil, nil, err
	}
	l := languages{}
	for _, name := range generatedLanguages {
		if l[name], err = m.beside(ctx, name); err != nil {
			m.stop()
			return nil, nil, fmt.Errorf("%w: run make images", err)
		}
	}
	l["java"].language.Compile = []string{"/usr/lib/jvm/java/bin/javac", "-d", ".", "{source}"}
	l["java"].language.Run = []string{"/usr/lib/jvm/java/bin/java", "-cp", ".", "{class}"}
	l["python"].hidden = []string{pythonHidden}
	return m, l, nil
}

// generatedSuite is programs whose answers are computed here.
func generatedSuite(ctx context.Context, o *options) (*suite, func(), error) {
	m, beside, err := o.tenants(ctx)
	if err != nil {
		return nil, nil, err
	}
	s := &suite{name: "generated", title: "generated programs", source: fmt.Sprintf("seed %d", o.seed), inside: m.jail, outside: beside, mustPass: true}
	for _, t := range topics {
		cases := generate(t.name, o.seed)
		for _, language := range generatedLanguages {
			if len(cases[language]) > 0 {
				s.units = append(s.units, generatedUnit(language, t.name, cases[language]), generatedUnit(language, t.name, cases[language], "cold"))
			}
		}
	}
	fmt.Fprintf(o.log, "generated: %s, %s\n", s.source, time.Now().UTC().Format(time.RFC3339))
	return s, m.stop, nil
}
