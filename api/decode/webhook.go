// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"github.com/ccee-dev/ccee/api/webhook"
	"github.com/ccee-dev/ccee/queue"
)

// webhook reads the URL that is to be notified of the end of the job.
func (o *object) webhook(p webhook.Policy) queue.Webhook {
	h := o.object("webhook")
	if h == nil {
		return queue.Webhook{}
	}
	h.only("url", "secret")
	url, hasURL := h.text("url")
	secret, hasSecret := h.text("secret")
	for name, there := range map[string]bool{"url": hasURL, "secret": hasSecret} {
		if _, wrong := h.members[name]; !there && !wrong {
			h.wrong(name, msgRequired)
		}
	}
	if hasURL {
		if err := p.Check(url); err != nil {
			h.wrong("url", err.Error())
		}
	}
	switch {
	case hasSecret && len(secret) < webhook.MinSecret:
		h.wrong("secret", msgMinChars(webhook.MinSecret))
	case len(secret) > webhook.MaxSecret:
		h.wrong("secret", msgMaxChars(webhook.MaxSecret))
	}
	return queue.Webhook{URL: url, Secret: secret}
}
