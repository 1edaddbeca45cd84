// Package decode reads what clients send: the JSON of a submission or of a batch, and the parameters of a query. Everything in it is pure.
// What is wrong with a request is collected as Issues, in the words of the library that validated under the original.
package decode
