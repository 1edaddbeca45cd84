// Package javasource tells of the text of a Java program how its file must be called and by which class it is started.
//
// It reads the lexical structure of The Java Language Specification, chapter 3, and of chapters 7 to 9 what declares types, main
// methods and constructors; bodies are skipped. It takes any bytes, in time linear in their number: they are a stranger's. What isn't
// Java gets an answer too, for which javac then has the words.
package javasource
