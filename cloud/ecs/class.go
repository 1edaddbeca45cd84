// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Class is what a refusal of ECS means for the caller.
type Class string

// The classes.
const (
	Throttled Class = "throttled" // too many calls: the same call later
	Quota     Class = "quota"     // the account's or the cluster's quota is used up: when other tasks have ended
	Capacity  Class = "capacity"  // AWS has no machine: elsewhere, or later
	Lost      Class = "lost"      // no answer, or ECS's own fault: whether the task was started is not known
	Conflict  Class = "conflict"  // the clientToken was used for another request
	Refused   Class = "refused"   // no waiting mends it: permissions, names, parameters
)

// Fault is why there is no task.
type Fault struct {
	Class Class
	Err   error
}

func (f *Fault) Error() string { return fmt.Sprintf("ECS (%s): %v", f.Class, f.Err) }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// codes are the classes of errors whose code alone says enough: the RunTask reference and "Common errors" of the API reference.
var codes = map[string]Class{
	"ThrottlingException": Throttled, "Throttling": Throttled, "TooManyRequestsException": Throttled, "RequestLimitExceeded": Throttled,
	"LimitExceededException": Quota,
	"ConflictException":      Conflict,
	"ServerException":        Lost, "InternalFailure": Lost, "InternalServerError": Lost, "ServiceUnavailable": Lost,
	"RequestTimeout":        Lost,
	"AccessDeniedException": Refused, "InvalidParameterException": Refused, "ClusterNotFoundException": Refused,
	"BlockedException":         Refused,
	"PlatformUnknownException": Refused, "PlatformTaskDefinitionIncompatibilityException": Refused, "UnsupportedFeatureException": Refused,
	"ExpiredTokenException": Refused, "UnrecognizedClientException": Refused, "InvalidSignatureException": Refused,
	"MissingAuthenticationToken": Refused,
}

// texts tell apart what ECS reports as a ClientException, as the reason of a failure, or as the reason why a task stopped. The first that
// matches counts. They are AWS's words, in lower case: "Amazon ECS API failure reasons", "Stopped tasks error messages", "AWS Fargate
// quotas".
var texts = []struct {
	text  string
	class Class
}{
	{"rate exceeded", Throttled},
	{"throttl", Throttled},
	{"limit on the number of", Quota}, // "You've reached the limit on the number of vCPUs you can run concurrently"
	{"provisioning", Quota},           // "... tasks in the PROVISIONING state ... has been reached"
	{"quota", Quota},
	{"limit exceeded", Quota},
	{"capacity is unavailable",
		Capacity}, // "Capacity is unavailable at this time. Please try again later or in a different availability zone"
	{"capacity provider", Refused}, // "The specified capacity provider ... was not found"
	{"resource:", Capacity},        // RESOURCE:FARGATE, RESOURCE:CPU, RESOURCE:MEMORY, RESOURCE:ENI
	{"insufficient", Capacity},
	{"capacity", Capacity},
	{"internal error", Lost},
}

// classifyError returns the class of an error of the SDK. What has no code got no answer.
func classifyError(err error) Class {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return Lost
	}
	if c, known := codes[api.ErrorCode()]; known {
		return c
	}
	if c := classifyText(api.ErrorMessage()); c != "" {
		return c
	}
	if api.ErrorFault() == smithy.FaultServer {
		return Lost
	}
	return Refused
}

// classifyText returns the class of AWS's words, "" if they say nothing.
func classifyText(s string) Class {
	s = strings.ToLower(s)
	for _, t := range texts {
		if strings.Contains(s, t.text) {
			return t.class
		}
	}
	return ""
}

// classifyFailures returns the fault of an answer of RunTask without a task.
func classifyFailures(failures []types.Failure) *Fault {
	if len(failures) == 0 {
		return &Fault{Lost, errors.New("RunTask returned neither a task nor a failure")}
	}
	f := failures[0]
	words := strings.TrimSpace(deref(f.Reason) + " " + deref(f.Detail))
	class := classifyText(words)
	if class == "" {
		class = Refused
	}
	return &Fault{class, fmt.Errorf("RunTask failed: %s", words)}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
