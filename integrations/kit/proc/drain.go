package proc

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// drains read what a command writes until nobody can write any more. They never
// stop early: a command that nobody reads from would stand still or die.
type drains struct {
	pipes []*drain
	wg    sync.WaitGroup
}

type drain struct {
	r, w *os.File
	sink io.Writer
	cap  int64 // of the sink; 0 is none
	cut  bool
	also io.Writer // gets all of it, without a cap
}

// add makes a pipe whose content goes to the sink and returns its writing end.
func (d *drains) add(sink io.Writer, limit int64, user *User) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if user != nil { // or it could not open /dev/stderr
		if err := w.Chown(int(user.UID), int(user.GID)); err != nil && os.Geteuid() == 0 {
			r.Close()
			w.Close()
			return nil, fmt.Errorf("give the output pipe to the step's user: %w", err)
		}
	}
	d.pipes = append(d.pipes, &drain{r: r, w: w, sink: sink, cap: limit})
	return w, nil
}

func (d *drains) closeWriters() {
	for _, p := range d.pipes {
		p.w.Close()
	}
}

func (d *drains) start() {
	for _, p := range d.pipes {
		d.wg.Go(p.run)
	}
}

// wait returns when all is read, and whether a sink's cap cut something off.
// The command's processes are gone by then; one that could not be killed and
// holds the pipe open is not waited for.
func (d *drains) wait() (cut bool) {
	for _, p := range d.pipes {
		p.r.SetReadDeadline(time.Now().Add(sweepFor))
	}
	d.wg.Wait()
	for _, p := range d.pipes {
		p.r.Close()
		if c, ok := p.sink.(*os.File); ok {
			c.Close()
		}
		cut = cut || p.cut
	}
	return cut
}

func (p *drain) run() {
	buf := make([]byte, 32<<10)
	var seen int64
	for {
		n, err := p.r.Read(buf)
		keep := int64(n)
		if p.cap > 0 {
			keep = min(keep, max(0, p.cap-seen))
		}
		if keep > 0 {
			if _, err := p.sink.Write(buf[:keep]); err != nil {
				keep = 0
			}
		}
		if p.also != nil && n > 0 {
			p.also.Write(buf[:n])
		}
		p.cut = p.cut || keep < int64(n)
		seen += int64(n)
		if err != nil {
			return
		}
	}
}

// sweepFor is how long the killed leftovers of a command may take to go.
const sweepFor = 5 * time.Second

// sweep ends every process that the command left behind, those too that left
// its group or session: nothing that a step started may watch the next one.
func sweep(pid int) {
	for deadline := time.Now().Add(sweepFor); time.Now().Before(deadline); {
		got, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		switch {
		case err == syscall.ECHILD:
			return
		case err == syscall.EINTR || got > 0:
			continue
		}
		all, err := allStats()
		if err != nil {
			return
		}
		for _, s := range all {
			if s.parent == os.Getpid() && !s.dead() {
				syscall.Kill(s.pid, syscall.SIGKILL)
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// give makes the user the owner of a folder and all in it. It follows no
// symbolic link out of it, and leaves files alone that have other names, which
// may be anyone's.
func give(dir string, u User) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("give %s to user %d: %w", dir, u.UID, err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && (st.Uid == u.UID && st.Gid == u.GID || info.Mode().IsRegular() && st.Nlink > 1) {
			return nil
		}
		return root.Lchown(path, int(u.UID), int(u.GID))
	})
	if err != nil {
		return fmt.Errorf("give %s to user %d: %w", dir, u.UID, err)
	}
	return nil
}
