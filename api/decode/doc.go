// SPDX-License-Identifier: Apache-2.0

// Package decode reads what clients send: the JSON of a submission or of a batch, and the parameters of a query. Everything in it is pure.
// The faults of a request are collected as Issues, in the words of the library that validated under the original.
package decode
