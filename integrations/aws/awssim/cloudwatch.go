package awssim

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// CloudWatch speaks CBOR (smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html):
// the action stands in the path.
const (
	cborHeader  = "Smithy-Protocol"
	cborName    = "rpc-v2-cbor"
	cborActions = "/service/GraniteServiceVersion20100801/operation/"
)

var protocolCBOR = &protocol{
	contentType: "application/cbor", answer: answerCBOR, refusal: refusalCBOR,
	noAuth: "MissingAuthenticationToken", badKey: "InvalidClientTokenId", badToken: "InvalidClientTokenId", expired: "ExpiredToken",
	noAction: "UnknownOperationException", badParam: "ValidationError", throttled: "Throttling",
}

func answerCBOR(_, _ string, v any) ([]byte, error) {
	m, ok := v.(cbor.Map)
	if !ok {
		return nil, fmt.Errorf("an answer is %T and no CBOR map", v)
	}
	return cbor.Encode(m), nil
}

func refusalCBOR(e *apiError, _ string) ([]byte, error) {
	return cbor.Encode(cbor.Map{"__type": cbor.String("com.amazonaws.cloudwatch#" + e.code), "message": cbor.String(e.message)}), nil
}

// readCBOR gives the action of a path, and takes the body apart.
func readCBOR(c *call, r *http.Request, body []byte) (action string, err error) {
	action, ok := strings.CutPrefix(r.URL.Path, cborActions)
	if !ok || r.Method != http.MethodPost {
		return "", refuse(protocolCBOR.noAction, "%s %s is not an action", r.Method, r.URL.Path)
	}
	if c.p, err = parseCBOR(body); err != nil {
		return "", refuse(protocolCBOR.badParam, "%v", err)
	}
	return action, nil
}

func parseCBOR(body []byte) (params, error) {
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	m, ok := v.(cbor.Map)
	if !ok {
		return nil, errors.New("the body is no map of CBOR")
	}
	p := params{}
	for k, x := range m {
		plain, err := plainCBOR(x)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		p.flatten(k, plain)
	}
	return p, nil
}

// plainCBOR is a value as JSON would have it; a time is its seconds since 1970.
func plainCBOR(v cbor.Value) (any, error) {
	switch v := v.(type) {
	case cbor.Map:
		out := map[string]any{}
		for k, x := range v {
			p, err := plainCBOR(x)
			if err != nil {
				return nil, err
			}
			out[k] = p
		}
		return out, nil
	case cbor.List:
		out := []any{}
		for _, x := range v {
			p, err := plainCBOR(x)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		return out, nil
	case cbor.String:
		return string(v), nil
	case cbor.Bool:
		return bool(v), nil
	case cbor.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case *cbor.Tag:
		at, err := cbor.AsTime(v)
		return strconv.FormatInt(at.Unix(), 10), err
	}
	return nil, fmt.Errorf("the simulator takes no %T", v)
}

func cloudwatchOps() []op {
	const q = "MetricDataQueries.#."
	return []op{{
		service: cloudwatchService, action: "GetMetricData",
		takes: split("StartTime EndTime ScanBy NextToken " + q + "Id " + q + "MetricStat.Period " + q + "MetricStat.Stat " + q + "MetricStat.Metric.Namespace " + q + "MetricStat.Metric.MetricName " +
			q + "MetricStat.Metric.Dimensions.#.Name " + q + "MetricStat.Metric.Dimensions.#.Value"),
		knows: split("MaxDatapoints LabelOptions.** " + q + "Expression " + q + "Label " + q + "ReturnData " + q + "Period " + q + "AccountId " + q + "MetricStat.Unit"),
		needs: split("StartTime EndTime"), do: getMetricData,
	}}
}

// ec2Shapes are the metrics of an instance: around which value they go, how far, and how
// much of that its connections make.
var ec2Shapes = map[string]struct{ middle, swing, load float64 }{
	"CPUUtilization": {8, 4, 0.6}, "NetworkIn": {4e6, 1e6, 2e5}, "NetworkOut": {9e6, 3e6, 5e5}, "CPUCreditBalance": {288, 20, -1},
	"EBSReadBytes": {2e5, 1e5, 0}, "EBSWriteBytes": {9e5, 4e5, 1e4}, "StatusCheckFailed": {0, 0, 0},
}

const metricPage = 500 // values of a page; CloudWatch's own have more

// getMetricData gives values of instances: one in five minutes since it runs. Of what
// there is not it gives none, as CloudWatch does.
func getMetricData(c *call) (any, error) {
	from, err := strconv.ParseInt(c.p["StartTime"], 10, 64)
	to, err2 := strconv.ParseInt(c.p["EndTime"], 10, 64)
	if err = errors.Join(err, err2); err != nil || to <= from {
		return nil, refuse("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
	}
	if by := c.p["ScanBy"]; by != "TimestampAscending" {
		return nil, refuse(unsimulated, "GetMetricData with ScanBy %q", by)
	}
	queries := c.p.each("MetricDataQueries")
	if len(queries) != 1 {
		return nil, refuse(unsimulated, "GetMetricData with %d queries", len(queries))
	}
	q := queries[0]
	period, err := strconv.ParseInt(q["MetricStat.Period"], 10, 64)
	if err != nil || period < 60 || period%60 != 0 {
		return nil, refuse("ValidationError", "The value %s for parameter MetricStat.Period is not a multiple of 60.", q["MetricStat.Period"])
	}
	if s := q["MetricStat.Stat"]; s != "Average" && s != "Maximum" && s != "Minimum" {
		return nil, refuse("ValidationError", "The value %s for parameter MetricStat.Stat is not supported.", s)
	}
	skip := int64(0)
	if token := c.p["NextToken"]; token != "" {
		if skip, err = strconv.ParseInt(token, 10, 64); err != nil {
			return nil, refuse("InvalidNextToken", "The token is invalid.")
		}
	}
	times, values := cbor.List{}, cbor.List{}
	out := cbor.Map{"Messages": cbor.List{}}
	shape, known := ec2Shapes[q["MetricStat.Metric.MetricName"]]
	i := c.measured(q)
	if known && i != nil && q["MetricStat.Metric.Namespace"] == "AWS/EC2" {
		period = max(period, 300)
		n := int64(0)
		for at := (from + period - 1) / period * period; at < min(to, c.now.Unix()); at += period {
			if at < i.Running.Unix() {
				continue
			}
			if n++; n <= skip {
				continue
			}
			if len(times) == metricPage {
				out["NextToken"] = cbor.String(strconv.FormatInt(skip+metricPage, 10))
				break
			}
			wave := math.Sin(2*math.Pi*float64(at%86400)/86400) + noise(i.ID+q["MetricStat.Metric.MetricName"], at)
			v := max(0, shape.middle+shape.load*float64(i.Host.Connections)+shape.swing*wave)
			times = append(times, &cbor.Tag{ID: 1, Value: cbor.Float64(at)})
			values = append(values, cbor.Float64(math.Round(v*100)/100))
		}
	}
	out["MetricDataResults"] = cbor.List{cbor.Map{"Id": cbor.String(q["Id"]), "Label": cbor.String(q["MetricStat.Metric.MetricName"]), "StatusCode": cbor.String("Complete"), "Timestamps": times, "Values": values}}
	return out, nil
}

// measured is the instance that a query is of; nil is none.
func (c *call) measured(q params) *instance {
	of := q.each("MetricStat.Metric.Dimensions")
	if len(of) != 1 || of[0]["Name"] != "InstanceId" {
		return nil
	}
	for _, i := range c.site.Instances {
		if i.ID == of[0]["Value"] {
			return i
		}
	}
	return nil
}

// noise is a number of -1 to 1 that goes by a name and a time.
func noise(of string, at int64) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(of + time.Unix(at, 0).UTC().Format(time.RFC3339)))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11)/(1<<52) - 1
}
