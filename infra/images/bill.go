// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ccee-dev/ccee/rootfs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// document is a bill of materials by SPDX 2.3, https://spdx.github.io/spdx-spec/v2.3/, as far as it is used here.
type document struct {
	SPDXVersion       string         `json:"spdxVersion"`
	DataLicense       string         `json:"dataLicense"`
	SPDXID            string         `json:"SPDXID"`
	Name              string         `json:"name"`
	DocumentNamespace string         `json:"documentNamespace"`
	CreationInfo      creationInfo   `json:"creationInfo"`
	Packages          []spdxPackage  `json:"packages"`
	Relationships     []relationship `json:"relationships"`
}

type creationInfo struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	SPDXID           string        `json:"SPDXID"`
	Name             string        `json:"name"`
	VersionInfo      string        `json:"versionInfo,omitempty"`
	DownloadLocation string        `json:"downloadLocation"`
	FilesAnalyzed    bool          `json:"filesAnalyzed"`
	LicenseConcluded string        `json:"licenseConcluded"`
	LicenseDeclared  string        `json:"licenseDeclared"`
	CopyrightText    string        `json:"copyrightText"`
	ExternalRefs     []externalRef `json:"externalRefs,omitempty"`
}

type externalRef struct {
	ReferenceCategory string `json:"referenceCategory"`
	ReferenceType     string `json:"referenceType"`
	ReferenceLocator  string `json:"referenceLocator"`
}

type relationship struct {
	SPDXElementID      string `json:"spdxElementId"`
	RelationshipType   string `json:"relationshipType"`
	RelatedSPDXElement string `json:"relatedSpdxElement"`
}

// add appends a package that container, an SPDXID, contains, and returns its SPDXID. purl is its package URL, or "".
func (d *document) add(container, name, version, purl, licence string) string {
	id := fmt.Sprintf("SPDXRef-Package-%d", len(d.Packages))
	p := spdxPackage{
		SPDXID: id, Name: name, VersionInfo: version, DownloadLocation: "NOASSERTION",
		LicenseConcluded: "NOASSERTION", LicenseDeclared: licence, CopyrightText: "NOASSERTION",
	}
	if purl != "" {
		p.ExternalRefs = []externalRef{{"PACKAGE-MANAGER", "purl", purl}}
	}
	d.Packages = append(d.Packages, p)
	kind := "CONTAINS"
	if container == "SPDXRef-DOCUMENT" {
		kind = "DESCRIBES"
	}
	d.Relationships = append(d.Relationships, relationship{container, kind, id})
	return id
}

// bill returns the bill of materials of a role's image: the modules and libraries of the binary, Debian's certificates, and the packages
// of each language image.
func (p *parts) bill(r role, o options, digest v1.Hash) ([]byte, error) {
	d := &document{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", Name: "ccee-" + r.name,
		DocumentNamespace: "https://github.com/ccee-dev/ccee/spdx/" + r.name + "/" + digest.Hex,
		CreationInfo:      creationInfo{o.epoch.UTC().Format(time.RFC3339), []string{"Tool: ccee-infra-images"}},
	}
	image := d.add(d.SPDXID, "ccee-"+r.name, o.version, "pkg:oci/ccee-"+r.name+"@"+escape(digest.String()), "NOASSERTION")
	ccee := d.add(image, "ccee", o.version, purlOf("golang", p.info.Main.Path, o.version, ""), "Apache-2.0")
	d.add(ccee, "go", p.info.GoVersion, purlOf("golang", "std", p.info.GoVersion, ""), "BSD-3-Clause")
	for _, m := range p.info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.add(ccee, m.Path, m.Version, purlOf("golang", m.Path, m.Version, ""), "NOASSERTION")
	}
	debs, err := installed(o.status, "ca-certificates", "libc6-dev", "libseccomp-dev")
	if err != nil {
		return nil, err
	}
	for _, deb := range debs {
		in := ccee // linked with it
		if deb.name == "ca-certificates" {
			in = image
		}
		d.add(in, deb.name, deb.version, deb.purl(), "NOASSERTION")
	}
	if r.languages {
		for _, l := range p.languages {
			if err := d.addLanguage(image, l, o.recipes); err != nil {
				return nil, err
			}
		}
	}
	return json.MarshalIndent(d, "", "  ")
}

// addLanguage appends a language image and the packages that went into it.
func (d *document) addLanguage(image string, l language, recipes string) error {
	id := d.add(image, "ccee-language-"+l.name, l.desc.Digest.String(), "pkg:oci/"+l.name+"@"+escape(l.desc.Digest.String()), "NOASSERTION")
	debs, err := fromLabel(l.config.Config.Labels[rootfs.LabelPackages])
	if err != nil {
		return fmt.Errorf("label %s of language image %s: %w", rootfs.LabelPackages, l.name, err)
	}
	for _, deb := range debs {
		d.add(id, deb.name, deb.version, deb.purl(), "NOASSERTION")
	}
	npm, err := npmPackage(recipes, l.name, l.config.Architecture)
	if err == nil && npm.Package != "" {
		d.add(id, npm.Package, npm.Version, purlOf("npm", npm.Package, npm.Version, ""), "NOASSERTION")
	}
	return err
}
