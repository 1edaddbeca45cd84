package job

// Language is a language profile as a daemon offers it: it comes from the image's label, so an image carries all that is
// needed to run its language.
//
// In Compile and Run the words {source}, {class}, {memory75MiB} are replaced: the source file's name, the same without
// ".java", and 75 % of the step's memory limit in MiB (at least 16).
type Language struct {
	Name        string            `json:"name"` // "python"
	Aliases     []string          `json:"aliases,omitempty"`
	DisplayName string            `json:"displayName"`
	Version     string            `json:"version"` // of the toolchain: "3.13.5"
	SourceFile  string            `json:"sourceFile"`
	Compile     []string          `json:"compile,omitempty"` // argv; empty: no compile step
	Run         []string          `json:"run"`               // argv; the job's Args follow
	Env         map[string]string `json:"env,omitempty"`
	// PublicClass: the source file is named after the first "public class X" (Java); SourceFile is for sources without one.
	PublicClass bool `json:"publicClass,omitempty"`

	DefaultCompile Limits `json:"defaultCompile,omitzero"`
	DefaultRun     Limits `json:"defaultRun,omitzero"`
	MinCompile     Limits `json:"minCompile,omitzero"`
	MinRun         Limits `json:"minRun,omitzero"`

	Image string `json:"image,omitempty"` // digest; filled in by the daemon
}
