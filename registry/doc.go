// SPDX-License-Identifier: Apache-2.0

// Package registry moves images between OCI image layouts on disk and registries, and fetches them from plain web servers too, such as a
// bucket of S3. See https://github.com/opencontainers/distribution-spec and image-layout.md of the image-spec.
//
// What is pulled is named by its digest, and each byte of it is checked against that: neither the server nor the way to it need be
// trusted. The store of package rootfs takes the layout that Pull makes.
package registry
