// SPDX-License-Identifier: Apache-2.0

// Command client runs a program over the REST API and prints what it printed.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ccee-dev/ccee/client"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := client.New(cmp.Or(os.Getenv("CCEE_URL"), "http://127.0.0.1:8080"), os.Getenv("CCEE_API_KEY"))
	job, err := c.Run(ctx, client.Submission{Language: "python", SourceCode: "print(6*7)"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(job.Result.Stdout)
}
