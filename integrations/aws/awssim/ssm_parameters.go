package awssim

import "slices"

// describeParameters tells the names of parameters, and never a value. Of its filters it
// knows that of names.
func describeParameters(c *call) (any, error) {
	found := slices.Clone(c.site.Parameters)
	for _, f := range c.p.each("ParameterFilters") {
		if f["Key"] != "Name" || f["Option"] != "" && f["Option"] != "Equals" {
			return nil, refuse(unsimulated, "the filter %s %s", f["Key"], f["Option"])
		}
		wanted := f.list("Values")
		if len(wanted) == 0 || len(wanted) > 50 {
			return nil, refuse("InvalidFilterValue", "The filter value is not valid. Verify the value and try again.")
		}
		found = slices.DeleteFunc(found, func(name string) bool { return !slices.Contains(wanted, name) })
	}
	some, next, err := page(c, found, "MaxResults", "NextToken", "InvalidNextToken", 10, 1, 50)
	if err != nil {
		return nil, err
	}
	told := []map[string]string{}
	for _, name := range some {
		told = append(told, map[string]string{"Name": name, "Type": "SecureString"})
	}
	out := map[string]any{"Parameters": told}
	if next != "" {
		out["NextToken"] = next
	}
	return out, nil
}
