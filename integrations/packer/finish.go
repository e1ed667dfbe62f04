package packer

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// amiShape is that of an AMI with its region, as Packer names it.
var amiShape = regexp.MustCompile(`^([a-z]{2}(?:-[a-z]+)+-[0-9]+):(ami-[0-9a-f]+)$`)

// checkAccount says what is wrong with the account of a step.
func (a *Applier) checkAccount() error {
	names := a.accounts()
	if a.c.Account != "" && !slices.Contains(names, a.c.Account) {
		return fmt.Errorf("account: there is no account %q in aws.accounts; it has %q", a.c.Account, names)
	}
	if a.c.Account == "" && len(names) > 1 {
		return fmt.Errorf("account: is missing; want one of %s, in which AMIs are looked for and tagged", strings.Join(names, ", "))
	}
	return nil
}

func (a *Applier) accounts() (out []string) {
	if a.images == nil {
		return nil
	}
	for _, s := range a.images.Sites() {
		if !slices.Contains(out, s.Account) {
			out = append(out, s.Account)
		}
	}
	return out
}

// sites are those of the step's account.
func (a *Applier) sites() (out []integrations.Site) {
	if a.images == nil {
		return nil
	}
	for _, s := range a.images.Sites() {
		if a.c.Account == "" || s.Account == a.c.Account {
			out = append(out, s)
		}
	}
	return out
}

// site is where an AMI is; not ok where no account of ours has its region.
func (a *Applier) site(artifact string) (at integrations.Site, id string, ok bool) {
	m := amiShape.FindStringSubmatch(artifact)
	if m == nil {
		return at, "", false
	}
	for _, s := range a.sites() {
		if s.Region == m[1] {
			return s, m[2], true
		}
	}
	return at, m[2], false
}

// tagged are the AMIs whose template has tagged them with this build.
func (a *Applier) tagged(ctx context.Context, r integrations.Run) (out []string, err error) {
	for _, at := range a.sites() {
		found, err := a.images.ImagesTagged(ctx, at, integrations.TagRun, a.run(r))
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			out = append(out, at.Region+":"+i.ID)
		}
	}
	return out, nil
}

// Finish implements integrations.Finisher: an AMI that has passed its tests is tagged, and
// what has failed them is built again.
func (a *Applier) Finish(ctx context.Context, r integrations.Run, tests []integrations.Tests) ([]integrations.Built, error) {
	all, err := r.Own()
	if err != nil {
		return nil, err
	}
	var out []integrations.Built
	var last built
	if err := a.last.Get(r, a.Describe(), &last); err != nil {
		return nil, err
	}
	for _, one := range all {
		if one.ID == "" {
			continue
		}
		b := integrations.Built{Artifact: one, Of: strings.TrimPrefix(a.Describe(), "packer "), Pins: slices.Clone(a.c.Pin)}
		for i := range b.Pins {
			b.Pins[i].Version = version(one)
		}
		for _, t := range tests {
			if slices.Contains(t.Of, one.ID) {
				b.Passed, b.Failed, b.Pending = b.Passed+t.Examples-t.Failed-t.Pending, b.Failed+t.Failed, b.Pending+t.Pending
			}
		}
		out = append(out, b)
	}
	return out, a.judge(ctx, r, last, out)
}

// judge keeps what came of the tests.
func (a *Applier) judge(ctx context.Context, r integrations.Run, last built, all []integrations.Built) error {
	if i := slices.IndexFunc(all, func(b integrations.Built) bool { return b.Failed > 0 }); i >= 0 {
		last.Passed, last.Failed = 0, all[i].Failed
		return a.last.Put(r, a.Describe(), last)
	}
	for _, b := range all {
		if b.Passed == 0 {
			continue
		}
		if last.Passed != b.Passed && last.SHA != "" { // before the tag, which is missed then where it is not written
			last.Passed = b.Passed
			if err := a.last.Put(r, a.Describe(), last); err != nil {
				return err
			}
		}
		if b.Kind != integrations.ArtifactAMI || a.images == nil {
			continue
		}
		at, id, ok := a.site(b.ID)
		if !ok {
			return fmt.Errorf("%s was built and tested, and is not tagged: no account of aws.accounts has its region", b.ID)
		}
		if err := a.images.TagImage(ctx, at, id, map[string]string{integrations.TagTested: b.SHA}); err != nil {
			return fmt.Errorf("%s was built and tested, and is not tagged: %w", b.ID, err)
		}
	}
	return nil
}

// version is what is pinned of an artifact: of an AMI its id, without the region.
func version(a integrations.Artifact) string {
	if m := amiShape.FindStringSubmatch(a.ID); m != nil {
		return m[2]
	}
	return a.ID
}
