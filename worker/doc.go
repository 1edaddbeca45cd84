// Package worker takes jobs off the queue and has a Backend run them, some at a time. It decides what becomes of a job by what
// the backend said (decide.go) and writes that through the job's lease, so a job that was taken over meanwhile is left alone.
//
// A worker claims only while its backend is ready, and only in languages that it has (watched.go): when the backend goes away, the jobs that it
// had are tried again, and the rest wait in the queue without using up attempts. What can be run now is announced. When the worker is told to stop, it claims nothing more, lets what runs finish
// within the drain time, and hands the rest back.
//
// It does not know sandboxes: Local speaks to a daemon's socket.
package worker
