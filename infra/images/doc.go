// SPDX-License-Identifier: Apache-2.0

// Command images makes the container images of ccee as OCI image layouts, without a container engine:
//
//	go run ./infra/images -binary bin/ccee -images /var/lib/ccee/images -out dist/images    # make dist-images
//
// dist/images/api, worker and runner are a layout each. Its index has the image and, as an OCI referrer (an artifact manifest with a
// subject), the image's software bill of materials: SPDX 2.3, JSON. dist/images/<role>.spdx.json is the same as a file. A line on
// stdout for each image has its digest.
//
// The same input gives the same bytes: names are sorted, owners are root, times are SOURCE_DATE_EPOCH (that of the commit, by make), and
// layers are compressed by this program.
//
// The Dockerfiles beside it make the same root file system and configuration with an engine, from the same files; TestDockerfiles compares.
package main
