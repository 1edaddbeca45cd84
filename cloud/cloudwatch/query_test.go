// SPDX-License-Identifier: Apache-2.0

package cloudwatch

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// put is one request of PutMetricData as a server sees it.
type put struct {
	namespace string
	metrics   []metric
}

type metric struct {
	name, unit string
	value      float64
	at         time.Time
	dimensions map[string]string
}

// queryServer speaks the AWS Query protocol of PutMetricData as strictly as AWS describes it: "Making API requests" in Amazon CloudWatch's
// API reference, and the reference of PutMetricData, MetricDatum and Dimension. What it does not know fails the test.
type queryServer struct {
	*httptest.Server
	puts chan put
	fail chan string // holds the error code of the next answer
}

func newQueryServer(t *testing.T) *queryServer {
	s := &queryServer{puts: make(chan put, 100), fail: make(chan string, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := parsePut(r)
		if err != nil {
			t.Errorf("PutMetricData: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		select {
		case code := <-s.fail:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `<ErrorResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><Error><Type>Sender</Type>`+
				`<Code>%s</Code><Message>no</Message></Error><RequestId>1-2-3</RequestId></ErrorResponse>`, code)
		default:
			fmt.Fprint(w, `<PutMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><ResponseMetadata>`+
				`<RequestId>1-2-3</RequestId></ResponseMetadata></PutMetricDataResponse>`)
			s.puts <- p
		}
	}))
	t.Cleanup(s.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
		"AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	return s
}

// Of a signature version 4 the parts that name what was signed, for whom and where.
var signature = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-central-1/monitoring/aws4_request, ` +
	`SignedHeaders=\S*host\S*;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$`)

const mostBytes, mostMetrics, mostDimensions = 1 << 20, 1000, 30

func parsePut(r *http.Request) (p put, err error) {
	from := io.Reader(r.Body)
	switch coding := r.Header.Get("Content-Encoding"); coding { // "requests can be compressed with gzip"
	case "":
	case "gzip":
		if from, err = gzip.NewReader(r.Body); err != nil {
			return p, err
		}
	default:
		return p, fmt.Errorf("content encoding %q", coding)
	}
	body, err := io.ReadAll(io.LimitReader(from, mostBytes+1))
	switch {
	case err != nil:
		return p, err
	case r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "":
		return p, fmt.Errorf("%s %s", r.Method, r.URL)
	case r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		return p, fmt.Errorf("content type %q", r.Header.Get("Content-Type"))
	case !signature.MatchString(r.Header.Get("Authorization")) || r.Header.Get("X-Amz-Security-Token") != "session":
		return p, fmt.Errorf("signature %q", r.Header.Get("Authorization"))
	case len(body) > mostBytes:
		return p, fmt.Errorf("more than %d bytes", mostBytes)
	}

	form, err := url.ParseQuery(string(body))
	if err != nil {
		return p, err
	}
	return readPut(form)
}

// readPut takes what it knows out of form; what is left is an error.
func readPut(form url.Values) (p put, err error) {
	take := func(key string) string {
		v := form[key]
		delete(form, key)
		if len(v) != 1 || v[0] == "" {
			err = fmt.Errorf("%s is %q, want one value", key, v)
			return ""
		}
		return v[0]
	}
	if action, version := take("Action"), take("Version"); action != "PutMetricData" || version != "2010-08-01" {
		return p, fmt.Errorf("%s of %s", action, version)
	}
	p.namespace = take("Namespace")
	for n := 1; err == nil && form.Has(fmt.Sprintf("MetricData.member.%d.MetricName", n)); n++ {
		at := fmt.Sprintf("MetricData.member.%d.", n)
		m := metric{name: take(at + "MetricName"), unit: take(at + "Unit"), dimensions: map[string]string{}}
		var perr, terr error
		m.value, perr = strconv.ParseFloat(take(at+"Value"), 64)
		m.at, terr = time.Parse(time.RFC3339, take(at+"Timestamp"))
		if age := time.Since(m.at); perr != nil || terr != nil || age > 14*24*time.Hour || age < -2*time.Hour {
			return p, fmt.Errorf("value or time of %s: %v, %v, %v", m.name, perr, terr, m.at)
		}
		for d := 1; form.Has(fmt.Sprintf("%sDimensions.member.%d.Name", at, d)); d++ {
			of := fmt.Sprintf("%sDimensions.member.%d.", at, d)
			m.dimensions[take(of+"Name")] = take(of + "Value")
		}
		if len(m.dimensions) > mostDimensions {
			return p, fmt.Errorf("%d dimensions", len(m.dimensions))
		}
		p.metrics = append(p.metrics, m)
	}
	if err == nil && (len(form) > 0 || len(p.metrics) == 0 || len(p.metrics) > mostMetrics || strings.HasPrefix(p.namespace, "AWS/")) {
		err = fmt.Errorf("%d metrics in %s, and the unknown %v", len(p.metrics), p.namespace, form)
	}
	return p, err
}
