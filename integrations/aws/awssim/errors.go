package awssim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
)

// apiError is an answer that refuses. Codes and sentences are the services' own as
// far as they are documented.
type apiError struct {
	status  int // 0: what the code has in statuses, else 400
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

// statuses are of the codes that do not come with 400.
var statuses = map[string]int{
	"Throttled":             http.StatusTooManyRequests,
	"AuthorizationError":    http.StatusForbidden,
	"AuthFailure":           http.StatusUnauthorized,
	"AccessDenied":          http.StatusForbidden,
	"UnauthorizedOperation": http.StatusForbidden,
	"InvalidClientTokenId":  http.StatusForbidden,
	"ExpiredToken":          http.StatusForbidden,
	"DryRunOperation":       http.StatusPreconditionFailed,
	"RequestLimitExceeded":  http.StatusServiceUnavailable,
	"ServiceUnavailable":    http.StatusServiceUnavailable,
	"Unavailable":           http.StatusServiceUnavailable,
	"InternalFailure":       http.StatusInternalServerError,
	"InternalError":         http.StatusInternalServerError,
	"ServerException":       http.StatusInternalServerError,
	"InternalServerError":   http.StatusInternalServerError,
	"ResourceContention":    http.StatusInternalServerError,
}

func (e *apiError) httpStatus() int {
	if e.status != 0 {
		return e.status
	}
	if n, ok := statuses[e.code]; ok {
		return n
	}
	return http.StatusBadRequest
}

// protocol is how a service puts things on the wire.
type protocol struct {
	contentType string
	answer      func(action, id string, v any) ([]byte, error)
	refusal     func(e *apiError, id string) ([]byte, error)
	// codes of what is refused in the same way everywhere.
	noAuth, badKey, badToken, expired, noAction, badParam, throttled string
}

// unsimulated is for what AWS takes and the simulator does not; no service has it.
const unsimulated = "NotSimulated"

var (
	protocolEC2 = &protocol{
		contentType: "text/xml;charset=UTF-8", answer: answerEC2, refusal: refusalEC2,
		noAuth: "MissingAuthenticationToken", badKey: "AuthFailure", badToken: "AuthFailure", expired: "RequestExpired",
		noAction: "InvalidAction", badParam: "UnknownParameter", throttled: "RequestLimitExceeded",
	}
	protocolQuery = &protocol{
		contentType: "text/xml", answer: answerQuery, refusal: refusalQuery,
		noAuth: "MissingAuthenticationToken", badKey: "InvalidClientTokenId", badToken: "InvalidClientTokenId", expired: "ExpiredToken",
		noAction: "InvalidAction", badParam: "ValidationError", throttled: "Throttling",
	}
	protocolSNS = &protocol{
		contentType: "text/xml", answer: answerQuery, refusal: refusalQuery,
		noAuth: "MissingAuthenticationToken", badKey: "InvalidClientTokenId", badToken: "InvalidClientTokenId", expired: "ExpiredToken",
		noAction: "InvalidAction", badParam: "InvalidParameter", throttled: "Throttled",
	}
	protocolJSON = &protocol{
		contentType: "application/x-amz-json-1.1", answer: answerJSON, refusal: refusalJSON,
		noAuth: "MissingAuthenticationTokenException", badKey: "UnrecognizedClientException", badToken: "UnrecognizedClientException", expired: "ExpiredTokenException",
		noAction: "UnknownOperationException", badParam: "SerializationException", throttled: "ThrottlingException",
	}
)

// marshalAs writes v as an element of that name.
func marshalAs(v any, name string) ([]byte, error) {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	if err := e.EncodeElement(v, xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// answerEC2 is <ActionResponse><requestId/>…</ActionResponse>.
func answerEC2(action, id string, v any) ([]byte, error) {
	inner, err := marshalAs(v, "r")
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s<%sResponse xmlns=%q><requestId>%s</requestId>%s</%sResponse>", xml.Header, action, "http://ec2.amazonaws.com/doc/2016-11-15/", id, inner[len("<r>"):len(inner)-len("</r>")], action), nil
}

// answerQuery is <ActionResponse><ActionResult>…</ActionResult>…</ActionResponse>.
func answerQuery(action, id string, v any) ([]byte, error) {
	inner, err := marshalAs(v, action+"Result")
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "<%sResponse>%s<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", action, inner, id, action), nil
}

func answerJSON(_, _ string, v any) ([]byte, error) { return json.Marshal(v) }

type errorBody struct {
	Type    string `xml:"Type,omitempty"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

func refusalEC2(e *apiError, id string) ([]byte, error) {
	return marshalAs(struct {
		Error errorBody `xml:"Errors>Error"`
		ID    string    `xml:"RequestID"`
	}{errorBody{Code: e.code, Message: e.message}, id}, "Response")
}

func refusalQuery(e *apiError, id string) ([]byte, error) {
	who := "Sender"
	if e.httpStatus() >= http.StatusInternalServerError {
		who = "Receiver"
	}
	return marshalAs(struct {
		Error errorBody `xml:"Error"`
		ID    string    `xml:"RequestId"`
	}{errorBody{Type: who, Code: e.code, Message: e.message}, id}, "ErrorResponse")
}

func refusalJSON(e *apiError, _ string) ([]byte, error) {
	return json.Marshal(map[string]string{"__type": e.code, "message": e.message})
}
