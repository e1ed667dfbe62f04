package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The phases of a build in their order, in CodeBuild's words.
const (
	phaseSubmitted = "SUBMITTED"
	phaseDownload  = "DOWNLOAD_SOURCE"
	phaseProvision = "PROVISIONING"
	phaseBuild     = "BUILD"
	phaseCompleted = "COMPLETED"
)

var buildPhases = []string{phaseSubmitted, "QUEUED", phaseProvision, phaseDownload, "INSTALL", "PRE_BUILD", phaseBuild, "POST_BUILD", "UPLOAD_ARTIFACTS", "FINALIZING", phaseCompleted}

// How a build stands, in CodeBuild's words.
const (
	buildRunning   = "IN_PROGRESS"
	buildSucceeded = "SUCCEEDED"
	buildFailed    = "FAILED"
	buildStopped   = "STOPPED"
)

// How long builds take, as the others in settle.go.
const (
	ProvisionTime = 8 * time.Second  // the phase PROVISIONING
	PhaseTime     = time.Second      // any other but BUILD
	StopBuildTime = 3 * time.Second  // from StopBuild to the end
	IngestTime    = 10 * time.Second // until a line can be read in CloudWatch Logs
)

// Project is one of CodeBuild.
type Project struct {
	Name string
	// Takes is how long the phase BUILD takes; 20 s when 0. Timeout is how long a build may
	// take; an hour when 0.
	Takes, Timeout time.Duration
	// Limit is how many of its builds can go on at a time; 0 is any number.
	Limit int
	// Prints is what its buildspec prints, a line each.
	Prints []string
	// Silent says that it has no logs in CloudWatch.
	Silent bool
}

// Verdict is how a build comes to an end before it should. The zero value is not at all.
type Verdict struct {
	Phase   string // in which; BUILD when empty
	Status  string // FAILED when empty, FAULT or TIMED_OUT
	Code    string // of the phase's context: COMMAND_EXECUTION_ERROR
	Message string
}

type project struct {
	Project
	Builds  []*build // in the order in which they began
	Verdict Verdict  // of its next build
}

// build is one of a project. Next is when it goes on by itself.
type build struct {
	ID, Status, Source, Resolved, Initiator string
	Number                                  int
	Token, Asked                            string // the idempotency token, and what came with it
	Env                                     []variable
	Started, Ended, Next                    time.Time
	Timeout                                 time.Duration
	Phases                                  []buildPhase
	Lines                                   []logLine
	Verdict                                 Verdict
	Head                                    string // that its source version, a branch, resolves to
	Stopping                                bool
}

type variable struct{ Name, Value, Type string }

type buildPhase struct {
	Type, Status, Code, Message string
	Began, Ended                time.Time
}

type logLine struct {
	At   time.Time
	Text string
}

func (s *site) project(name string) *project {
	for _, p := range s.Projects {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func newProject(seed Project) *project {
	p := &project{Project: seed}
	p.Takes, p.Timeout = cmp.Or(p.Takes, 20*time.Second), cmp.Or(p.Timeout, time.Hour)
	return p
}

func (p *project) build(id string) *build {
	for _, b := range p.Builds {
		if b.ID == id {
			return b
		}
	}
	return nil
}

// going is how many of its builds are not over.
func (p *project) going() (n int) {
	for _, b := range p.Builds {
		if !b.over() {
			n++
		}
	}
	return n
}

// start begins a build, which ends as the next one is to.
func (p *project) start(w *world, at time.Time) *build {
	n := len(p.Builds) + 1
	b := &build{ID: fmt.Sprintf("%s:%08x-0000-4000-8000-%012x", p.Name, n, w.roll()), Number: n, Status: buildRunning, Started: at, Timeout: p.Timeout, Verdict: p.Verdict}
	p.Verdict = Verdict{}
	p.Builds = append(p.Builds, b)
	b.enter(p, phaseSubmitted, at)
	return b
}

func (b *build) over() bool { return b.Status != buildRunning }

func (b *build) phase() *buildPhase { return &b.Phases[len(b.Phases)-1] }

func (b *build) entered(phase string) bool {
	return slices.ContainsFunc(b.Phases, func(p buildPhase) bool { return p.Type == phase })
}

// logged says that its log is there.
func (b *build) logged() bool { return b.entered(phaseDownload) }

func (p *project) logGroup() string { return "/aws/codebuild/" + p.Name }

func (b *build) logStream() string {
	_, id, _ := strings.Cut(b.ID, ":")
	return id
}

func (b *build) say(at time.Time, format string, args ...any) {
	b.Lines = append(b.Lines, logLine{at, fmt.Sprintf(format, args...) + "\n"})
}

func (b *build) container(at time.Time, format string, args ...any) {
	b.say(at, "[Container] "+at.UTC().Format("2006/01/02 15:04:05")+" "+format, args...)
}

// enter begins a phase.
func (b *build) enter(p *project, phase string, at time.Time) {
	b.Phases = append(b.Phases, buildPhase{Type: phase, Began: at})
	lasts := PhaseTime
	switch phase {
	case phaseProvision:
		lasts = ProvisionTime
	case phaseBuild:
		lasts = p.Takes
	}
	b.Next = at.Add(lasts)
	if b.logged() && phase != phaseCompleted {
		b.container(at, "Entering phase %s", phase)
	}
	if phase == phaseBuild {
		for _, line := range p.Prints {
			b.say(at, "%s", line)
		}
	}
}

// leave ends the phase that goes on.
func (b *build) leave(at time.Time, status, code, message string) {
	ph := b.phase()
	ph.Status, ph.Code, ph.Message, ph.Ended = status, code, message, at
	if b.logged() {
		b.container(at, "Phase complete: %s State: %s", ph.Type, status)
		b.container(at, "Phase context status code: %s Message: %s", code, message)
	}
}

// advance takes a build to its next phase, or to its end.
func (b *build) advance(p *project, at time.Time) {
	now, v := b.phase().Type, b.Verdict
	if b.Stopping {
		b.leave(at, buildStopped, "", "")
		b.end(at, buildStopped)
		return
	}
	if now == phaseDownload && b.Resolved == "" {
		b.Resolved = cmp.Or(b.Head, b.Source)
	}
	if v != (Verdict{}) && now == cmp.Or(v.Phase, phaseBuild) {
		status := cmp.Or(v.Status, buildFailed)
		if now == phaseBuild && status == buildFailed {
			b.container(at, "Command did not exit successfully make deploy exit status 1")
		}
		b.leave(at, status, v.Code, v.Message)
		b.end(at, status)
		return
	}
	b.leave(at, buildSucceeded, "", "")
	next := buildPhases[slices.Index(buildPhases, now)+1]
	if next == phaseCompleted {
		b.end(at, buildSucceeded)
		return
	}
	b.enter(p, next, at)
}

func (b *build) end(at time.Time, status string) {
	b.Phases = append(b.Phases, buildPhase{Type: phaseCompleted, Began: at})
	b.Status, b.Ended, b.Next = status, at, time.Time{}
}

// stop has a build end a moment later.
func (b *build) stop(at time.Time) {
	if b.over() || b.Stopping {
		return
	}
	b.Stopping, b.Next = true, at.Add(StopBuildTime)
}

// expire ends a build that takes too long.
func (b *build) expire(at time.Time) {
	b.leave(at, "TIMED_OUT", "BUILD_TIMED_OUT", "Build has timed out. ")
	b.end(at, "TIMED_OUT")
}

func (s *site) buildEvents(offer func(time.Time, func(time.Time))) {
	for _, p := range s.Projects {
		for _, b := range p.Builds {
			if b.over() {
				continue
			}
			offer(b.Next, func(at time.Time) { b.advance(p, at) })
			offer(b.Started.Add(b.Timeout), b.expire)
		}
	}
}
