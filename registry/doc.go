// SPDX-License-Identifier: Apache-2.0

// Package registry moves images between this host and registries (the OCI distribution specification) or web servers: it pushes an OCI
// image layout, and pulls language images into the image store by their digest. It knows neither jobs nor how an image is made.
//
// What is pulled is named by the digest of its manifest, and every blob is compared with the digest that names it, so neither the
// server nor the connection is trusted. Still a connection must be TLS, for credentials and for the privacy of what is asked; plain
// HTTP is for the loopback alone.
package registry
