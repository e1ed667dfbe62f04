package ecs

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// told are what DescribeTaskDefinition adds, and RegisterTaskDefinition does not take.
var told = strings.Fields("Compatibilities DeleteRequestedAt DeregisteredAt RegisteredAt RegisteredBy RequiresAttributes Revision Status TaskDefinitionArn")

// filled is a task definition in which no field is empty.
func filled(t *testing.T) *types.TaskDefinition {
	t.Helper()
	var d types.TaskDefinition
	v := reflect.ValueOf(&d).Elem()
	for n := range v.NumField() {
		f := v.Field(n)
		if !f.CanSet() {
			continue
		}
		switch f.Kind() {
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.String:
			f.SetString("x")
		case reflect.Int32:
			f.SetInt(7)
		default:
			t.Fatalf("the field %s is a %s, which this test does not know", v.Type().Field(n).Name, f.Kind())
		}
	}
	return &d
}

// Whatever can be registered is copied: a field that the SDK gets some day fails here.
func TestAllThatCanBeRegisteredIsCopied(t *testing.T) {
	d := filled(t)
	in := reflect.ValueOf(input(d, []types.Tag{{Key: aws.String("k")}})).Elem()
	from := reflect.ValueOf(d).Elem()
	copied := 0
	for n := range in.NumField() {
		name := in.Type().Field(n).Name
		if !in.Type().Field(n).IsExported() {
			continue
		}
		copied++
		if in.Field(n).IsZero() {
			t.Errorf("%s is not copied", name)
		}
		if name != "Tags" && !reflect.DeepEqual(in.Field(n).Interface(), from.FieldByName(name).Interface()) {
			t.Errorf("%s is not what it was", name)
		}
		if slices.Contains(told, name) {
			t.Errorf("%s can be registered by now", name)
		}
	}
	for n := range from.NumField() {
		field := from.Type().Field(n)
		if field.IsExported() && !in.FieldByName(field.Name).IsValid() && !slices.Contains(told, field.Name) {
			t.Errorf("%s is neither copied nor known to be left out", field.Name)
		}
	}
	if copied < 18 {
		t.Errorf("%d fields are copied; it was 18 in v1.103.1", copied)
	}
}

func TestOneImageIsChanged(t *testing.T) {
	d := &types.TaskDefinition{TaskDefinitionArn: aws.String("arn:aws:ecs:x:1:task-definition/shop:4"), ContainerDefinitions: []types.ContainerDefinition{
		{Name: aws.String("app-sidecar"), Image: aws.String("envoy:1")}, {Name: aws.String("app"), Image: aws.String("shop:1")},
	}}
	tags := []types.Tag{{Key: aws.String("Owner"), Value: aws.String("us")}, {Key: aws.String("aws:cloudformation:stack-name"), Value: aws.String("s")}, {Key: aws.String(tagRun), Value: aws.String("earlier")}}
	in := changed(d, tags, "app", "shop@sha256:2", map[string]string{tagRun: "r", tagSHA: "s"})
	if got := aws.ToString(in.ContainerDefinitions[0].Image) + " " + aws.ToString(in.ContainerDefinitions[1].Image); got != "envoy:1 shop@sha256:2" {
		t.Errorf("the images are %s", got)
	}
	if aws.ToString(d.ContainerDefinitions[1].Image) != "shop:1" {
		t.Error("what was read was changed")
	}
	var keys []string
	for _, tag := range in.Tags {
		keys = append(keys, aws.ToString(tag.Key)+"="+aws.ToString(tag.Value))
	}
	if got := strings.Join(keys, " "); got != "Owner=us signalbox:run=r signalbox:sha=s" {
		t.Errorf("the tags are %s", got)
	}
	if _, err := imageOf(d, "App"); err == nil || !strings.Contains(err.Error(), "it has app-sidecar, app") {
		t.Errorf("a name that is not exact: %v", err)
	}
}

func TestWhatIsEmptyIsAsWhatIsLeftOut(t *testing.T) {
	a := &sdk.RegisterTaskDefinitionInput{Family: aws.String("shop"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("i")}}}
	b := *a
	b.Volumes, b.Tags = []types.Volume{}, []types.Tag{{Key: aws.String("k")}}
	b.ContainerDefinitions = []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("i"), Environment: []types.KeyValuePair{}}}
	if !same(a, &b) {
		t.Error("they are told to differ")
	}
	b.ContainerDefinitions[0].Environment = []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("1")}}
	if same(a, &b) {
		t.Error("they are told to be the same")
	}
}

func TestALoadBalancerHasToReachIt(t *testing.T) {
	d := &types.TaskDefinition{TaskDefinitionArn: aws.String("x/shop:4"), ContainerDefinitions: []types.ContainerDefinition{
		{Name: aws.String("app"), PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8080)}}},
	}}
	for want, b := range map[string]types.LoadBalancer{
		"":                               {ContainerName: aws.String("app"), ContainerPort: aws.Int32(8080)},
		`"web", which shop:4 does not`:   {ContainerName: aws.String("web"), ContainerPort: aws.Int32(8080)},
		"port 80 of the container \"app": {ContainerName: aws.String("app"), ContainerPort: aws.Int32(80)},
	} {
		err := reaches(&types.Service{LoadBalancers: []types.LoadBalancer{b}}, d)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
