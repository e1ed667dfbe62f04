package aws

import (
	"net/http"
	"testing"
)

// A proxy's address would be told in the place of ours: SSH goes by none.
func TestOurOwnAddressIsAskedPastAnyProxy(t *testing.T) {
	o := NewOutside("")
	if tr, ok := o.http.Transport.(*http.Transport); !ok || tr.Proxy != nil || o.url != CheckIP {
		t.Errorf("%s is asked by %+v", o.url, o.http.Transport)
	}
}
