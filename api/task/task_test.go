// SPDX-License-Identifier: Apache-2.0

package task

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccee-dev/ccee/job"
)

// The routes' tests with Redis are those of package api, which has the other routes and credentials too.

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"events":[{"event":"stdout","step":"run","data":"aGk=","offset":1}]}`,
		`{"interrupted":true}`,
		`{"result":{"status":"succeeded","verdict":"exited","exitCode":0,"steps":[{"name":"run","stdout":{"text":"x"}}]}}`,
		`{"error":{"code":"busy","message":"x"}}`, `{"events":[{"event":"started","atMs":1e400}]}`,
		`{"events":[{"event":"test","test":-1}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rep, err := decode(body)
		if err != nil {
			if code := job.ErrorCode(err); code != job.EInvalid {
				t.Errorf("decode(%q) = %v with code %s, want invalid", body, err, code)
			}
			return
		}
		if len(rep.Events) > job.MaxReportEvents || rep.Result != nil && rep.Interrupted {
			t.Errorf("decode(%q) = %+v", body, rep)
		}
		for _, ev := range rep.Events {
			if ev.Result != nil || ev.Error != nil || ev.Type == job.EventResult || len(ev.Data) > job.MaxReportData {
				t.Errorf("decode(%q) lets through %+v", body, ev)
			}
		}
	})
}

func FuzzCredentials(f *testing.F) {
	f.Add("Bearer ccee-task-AAAA", "0123456789abcdef")
	f.Add("bearer  x y", "")
	f.Add("Basic x", "n")
	f.Fuzz(func(t *testing.T, authorization, nonce string) {
		r := &http.Request{Header: http.Header{"Authorization": {authorization}, job.NonceHeader: {nonce}}}
		token, n := credentials(r)
		if n != nonce || len(token) > maxCredential || token != "" && !strings.HasSuffix(authorization, " "+string(token)) {
			t.Errorf("credentials(%q, %q) = %q, %q", authorization, nonce, string(token), n)
		}
		r.Header["Authorization"] = append(r.Header["Authorization"], authorization)
		if token, _ := credentials(r); token != "" {
			t.Errorf("two Authorization headers give %q", string(token))
		}
	})
}
