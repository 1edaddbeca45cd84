// SPDX-License-Identifier: Apache-2.0

// Package javasource finds out from the text of a Java program which name its file must have and which class starts it.
//
// It reads the lexical structure of The Java Language Specification, chapter 3, and the declarations of types, main methods and
// constructors of chapters 7 to 9; bodies are skipped. It accepts any bytes, since they are untrusted, and takes time linear in their
// number. Text that is not Java gets an answer too, and javac then explains what is wrong.
package javasource
