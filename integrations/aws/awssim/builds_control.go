package awssim

import (
	"fmt"
	"time"
)

// BuildView is a build as tests and the sandbox see it.
type BuildView struct {
	ID        string            `json:"id"`
	Project   string            `json:"project"`
	Status    string            `json:"status"`
	Source    string            `json:"source"`
	Resolved  string            `json:"resolved"`
	Initiator string            `json:"initiator"`
	Stopping  bool              `json:"stopping"`
	Env       map[string]string `json:"env"`
}

// Builds shows all builds, those of each project in the order in which they began.
func (s *Sim) Builds() []BuildView {
	out := []BuildView{}
	s.look(func(time.Time) {
		for _, st := range s.world.Sites {
			for _, p := range st.Projects {
				for _, b := range p.Builds {
					v := BuildView{ID: b.ID, Project: p.Name, Status: b.Status, Source: b.Source, Resolved: b.Resolved, Initiator: b.Initiator, Stopping: b.Stopping, Env: map[string]string{}}
					for _, e := range b.Env {
						v.Env[e.Name] = e.Value
					}
					out = append(out, v)
				}
			}
		}
	})
	return out
}

func (s *Sim) withProject(name string, f func(p *project, now time.Time)) error {
	return s.change(func(now time.Time) error {
		for _, st := range s.world.Sites {
			if p := st.project(name); p != nil {
				f(p, now)
				return nil
			}
		}
		return fmt.Errorf("no project %s", name)
	})
}

// FailBuild has the next build of a project come to an end before it should.
func (s *Sim) FailBuild(name string, v Verdict) error {
	return s.withProject(name, func(p *project, _ time.Time) { p.Verdict = v })
}

// Hook begins a build of a project as its webhook does. The source is a commit, a branch
// such as refs/heads/main, or a pull request such as pr/7, and head the commit of that.
func (s *Sim) Hook(name, source, head string) error {
	return s.withProject(name, func(p *project, now time.Time) {
		b := p.start(s.world, now)
		b.Source, b.Head, b.Initiator = source, head, "GitHub-Hookshot/0000000"
	})
}

// StopBuilds stops all builds of a project, by another hand.
func (s *Sim) StopBuilds(name string) error {
	return s.withProject(name, func(p *project, now time.Time) {
		for _, b := range p.Builds {
			b.stop(now)
		}
	})
}

// SetProject changes a project. f must not call the simulator.
func (s *Sim) SetProject(name string, f func(p *Project)) error {
	return s.withProject(name, func(p *project, _ time.Time) { f(&p.Project) })
}
