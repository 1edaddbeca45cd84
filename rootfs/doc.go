// SPDX-License-Identifier: Apache-2.0

// Package rootfs is the image store: OCI images in, read-only directories out, unpacked on demand and content-addressed.
//
// # On disk
//
// A store is a directory that is an OCI image layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md)
// with three members of its own:
//
//	oci-layout, index.json   the layout; an image's name is its org.opencontainers.image.ref.name
//	blobs/sha256/<hex>       manifests, configs, layers
//	trees/<hex>/root         the unpacked image whose manifest has that digest; the / of sandboxes
//	trees/<hex>/sums         one line a file, against which Verify checks the tree
//	locks/                   lock files, see below
//	work/                    files that are being written; cleaned up by Open and GC
//
// Nothing gets its final name before it is complete: blobs, index.json and trees are written in work/ and renamed.
// A process that is killed leaves only a directory in work/ behind, and the next Open removes it.
//
// # Locks
//
// Several processes use a store at once: a daemon, ccee image build. All locks are flock(2), so they end with their holder.
//
//   - locks/store, exclusive: while the index or the blobs change.
//   - locks/tree-<hex>: exclusive to unpack or to remove that tree; shared by each Store that handed out its path, until
//     Close. That is the lease: GC never removes a tree that some process may be using.
//   - locks/build-<name>, exclusive: while that image is built.
//   - a directory in work/, exclusive: by the process that writes in it; locks/work while one is made or removed.
//
// # What unpacking keeps
//
// An image is input that may be hostile. Entries are made through [os.Root], so neither "..", nor absolute names, nor
// symbolic or hard links lead out of the tree. Kept are directories, regular files, symbolic and hard links, and the time of
// files. Everything belongs to root, and has one of two modes: 0755 (directories, files that anybody could execute) or 0644,
// since a job is neither owner nor group. Device nodes, fifos and sockets are left out; set-user-id, set-group-id and sticky
// bits, and extended attributes with them file capabilities, are not kept. Bytes, entries, and the length and depth of names
// are bounded: see [Bounds].
//
// Whiteouts are applied here and not by moby/go-archive, because that package must run in a chroot of its own to be
// safe against links, and keeps devices and mode bits.
//
// Then the tree gets the mount points (proc, dev, tmp, workspace) and generated files in /etc, which have nothing of the
// host. See mountPoints and etcFiles.
//
// The package logs nothing and knows no job: the purpose of an image is in its labels, which it passes on.
package rootfs
