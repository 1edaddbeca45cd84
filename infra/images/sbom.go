// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/ccee-dev/ccee/rootfs"
)

// spdxType is the media type of an SBOM in SPDX's JSON.
const spdxType = types.MediaType("application/spdx+json")

// document is an SBOM: see https://spdx.github.io/spdx-spec/v2.3/.
type document struct {
	SPDXVersion   string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      creation       `json:"creationInfo"`
	Packages      []component    `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type component struct {
	ID       string     `json:"SPDXID"`
	Name     string     `json:"name"`
	Version  string     `json:"versionInfo,omitempty"`
	Download string     `json:"downloadLocation"`
	Analyzed bool       `json:"filesAnalyzed"`
	Declared string     `json:"licenseDeclared"`
	Refs     []external `json:"externalRefs,omitempty"`
}

type external struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

// sbom lists what is in the image: the Go modules that the binary says it was linked from, and the packages that each language's image was
// built of.
func sbom(p part, in input, langs []language, digest v1.Hash) ([]byte, error) {
	d := document{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: "ccee-" + p.name,
		Namespace: "https://github.com/ccee-dev/ccee/spdx/" + p.name + "-" + digest.Hex,
		Creation:  creation{in.epoch.Format(time.RFC3339), []string{"Tool: ccee-dist-images-" + in.version}},
	}
	image := d.add(component{Name: "ccee-" + p.name, Version: in.version, Declared: "Apache-2.0"}, "oci",
		"pkg:oci/ccee-"+p.name+"@"+strings.ReplaceAll(digest.String(), ":", "%3A"))
	d.relate(d.ID, "DESCRIBES", image)
	info, err := buildinfo.ReadFile(in.binary)
	if err != nil {
		return nil, err
	}
	binary := d.module(info.Main.Path, in.version, "Apache-2.0")
	d.relate(image, "CONTAINS", binary)
	d.relate(binary, "DEPENDS_ON", d.module("stdlib", strings.TrimPrefix(info.GoVersion, "go"), "BSD-3-Clause"))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.relate(binary, "DEPENDS_ON", d.module(m.Path, m.Version, ""))
	}
	if p.languages != nil {
		for _, l := range langs {
			d.language(image, l)
		}
	}
	return json.MarshalIndent(d, "", " ")
}

func (d *document) module(path, version, licence string) (id string) {
	return d.add(component{Name: path, Version: version, Declared: licence}, "golang", "pkg:golang/"+path+"@"+version)
}

func (d *document) language(image string, l language) {
	id := d.add(component{Name: "ccee-language-" + l.Name, Version: l.Digest}, "oci",
		"pkg:oci/"+l.Name+"@"+strings.ReplaceAll(l.Digest, ":", "%3A"))
	d.relate(image, "CONTAINS", id)
	for pkg := range strings.FieldsSeq(l.Labels[rootfs.LabelPackages]) {
		f := strings.Split(pkg, "_")
		if len(f) != 3 {
			f = []string{pkg, "", ""}
		}
		d.relate(id, "CONTAINS", d.add(component{Name: f[0], Version: f[1]}, "deb",
			fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s", f[0], strings.ReplaceAll(f[1], ":", "%3A"), f[2])))
	}
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// add lists a package once, and returns its id.
func (d *document) add(c component, kind, purl string) string {
	c.ID = "SPDXRef-" + notInID.ReplaceAllString(kind+"-"+c.Name+"-"+c.Version, "-")
	for _, have := range d.Packages {
		if have.ID == c.ID {
			return c.ID
		}
	}
	c.Download = "NOASSERTION"
	if c.Declared == "" {
		c.Declared = "NOASSERTION"
	}
	c.Refs = []external{{"PACKAGE-MANAGER", "purl", purl}}
	d.Packages = append(d.Packages, c)
	return c.ID
}

func (d *document) relate(a, how, b string) {
	d.Relationships = append(d.Relationships, relationship{a, how, b})
}

// referrer is an artifact with the SBOM, whose subject is the image: see manifest.md of the image-spec.
func referrer(image v1.Image, bom []byte) (v1.Image, error) {
	desc, err := partial.Descriptor(image)
	if err != nil {
		return nil, err
	}
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), spdxType)
	artifact, err = mutate.Append(artifact, mutate.Addendum{Layer: static.NewLayer(bom, spdxType)})
	if err != nil {
		return nil, err
	}
	subject := v1.Descriptor{MediaType: desc.MediaType, Size: desc.Size, Digest: desc.Digest}
	return mutate.Subject(artifact, subject).(v1.Image), nil
}
