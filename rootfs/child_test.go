// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The test binary re-executes itself as another process that uses the store; see child.
const (
	childStore = "ROOTFS_TEST_STORE" // directory
	childImage = "ROOTFS_TEST_IMAGE" // name
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childStore); dir != "" {
		if err := child(dir, os.Getenv(childImage)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child unpacks the image, prints the path, and keeps its lease until stdin ends.
func child(dir, name string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	img, err := s.Get(context.Background(), name)
	if err != nil {
		return err
	}
	path, err := s.Unpack(context.Background(), img)
	if err != nil {
		return err
	}
	fmt.Println(path)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// startChild starts child and returns its stdin and stdout.
func startChild(t *testing.T, dir, name string) (cmd *exec.Cmd, stdin *os.File, stdout *bufio.Reader) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childStore+"="+dir, childImage+"="+name)
	cmd.Stderr = os.Stderr
	in, inWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outRead, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout = in, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	t.Cleanup(func() {
		inWrite.Close()
		cmd.Process.Kill()
		cmd.Wait()
		outRead.Close()
	})
	return cmd, inWrite, bufio.NewReader(outRead)
}

// readLine returns the next line of a child's stdout.
func readLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("read the child's stdout: %v after %q", err, line)
	}
	return strings.TrimSuffix(line, "\n")
}
